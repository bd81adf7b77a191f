"""Job and CronJob: completion counts, restart policy, schedules, and the spec that stays once pods exist."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kybern.kube.field import invalid, not_supported, required, too_long
from kybern.kube.go_struct import go_struct
from kybern.kube.selectors import from_label_selector
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
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain, regex_error
from kybern.kube.validation.pod import validate_template

_V1, _SELECTOR = "k8s.io.api.core.v1.", "k8s.io.apimachinery.pkg.apis.meta.v1.LabelSelector"
_ZONE_PART = re.compile(r"[A-Za-z._0-9+][A-Za-z.\-_0-9+]{0,13}")
_MAX_CRON_NAME = 52
MAX_MANAGED_BY, MAX_PARALLELISM = 63, 100_000
_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


def validate_job(obj: Object) -> Errors:
    spec = child(obj, "spec")
    selector, labels = spec.get("selector"), child(child(spec, "template"), "metadata").get("labels")
    # The registry adds a generated selector and labels before an object is kept.
    waits = selector is None and not spec.get("manualSelector") and child(obj, "metadata").get("uid") is None
    if selector is not None and not spec.get("manualSelector") and child(obj, "metadata").get("uid"):
        yield from _generated_selector(child(obj, "metadata"), selector, labels or {})
    yield from _job_spec(spec, "spec")
    if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
        yield from _pod_names(child(obj, "metadata").get("name") or "", spec["completions"])
    if waits:
        return
    if selector is None:
        yield required("spec.selector")
        matches = False
    else:
        problems = list(validate_selector(selector, "spec.selector"))
        yield from problems
        matches = bool(problems) or from_label_selector(selector).matches(labels or {})
    if not matches:
        yield invalid("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`")


_BY_UID, _BY_NAME = "controller-uid", "job-name"


def _generated_selector(metadata: Object, selector: Object, labels: dict[str, str]) -> Errors:
    """Labels and selector are those that the registry makes."""
    own = {_BY_UID: metadata["uid"], _BY_NAME: metadata.get("name") or ""}
    known = {**own, **{f"batch.kubernetes.io/{name}": value for name, value in own.items()}}
    for name, value in known.items():
        at = f"spec.template.metadata.labels[{name}]"
        if name not in labels:
            yield required(at, f"must be '{value}'")
        elif labels[name] != value:
            yield invalid(at, labels[name], f"must be '{value}'")
    if not list(validate_selector(selector, "")) and not from_label_selector(selector).matches(known):
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
    prefix, slash, rest = name.partition("/")
    if not prefix or not slash or not rest:
        yield invalid(path, name, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        for problem in dns1123_subdomain(prefix):
            yield invalid(path, prefix, problem)
        for problem in [] if _PATH.fullmatch(rest) else [regex_error("Invalid path", _PATH.pattern)]:
            yield invalid(path, rest, problem)
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
    if failed is not None and spec.get("backoffLimitPerIndex") is None:
        yield required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")


def _replacement(spec: Object, path: str) -> Errors:
    """A failure policy looks at pods that have failed, so replacements wait for that."""
    policy = spec.get("podReplacementPolicy")
    if policy is None:
        return
    supported = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    if policy not in supported:
        yield not_supported(f"{path}.podReplacementPolicy", policy, supported)


def validate_job_update(obj: Object, old: Object) -> Errors:
    """What a Job was made for stays. The rules of every Job are told twice, as upstream does."""
    yield from validate_job(obj)
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
    if not same(new, old) or (name == "managedBy" and new != old):
        shown = go_struct(_SHOWN[name], spec.get(name)) if name in _SHOWN else spec.get(name)
        yield invalid(f"spec.{name}", shown, IMMUTABLE)


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
            kept[name] = [{key: value for key, value in one.items() if key != "resources"} for one in spec[name]]
    return {**kept, "affinity": affinity} if affinity else kept


def _time_zone(zone: str | None, path: str) -> Errors:
    if zone is None:
        return
    if zone == "":
        yield invalid(path, zone, "timeZone must be nil or non-empty string")
        return
    well_formed = all(_ZONE_PART.fullmatch(part) and part not in (".", "..") for part in zone.split("/"))
    if well_formed and zone.lower() == "local":
        yield invalid(
            path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
    if not well_formed or not _is_time_zone(zone):
        yield invalid(path, zone, f"unknown time zone {zone}")


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return name in ("Local", "UTC")
    return True


def validate_cron_job(obj: Object) -> Errors:
    spec = child(obj, "spec")
    name = child(obj, "metadata").get("name") or ""
    if len(name) > _MAX_CRON_NAME:
        yield invalid("metadata.name", name, f"must be no more than {_MAX_CRON_NAME} characters")
    schedule = spec.get("schedule") or ""
    if not schedule:
        yield required("spec.schedule")
    elif problem := schedule_problem(schedule):
        yield invalid("spec.schedule", schedule, problem)
    elif "TZ" in schedule:
        yield invalid("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    yield from _time_zone(spec.get("timeZone"), "spec.timeZone")
    for name in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from non_negative(spec, name, "spec")
    yield from one_of(spec, "concurrencyPolicy", "spec", ("Allow", "Forbid", "Replace"), must=True)
    job = child(child(spec, "jobTemplate"), "spec")
    yield from _job_spec(job, "spec.jobTemplate.spec")
    if job.get("manualSelector"):
        yield not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false"))


_NUMBER = re.compile(r"[0-9]{1,18}")
_MACROS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_CRON_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, tuple(_MONTHS)), (0, 6, tuple(_DAYS)),
)  # fmt: skip


def schedule_problem(schedule: str) -> str:
    """What is wrong with a cron schedule, empty when it can be read."""
    if schedule.startswith("@"):
        if schedule in _MACROS or re.fullmatch(r"@every ([0-9.]+(ns|us|µs|ms|s|m|h))+", schedule):
            return ""
        return f"unrecognized descriptor: {schedule}"
    fields = re.sub(r"^(CRON_)?TZ=\S+\s+", "", schedule).split()
    if len(fields) != 5:
        shown = " ".join(fields)
        return f"expected exactly 5 fields, found {len(fields)}: [{shown}]"
    for field, (low, high, names) in zip(fields, _CRON_FIELDS, strict=True):
        for part in field.split(","):
            problem = _cron_range(part, low, high, names)
            if problem:
                return problem
    return ""


def _not_a_number(text: str) -> str:
    return f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'


def _cron_range(part: str, low: int, high: int, names: tuple[str, ...]) -> str:
    span, slash, step = part.partition("/")
    if slash:
        if not _NUMBER.fullmatch(step):
            return _not_a_number(step)
        if int(step) == 0:
            return f"step of range should be a positive number: {part}"
    if span in ("*", "?"):
        return ""
    ends = span.split("-")
    if len(ends) > 2:
        return f"too many hyphens: {part}"
    numbers = []
    for end in ends:
        if end.lower() in names:
            numbers.append(names.index(end.lower()) + low)
        elif _NUMBER.fullmatch(end):
            numbers.append(int(end))
        else:
            return _not_a_number(end)
    if numbers[0] < low:
        return f"beginning of range ({numbers[0]}) below minimum ({low}): {part}"
    if numbers[-1] > high:
        return f"end of range ({numbers[-1]}) above maximum ({high}): {part}"
    if numbers[0] > numbers[-1]:
        return f"beginning of range ({numbers[0]}) beyond end of range ({numbers[-1]}): {part}"
    return ""
