"""Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController, ControllerRevision, PodTemplate."""

from typing import Any

from kybern.kube import intstr
from kybern.kube.field import forbidden, invalid, not_supported, required
from kybern.kube.selectors import from_label_selector, from_labels
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    count_or_percent,
    immutable,
    non_negative,
    one_of,
    same,
)  # fmt: skip
from kybern.kube.validation.metadata import matches_nothing, validate_selector
from kybern.kube.validation.names import min_error
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
    yield from immutable(child(obj, "spec").get("selector"), child(old, "spec").get("selector"), "spec.selector")


def validate_replica_set(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from non_negative(spec, "replicas", "spec")
    yield from non_negative(spec, "minReadySeconds", "spec")
    yield from _selector_and_template(spec, "replica set")


def validate_daemon_set(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from _selector_and_template(spec, "daemon set")
    yield from non_negative(spec, "minReadySeconds", "spec")
    yield from non_negative(spec, "revisionHistoryLimit", "spec")
    strategy = child(spec, "updateStrategy")
    yield from one_of(strategy, "type", "spec.updateStrategy", ("OnDelete", "RollingUpdate"), must=True)
    rolling, path = strategy.get("rollingUpdate"), "spec.updateStrategy.rollingUpdate"
    if strategy.get("type") == "RollingUpdate" and rolling is not None:
        unavailable, surge = rolling.get("maxUnavailable", 1), rolling.get("maxSurge", 0)
        for name, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
            yield from count_or_percent(value, f"{path}.{name}", at_most_all=True)
        if _zero(unavailable) and _zero(surge):
            yield required(f"{path}.maxUnavailable", "cannot be 0 when `maxSurge` is 0")
        elif not _zero(unavailable) and not _zero(surge):
            yield invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")


def validate_stateful_set(obj: Object) -> Errors:
    spec = child(obj, "spec")
    policy = spec.get("podManagementPolicy")
    if not policy:
        yield required("spec.podManagementPolicy")
    elif policy not in ("OrderedReady", "Parallel"):
        yield invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
    strategy = child(spec, "updateStrategy")
    yield from _stateful_strategy(strategy, "spec.updateStrategy")
    retention = child(spec, "persistentVolumeClaimRetentionPolicy")
    for name in ("whenDeleted", "whenScaled"):
        yield from one_of(retention, name, "spec.persistentVolumeClaimRetentionPolicy", ("Retain", "Delete"))
    for name in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        yield from non_negative(spec, name, "spec")
    start = child(spec, "ordinals").get("start")
    if start is not None and start < 0:
        yield invalid("spec.ordinals.start", start, min_error(0))
    yield from _selector_and_template(spec, "statefulset")


def _stateful_strategy(strategy: Object, path: str) -> Errors:
    kind = strategy.get("type")
    rolling = strategy.get("rollingUpdate")
    if not kind:
        yield required(path)
    elif kind == "OnDelete":
        if rolling is not None:
            yield invalid(f"{path}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")
    elif kind == "RollingUpdate":
        partition = (rolling or {}).get("partition")
        if partition is not None and partition < 0:
            yield invalid(f"{path}.rollingUpdate.partition", partition, min_error(0))
    else:
        yield invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")


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

    if not same(fixed(child(obj, "spec")), fixed(child(old, "spec"))):
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
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from validate_template(template, "spec.template")
    yield from _always_restarts(template)


def validate_controller_revision(obj: Object) -> Errors:
    if obj.get("data") is None:
        yield required("data", "data is mandatory")
    if (obj.get("revision") or 0) < 0:
        yield invalid("revision", obj["revision"], min_error(0))


def validate_controller_revision_update(obj: Object, old: Object) -> Errors:
    yield from immutable(obj.get("data"), old.get("data"), "data")


def _labels(template: Object) -> dict[str, str]:
    labels: dict[str, str] = child(child(template, "metadata"), "labels")
    return labels


def _selector_and_template(spec: Object, kind: str) -> Errors:
    """A selector that selects something, and a template whose pods it selects.

    The pods of a StatefulSet get volumes that their template does not have, so only its metadata is checked.
    """
    selector = spec.get("selector")
    usable = False
    if selector is None:
        yield required("spec.selector")
    else:
        problems = list(validate_selector(selector, "spec.selector"))
        yield from problems
        if matches_nothing(selector):
            yield invalid("spec.selector", selector, f"empty selector is invalid for {kind}")
        usable = not problems
    template = spec.get("template")
    if template is None:
        yield required("spec.template")
        return
    if usable and not matches_nothing(selector or {}) and not from_label_selector(selector).matches(_labels(template)):
        detail = "`selector` does not match template `labels`"
        yield invalid("spec.template.metadata.labels", _labels(template), detail)
    check = validate_template_metadata if kind == "statefulset" else validate_template
    yield from check(template, "spec.template")
    yield from _always_restarts(template)


def _always_restarts(template: Object) -> Errors:
    spec = child(template, "spec")
    policy = spec.get("restartPolicy")
    if policy != "Always":
        yield not_supported("spec.template.spec.restartPolicy", policy or "", ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        detail = "activeDeadlineSeconds in ReplicaSet is not Supported"
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
        yield not_supported(f"{path}.type", kind or "", ("Recreate", "RollingUpdate"))


def _zero(value: Any) -> bool:
    return value == 0 or (intstr.is_percent(value) and intstr.percent(value) == 0)
