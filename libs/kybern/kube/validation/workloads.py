"""Deployment, ReplicaSet, DaemonSet, ReplicationController, ControllerRevision, PodTemplate."""

from typing import Any

from kybern.kube import intstr
from kybern.kube.field import Struct, forbidden, invalid, not_supported, required
from kybern.kube.selectors import from_label_selector, from_labels
from kybern.kube.validation.fields import (
    IMMUTABLE,
    Errors,
    Object,
    child,
    count_or_percent,
    items,
    non_negative,
    same,
)  # fmt: skip
from kybern.kube.validation.metadata import matches_nothing, validate_selector
from kybern.kube.validation.names import min_error
from kybern.kube.validation.pod import validate_template


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
        yield from matching(selector, spec)
    if selector is not None and matches_nothing(selector):
        yield invalid("spec.selector", selector, "empty selector is invalid for daemonset")
    template = child(spec, "template")
    yield from validate_template(template, "spec.template")
    yield from always_restarts(template)
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
    yield from always_restarts(template, "ReplicationController")


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
    if obj.get("data") != old.get("data"):
        yield invalid("data", obj.get("data"), IMMUTABLE)


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


def matching(selector: Object | None, spec: Object) -> Errors:
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
    yield from matching(selector, spec)
    template = child(spec, "template")
    yield from validate_template(template, "spec.template")
    yield from always_restarts(template)


def always_restarts(template: Object, kind: str = "ReplicaSet") -> Errors:
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
