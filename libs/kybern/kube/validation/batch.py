"""Job and CronJob: completion counts, restart policy, schedules, and the spec that stays once pods exist."""

from kybern.kube.field import invalid, not_supported, required, too_long
from kybern.kube.go_struct import go_struct, same_struct
from kybern.kube.selectors import from_label_selector
from kybern.kube.validation.cron_schedule import validate_schedule, validate_time_zone
from kybern.kube.validation.domain_paths import domain_prefixed_path
from kybern.kube.validation.fields import (
    IMMUTABLE,
    Errors,
    Object,
    child,
    immutable,
    items,
    non_negative,
    one_of,
    same,
)
from kybern.kube.validation.job_policies import shown_success_policy, validate_failure_policy, validate_success_policy
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import dns1123_label
from kybern.kube.validation.pod import validate_template

_V1, _SELECTOR = "k8s.io.api.core.v1.", "k8s.io.apimachinery.pkg.apis.meta.v1.LabelSelector"
_MAX_CRON_NAME = 52
MAX_MANAGED_BY, MAX_PARALLELISM = 63, 100_000
MAX_FAILED_INDEXES, MANY_COMPLETIONS, MAX_AMONG_MANY = 100_000, 100_000, 10_000


def validate_job(obj: Object) -> Errors:
    metadata, spec = child(obj, "metadata"), child(obj, "spec")
    selector = spec.get("selector")
    # The registry adds a generated selector and labels before an object is kept.
    if selector is not None and not spec.get("manualSelector") and metadata.get("uid"):
        yield from _generated_selector(metadata, selector, _labels_of_pods(spec))
    yield from _whole_spec(obj)
    if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
        yield from _pod_names(metadata.get("name") or "", spec["completions"])


def _labels_of_pods(spec: Object) -> dict[str, str]:
    return child(child(child(spec, "template"), "metadata"), "labels")


def _whole_spec(obj: Object) -> Errors:
    """The spec, and the selector that selects the pods of the template."""
    spec = child(obj, "spec")
    selector, labels = spec.get("selector"), _labels_of_pods(spec)
    yield from _job_spec(spec, "spec")
    if selector is None:
        if not spec.get("manualSelector") and child(obj, "metadata").get("uid") is None:
            return
        yield required("spec.selector")
        matches = False
    else:
        problems = list(validate_selector(selector, "spec.selector"))
        yield from problems
        matches = bool(problems) or from_label_selector(selector).matches(labels)
    if not matches:
        yield invalid("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`")


_BY_UID, _BY_NAME = "controller-uid", "job-name"


def _generated_selector(metadata: Object, selector: Object, labels: dict[str, str]) -> Errors:
    """Labels and selector are those that the registry makes."""
    own = {_BY_UID: metadata["uid"], _BY_NAME: metadata.get("name") or ""}
    prefixed = {f"batch.kubernetes.io/{name}": value for name, value in own.items()}
    asked = f"batch.kubernetes.io/{_BY_UID}" in child(selector, "matchLabels")
    known = {**own, **prefixed} if asked else own
    for name, value in known.items():
        at = f"spec.template.metadata.labels[{name}]"
        if name not in labels:
            yield required(at, f"must be '{value}'")
        elif labels[name] != value:
            yield invalid(at, labels, f"must be '{value}'")
    if not list(validate_selector(selector, "")) and not from_label_selector(selector).matches({**own, **prefixed}):
        yield invalid("spec.selector", go_struct(_SELECTOR, selector), "`selector` not auto-generated")


def _pod_names(name: str, completions: int) -> Errors:
    """Names of pods end with their index, and become host names."""
    last = f"{name}-{completions - 1}"
    if dns1123_label(last):
        yield invalid("metadata.name", name, f"will not able to create pod with invalid DNS label: {last}")


def _job_spec(spec: Object, path: str) -> Errors:
    for name in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
                 "backoffLimitPerIndex", "maxFailedIndexes"):  # fmt: skip
        yield from non_negative(spec, name, path)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if spec.get("managedBy") is not None:
        yield from _managed_by(spec["managedBy"], f"{path}.managedBy")
    mode = spec.get("completionMode")
    if mode is not None:
        if mode not in ("NonIndexed", "Indexed"):
            yield not_supported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed"), in_order=True)
        elif mode == "Indexed":
            yield from _indexed(spec, path)
    if mode in (None, "NonIndexed"):
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(name) is not None:
                yield invalid(f"{path}.{name}", spec[name], "requires indexed completion mode")
    if spec.get("podFailurePolicy") is not None:
        yield from validate_failure_policy(spec, f"{path}.podFailurePolicy")
    if spec.get("successPolicy") is not None:
        if mode == "Indexed":
            yield from validate_success_policy(spec, f"{path}.successPolicy")
        else:
            shown = shown_success_policy(spec["successPolicy"])
            yield invalid(f"{path}.successPolicy", shown, "requires indexed completion mode")
    yield from _replacement(spec, path)
    template = child(spec, "template")
    yield from validate_template(template, f"{path}.template")
    policy, at = child(template, "spec").get("restartPolicy") or "", f"{path}.template.spec.restartPolicy"
    if policy in ("", "Always"):
        yield required(at, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield not_supported(at, policy, ("OnFailure", "Never"), in_order=True)
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        yield invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _managed_by(name: str, path: str) -> Errors:
    """Which controller does the work: a name under a domain."""
    if not name:
        yield required(path)
        return
    yield from domain_prefixed_path(path, name)
    if len(name) > MAX_MANAGED_BY:
        yield too_long(path, MAX_MANAGED_BY)


def _indexed(spec: Object, path: str) -> Errors:
    completions, parallelism = spec.get("completions"), spec.get("parallelism")
    if completions is None:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    if parallelism is not None and parallelism > MAX_PARALLELISM:
        detail = f"must be less than or equal to {MAX_PARALLELISM} when completion mode is Indexed"
        yield invalid(f"{path}.parallelism", parallelism, detail)
    failed = spec.get("maxFailedIndexes")
    if completions is not None and failed is not None and failed > completions:
        yield invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")
    if failed is not None and failed > MAX_FAILED_INDEXES:
        yield invalid(f"{path}.maxFailedIndexes", failed, f"must be less than or equal to {MAX_FAILED_INDEXES}")
    if (completions or 0) > MANY_COMPLETIONS and spec.get("backoffLimitPerIndex") is not None:
        yield from _many_indexes(spec, path)


def _many_indexes(spec: Object, path: str) -> Errors:
    """The status of a Job with a limit for each of very many indexes must not grow too large."""
    if spec.get("maxFailedIndexes") is None:
        detail = f"must be specified when completions is above {MANY_COMPLETIONS}"
        yield required(f"{path}.maxFailedIndexes", detail)
    for name in ("parallelism", "maxFailedIndexes"):
        if (spec.get(name) or 0) > MAX_AMONG_MANY:
            when = f"when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
            yield invalid(f"{path}.{name}", spec[name], f"must be less than or equal to {MAX_AMONG_MANY} {when}")


def _replacement(spec: Object, path: str) -> Errors:
    """A failure policy looks at pods that have failed, so replacements wait for that."""
    policy = spec.get("podReplacementPolicy")
    if policy is None:
        return
    supported = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    if policy not in supported:
        yield not_supported(f"{path}.podReplacementPolicy", policy, supported)


def validate_job_update(obj: Object, old: Object) -> Errors:
    """What a Job was made for stays. The rules of every spec are told twice, as upstream does."""
    yield from _whole_spec(obj)
    spec, before = child(obj, "spec"), child(old, "spec")
    if spec.get("completionMode") != "Indexed":
        yield from immutable(spec.get("completions"), before.get("completions"), "spec.completions")
    elif spec.get("completions") not in (None, before.get("completions"), spec.get("parallelism")):
        yield invalid("spec.completions", spec["completions"], "can only be modified in tandem with spec.parallelism")
    yield from _fixed(spec, before, "selector")
    new, was = child(spec, "template"), child(before, "template")
    if before.get("suspend") and _stands_still(child(old, "status")):
        if not same(_lasting(child(new, "spec")), _lasting(child(was, "spec"))):
            yield invalid("spec.template.spec", go_struct(f"{_V1}PodSpec", child(new, "spec")), IMMUTABLE)
    else:
        yield from _fixed(spec, before, "template")
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        yield from _fixed(spec, before, name)


_SHOWN = {
    "podFailurePolicy": "k8s.io.api.batch.v1.PodFailurePolicy",
    "successPolicy": "k8s.io.api.batch.v1.SuccessPolicy",
    "template": f"{_V1}PodTemplateSpec",
    "selector": _SELECTOR,
}


def _fixed(spec: Object, before: Object, name: str) -> Errors:
    """A member that stays as it is."""
    new, old = spec.get(name), before.get(name)
    if name in _SHOWN:
        new, old = go_struct(_SHOWN[name], new), go_struct(_SHOWN[name], old)
    if not (same_struct(new, old) if name in _SHOWN else same(new, old) and not (name == "managedBy" and new != old)):
        yield invalid(f"spec.{name}", new, IMMUTABLE)


def _stands_still(status: Object) -> bool:
    suspended = any(one["type"] == "Suspended" and one["status"] == "True" for one in items(status, "conditions"))
    return suspended and not status.get("active")


def _lasting(spec: Object) -> Object:
    """What of a pod template may not change even while its Job is suspended: all but where it runs, and on how much."""
    affinity = {name: value for name, value in child(spec, "affinity").items() if name != "nodeAffinity"}
    kept = {name: value for name, value in spec.items()
            if name not in ("nodeSelector", "tolerations", "affinity", "schedulingGates")}  # fmt: skip
    for name in ("containers", "initContainers"):
        if name in spec:
            kept[name] = [{key: value for key, value in one.items() if key != "resources"} for one in items(spec, name)]
    return {**kept, "affinity": affinity} if affinity else kept


def validate_cron_job(obj: Object) -> Errors:
    spec = child(obj, "spec")
    schedule = spec.get("schedule") or ""
    if not schedule:
        yield required("spec.schedule")
    else:
        yield from validate_schedule(schedule, "spec.schedule")
    yield from non_negative(spec, "startingDeadlineSeconds", "spec")
    if spec.get("timeZone") is not None:
        yield from validate_time_zone(spec["timeZone"], "spec.timeZone")
    yield from one_of(spec, "concurrencyPolicy", "spec", ("Allow", "Forbid", "Replace"), must=True)
    yield from _job_template(child(child(spec, "jobTemplate"), "spec"), "spec.jobTemplate.spec")
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from non_negative(spec, name, "spec")
    name = child(obj, "metadata").get("name") or ""
    if len(name) > _MAX_CRON_NAME:
        yield invalid("metadata.name", name, f"must be no more than {_MAX_CRON_NAME} characters")


def _job_template(job: Object, path: str) -> Errors:
    """The jobs of a CronJob have the selectors that are made for them."""
    yield from _job_spec(job, path)
    if job.get("selector") is not None:
        yield invalid(f"{path}.selector", go_struct(_SELECTOR, job["selector"]), "`selector` will be auto-generated")
    if job.get("manualSelector"):
        yield not_supported(f"{path}.manualSelector", True, ("nil", "false"), in_order=True)
