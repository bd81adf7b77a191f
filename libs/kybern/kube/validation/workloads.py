"""Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController, ControllerRevision, PodTemplate."""

from typing import Any

from kybern.kube import intstr
from kybern.kube.field import Struct, forbidden, invalid, not_supported, required
from kybern.kube.go_struct import go_struct, same_struct
from kybern.kube.selectors import from_label_selector, from_labels
from kybern.kube.validation.fields import (
    IMMUTABLE,
    Errors,
    Object,
    child,
    count_or_percent,
    immutable,
    items,
    non_negative,
    one_of,
    same,
    text,
)  # fmt: skip
from kybern.kube.validation.metadata import matches_nothing, validate_selector
from kybern.kube.validation.names import dns1123_label, min_error
from kybern.kube.validation.persistent_volume_claim import validate_claim_spec
from kybern.kube.validation.pod import validate_template, validate_template_metadata


def validate_pod_template(template: Object) -> Errors:
    yield from validate_template(child(template, "template"), "template")


def validate_deployment(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from non_negative(spec, "replicas", "spec")
    yield from _selector_and_template(spec, "deployment")
    yield from _deployment_strategy(child(spec, "strategy"), "spec.strategy")
    for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        yield from non_negative(spec, name, "spec")
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def validate_deployment_update(obj: Object, old: Object) -> Errors:
    new, before = child(obj, "spec").get("selector"), child(old, "spec").get("selector")
    if not same(new, before):
        yield invalid("spec.selector", shown_selector(new), IMMUTABLE)


def validate_replica_set(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from non_negative(spec, "replicas", "spec")
    yield from non_negative(spec, "minReadySeconds", "spec")
    yield from _selector_and_template(spec, "deployment")


def validate_daemon_set(obj: Object) -> Errors:
    spec = child(obj, "spec")
    selector = spec.get("selector")
    problems = [*validate_selector(selector, "spec.selector")]
    yield from problems
    if not problems:
        yield from _matching(selector, spec)
    if selector is not None and matches_nothing(selector):
        yield invalid("spec.selector", selector, "empty selector is invalid for daemonset")
    template = child(spec, "template")
    yield from validate_template(template, "spec.template")
    yield from _always_restarts(template)
    yield from non_negative(spec, "minReadySeconds", "spec")
    yield from _daemon_strategy(child(spec, "updateStrategy"), "spec.updateStrategy")
    yield from non_negative(spec, "revisionHistoryLimit", "spec")


def validate_daemon_set_update(obj: Object, old: Object) -> Errors:
    yield from validate_deployment_update(obj, old)
    yield from validate_daemon_set(obj)


def _daemon_strategy(strategy: Object, path: str) -> Errors:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return
    if kind != "RollingUpdate":
        yield not_supported(path, _shown_strategy(strategy), ("RollingUpdate", "OnDelete"), in_order=True)
        return
    if rolling is None:
        yield required(f"{path}.rollingUpdate")
        return
    path = f"{path}.rollingUpdate"
    unavailable, surge = rolling.get("maxUnavailable", 1), rolling.get("maxSurge", 0)
    for name, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        yield from count_or_percent(value, f"{path}.{name}", at_most_all=True)
    if _nonzero(unavailable) and _nonzero(surge):
        yield invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
    elif not _nonzero(unavailable) and not _nonzero(surge):
        yield required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def _shown_strategy(strategy: Object) -> Object:
    rolling = strategy.get("rollingUpdate")
    shown = rolling and Struct(MaxUnavailable=rolling.get("maxUnavailable", 0), MaxSurge=rolling.get("maxSurge", 0))
    return Struct(Type=strategy.get("type") or "", RollingUpdate=shown)


def validate_stateful_set(obj: Object) -> Errors:
    spec = child(obj, "spec")
    policy = spec.get("podManagementPolicy")
    if not policy:
        yield required("spec.podManagementPolicy")
    elif policy not in ("OrderedReady", "Parallel"):
        yield invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
    strategy = child(spec, "updateStrategy")
    yield from _stateful_strategy(strategy, "spec.updateStrategy")
    retention, path = child(spec, "persistentVolumeClaimRetentionPolicy"), "spec.persistentVolumeClaimRetentionPolicy"
    for name in ("whenDeleted", "whenScaled"):
        yield from one_of(retention, name, path, ("Retain", "Delete"), in_order=True)
    for name in ("replicas", "minReadySeconds"):
        yield from non_negative(spec, name, "spec")
    start = child(spec, "ordinals").get("start")
    if start is not None and start < 0:
        yield invalid("spec.ordinals.start", start, min_error(0))
    yield from _stateful_template(spec)


def _stateful_template(spec: Object) -> Errors:
    """The template is looked at as its pods will be: with the volumes of the claim templates."""
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    else:
        yield from validate_selector(selector, "spec.selector")
        if matches_nothing(selector):
            yield invalid("spec.selector", selector, "empty selector is invalid for statefulset")
    problems = [*validate_selector(selector, "spec.selector")]
    if problems:
        yield invalid("spec.selector", shown_selector(selector), "")
        return
    yield from _matching(selector, spec)
    template = child(spec, "template")
    pod = child(template, "spec")
    names = (child(claim, "metadata").get("name") or "" for claim in items(spec, "volumeClaimTemplates"))
    claims = list(dict.fromkeys(names))
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    kept = [volume for volume in items(pod, "volumes") if volume.get("name") not in claims]
    seen = {**pod, "volumes": [*volumes, *kept], "hostname": "", "subdomain": ""}  # each pod has names of its own
    yield from validate_template({**template, "spec": seen}, "spec.template")
    yield from validate_template_metadata(template, "spec.template")  # told a second time
    yield from _always_restarts(template, "StatefulSet")


def validate_stateful_set_create(obj: Object) -> Errors:
    """What old objects are not held to."""
    spec = child(obj, "spec")
    if spec.get("serviceName"):
        yield from text(spec["serviceName"], "spec.serviceName", dns1123_label)
    for index, claim in enumerate(items(spec, "volumeClaimTemplates")):
        yield from validate_claim_spec(child(claim, "spec"), f"spec.volumeClaimTemplates[{index}].spec")


def _stateful_strategy(strategy: Object, path: str) -> Errors:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    shown = rolling and Struct(Partition=rolling.get("partition", 0), MaxUnavailable=rolling.get("maxUnavailable"))
    if not kind:
        yield required(path)
    elif kind == "OnDelete":
        if rolling is not None:
            yield invalid(f"{path}.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'")
    elif kind == "RollingUpdate":
        partition = (rolling or {}).get("partition")
        if partition is not None and partition < 0:
            yield invalid(f"{path}.rollingUpdate.partition", partition, min_error(0))
    else:
        detail = "must be 'RollingUpdate' or 'OnDelete'"
        yield invalid(path, Struct(Type=kind, RollingUpdate=shown), detail)


_STATEFUL_SPEC = "k8s.io.api.apps.v1.StatefulSetSpec"
_STATEFUL_UPDATABLE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_FIELDS = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def validate_stateful_set_update(obj: Object, old: Object) -> Errors:
    def fixed(spec: Object) -> Object:
        return {name: value for name, value in spec.items() if name not in _STATEFUL_FIELDS}

    new, before = fixed(child(obj, "spec")), fixed(child(old, "spec"))
    if new != before and not same_struct(go_struct(_STATEFUL_SPEC, new), go_struct(_STATEFUL_SPEC, before)):
        yield forbidden("spec", _STATEFUL_UPDATABLE)


def validate_replication_controller(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from non_negative(spec, "minReadySeconds", "spec")
    selector: dict[str, str] = spec.get("selector") or {}
    if not selector:
        yield required("spec.selector")
    if spec.get("replicas") is None:
        yield required("spec.replicas")
    yield from non_negative(spec, "replicas", "spec")
    template = spec.get("template")
    if template is None:
        yield required("spec.template")
        return
    labels = _labels(template)
    if selector and not from_labels(selector).matches(labels):
        yield invalid("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`")
    yield from validate_template(template, "spec.template")
    yield from _always_restarts(template, "ReplicationController")


def validate_controller_revision(obj: Object) -> Errors:
    data = obj.get("data")
    if data is None:
        yield required("data", "data is mandatory")
    elif not isinstance(data, dict):
        yield required("data", "data must be a valid JSON object")
    if (obj.get("revision") or 0) < 0:
        yield invalid("revision", obj["revision"], min_error(0))


def validate_controller_revision_update(obj: Object, old: Object) -> Errors:
    """The data of any kind is compared; what it was made of was looked at then."""
    if (obj.get("revision") or 0) < 0:
        yield invalid("revision", obj["revision"], min_error(0))
    yield from immutable(obj.get("data"), old.get("data"), "data")


def _labels(template: Object) -> dict[str, str]:
    labels: dict[str, str] = child(child(template, "metadata"), "labels")
    return labels


def shown_selector(selector: Object | None) -> Object | None:
    """A LabelSelector as messages show it."""
    if selector is None:
        return None
    shown = Struct()
    if selector.get("matchLabels"):
        shown["matchLabels"] = dict(sorted(selector["matchLabels"].items()))
    expressions = []
    for one in items(selector, "matchExpressions"):
        expression = Struct(key=one.get("key") or "", operator=one.get("operator") or "")
        if one.get("values"):
            expression["values"] = one["values"]
        expressions.append(expression)
    if expressions:
        shown["matchExpressions"] = expressions
    return shown


def _matching(selector: Object | None, spec: Object) -> Errors:
    """A selector that is right selects the pods of the template; none at all selects nothing."""
    labels = _labels(child(spec, "template"))
    empty = selector is not None and matches_nothing(selector)
    if not empty and (selector is None or not from_label_selector(selector).matches(labels)):
        yield invalid("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`")


def _selector_and_template(spec: Object, kind: str) -> Errors:
    """A selector that selects something, and a template whose pods it selects."""
    selector = spec.get("selector")
    problems = []
    if selector is None:
        yield required("spec.selector")
    else:
        problems = list(validate_selector(selector, "spec.selector"))
        yield from problems
        if matches_nothing(selector):
            yield invalid("spec.selector", selector, f"empty selector is invalid for {kind}")
    if problems:
        yield invalid("spec.selector", shown_selector(selector), "invalid label selector")
        return
    yield from _matching(selector, spec)
    template = child(spec, "template")
    yield from validate_template(template, "spec.template")
    yield from _always_restarts(template)


def _always_restarts(template: Object, kind: str = "ReplicaSet") -> Errors:
    spec = child(template, "spec")
    policy = spec.get("restartPolicy")
    if policy != "Always":
        yield not_supported("spec.template.spec.restartPolicy", policy or "", ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        detail = f"activeDeadlineSeconds in {kind} is not Supported"
        yield forbidden("spec.template.spec.activeDeadlineSeconds", detail)


def _deployment_strategy(strategy: Object, path: str) -> Errors:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            yield forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif kind == "RollingUpdate":
        if rolling is None:
            yield required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")
            return
        unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
        yield from count_or_percent(unavailable, f"{path}.rollingUpdate.maxUnavailable", at_most_all=True)
        yield from count_or_percent(surge, f"{path}.rollingUpdate.maxSurge")
        if _zero(unavailable) and _zero(surge):
            yield invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
    else:
        yield not_supported(path, _shown_strategy(strategy), ("Recreate", "RollingUpdate"))


def _nonzero(value: Any) -> bool:
    """Whether it counts; a text that is neither a percentage nor a number does not."""
    if isinstance(value, str) and not intstr.is_percent(value):
        try:
            return int(value) != 0
        except ValueError:
            return False
    return value != 0 if isinstance(value, int) else bool(intstr.percent(value))


def _zero(value: Any) -> bool:
    return value == 0 or (intstr.is_percent(value) and intstr.percent(value) == 0)
