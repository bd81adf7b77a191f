"""HorizontalPodAutoscaler, in autoscaling/v2 form: what is scaled, how far, by which metrics and how fast."""

from typing import Any

from kybern.kube import quantity
from kybern.kube.field import forbidden, invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, items, non_negative, required_text, text
from kybern.kube.validation.names import dns1123_label, min_error, path_segment
from kybern.kube.validation.resources import container_resource_name

_SELECT_POLICIES = ("Disabled", "Max", "Min")
_POLICIES = ("Percent", "Pods")
_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800
_TARGETS = ("Utilization", "Value", "AverageValue")
# The member that each type of metric is described by. Of several that are given, the first in _CHECKED is looked at.
_MEMBERS = {"ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
            "Resource": "resource"}  # fmt: skip
_CHECKED = ("object", "external", "pods", "resource", "containerResource")


def validate_autoscaler(obj: Object) -> Errors:
    spec = child(obj, "spec")
    low, high = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if low is not None and low < 1:
        yield invalid("spec.minReplicas", low, min_error(1))
    if high == 0:
        yield required("spec.maxReplicas", "must be set and greater than 0")
    elif high < 1:
        yield invalid("spec.maxReplicas", high, min_error(1))
    if low is not None and high < low:
        yield invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    yield from _target_ref(child(spec, "scaleTargetRef"), "spec.scaleTargetRef", needs_group=True)
    for index, metric in enumerate(items(spec, "metrics")):
        yield from _metric(metric, f"spec.metrics[{index}]")
    if low == 0 and not any(metric.get("type") in ("Object", "External") for metric in items(spec, "metrics")):
        detail = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield forbidden("spec.metrics", detail)
    for direction in ("scaleUp", "scaleDown"):
        rules = child(spec, "behavior").get(direction)
        if rules is not None:
            yield from _scaling_rules(rules, f"spec.behavior.{direction}")


def validate_autoscaler_status(obj: Object, old: Object) -> Errors:
    """A write of the status."""
    for name in ("currentReplicas", "desiredReplicas"):
        yield from non_negative(child(obj, "status"), name, "status")


def _target_ref(ref: Object, path: str, *, needs_group: bool) -> Errors:
    for name in ("kind", "name"):
        yield from required_text(ref, name, path, path_segment)
    version = ref.get("apiVersion") or ""
    if not needs_group:
        return
    if version.count("/") > 1:
        yield invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    elif not version.rpartition("/")[0] and ref.get("kind") != "ReplicationController":
        yield invalid(f"{path}.apiVersion", version, "apiVersion must specify API group")


def _metric(metric: Object, path: str) -> Errors:
    kind = metric.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
    if kind not in _MEMBERS:
        yield not_supported(f"{path}.type", kind, _MEMBERS)
    given = [member for member in _CHECKED if metric.get(member) is not None]
    if given:
        yield from _SOURCES[given[0]](metric[given[0]], f"{path}.{given[0]}")
    expected = _MEMBERS.get(kind, "")
    if not expected:
        yield not_supported(f"{path}.type", kind, _MEMBERS)
    elif expected not in given:
        yield required(f"{path}.{expected}", "must populate information for the given metric source")
    for member in given:
        if member != expected and len(given) > 1:
            yield forbidden(f"{path}.{member}", "must populate the given metric source only")


def _object(source: Object, path: str) -> Errors:
    yield from _target_ref(child(source, "describedObject"), f"{path}.describedObject", needs_group=False)
    yield from _identifier(source, path)
    yield from _target(child(source, "target"), f"{path}.target")
    if not _given(source, "value") and not _given(source, "averageValue"):
        yield required(f"{path}.target.averageValue", "must set either a target value or averageValue")


def _external(source: Object, path: str) -> Errors:
    yield from _identifier(source, path)
    yield from _target(child(source, "target"), f"{path}.target")
    if not _given(source, "value") and not _given(source, "averageValue"):
        detail = "must set either a target value for metric or a per-pod target"
        yield required(f"{path}.target.averageValue", detail)
    if _given(source, "value") and _given(source, "averageValue"):
        detail = "may not set both a target value for metric and a per-pod target"
        yield forbidden(f"{path}.target.value", detail)


def _pods(source: Object, path: str) -> Errors:
    yield from _identifier(source, path)
    yield from _target(child(source, "target"), f"{path}.target")
    if not _given(source, "averageValue"):
        yield required(f"{path}.target.averageValue", "must specify a positive target averageValue")


def _resource(source: Object, path: str) -> Errors:
    if not source.get("name"):
        yield required(f"{path}.name", "must specify a resource name")
    yield from _resource_target(source, path)


def _container_resource(source: Object, path: str) -> Errors:
    name, container = source.get("name") or "", source.get("container") or ""
    if not name:
        yield required(f"{path}.name", "must specify a resource name")
    else:
        yield from container_resource_name(name, f"{path}.name")
    if not container:
        yield required(f"{path}.container", "must specify a container")
    else:
        yield from text(container, f"{path}.container", dns1123_label)
    yield from _resource_target(source, path)


def _resource_target(source: Object, path: str) -> Errors:
    yield from _target(child(source, "target"), f"{path}.target")
    if not _given(source, "averageUtilization") and not _given(source, "averageValue"):
        detail = "must set either a target raw value or a target utilization"
        yield required(f"{path}.target.averageUtilization", detail)
    if _given(source, "averageUtilization") and _given(source, "averageValue"):
        detail = "may not set both a target raw value and a target utilization"
        yield forbidden(f"{path}.target.averageValue", detail)


_SOURCES = {
    "object": _object,
    "external": _external,
    "pods": _pods,
    "resource": _resource,
    "containerResource": _container_resource,
}


def _given(source: Object, amount: str) -> bool:
    return child(source, "target").get(amount) is not None


def _identifier(source: Object, path: str) -> Errors:
    at = f"{path}.metric"
    yield from required_text(child(source, "metric"), "name", at, path_segment, detail="must specify a metric name")


def _target(target: Object, path: str) -> Errors:
    kind = target.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must specify a metric target type")
    if kind not in _TARGETS:
        yield invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        if target.get(name) is not None and quantity.parse(target[name]).nanos <= 0:
            yield invalid(f"{path}.{name}", target[name], "must be positive")
    percent = target.get("averageUtilization")
    if percent is not None and percent < 1:
        yield invalid(f"{path}.averageUtilization", percent, "must be greater than 0")


def _scaling_rules(rules: Object, path: str) -> Errors:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None:
        at = f"{path}.stabilizationWindowSeconds"
        yield from _between(window, at, 0, _LONGEST_WINDOW, "must be greater than or equal to zero")
    chosen = rules.get("selectPolicy")
    if chosen is not None and chosen not in _SELECT_POLICIES:
        yield not_supported(f"{path}.selectPolicy", chosen, _SELECT_POLICIES)
    policies = items(rules, "policies")
    if not policies:
        yield required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(policies):
        at = f"{path}.policies[{index}]"
        if policy.get("type") not in _POLICIES:
            yield not_supported(f"{at}.type", policy.get("type") or "", _POLICIES)
        value, period = policy.get("value") or 0, policy.get("periodSeconds") or 0
        if value <= 0:
            yield invalid(f"{at}.value", value, "must be greater than zero")
        yield from _between(period, f"{at}.periodSeconds", 1, _LONGEST_PERIOD, "must be greater than zero")
    tolerance = rules.get("tolerance")
    if tolerance is not None and quantity.parse(tolerance).nanos < 0:
        yield invalid(f"{path}.tolerance", tolerance, min_error(0))


def _between(value: Any, path: str, low: int, high: int, too_low: str) -> Errors:
    if value < low:
        yield invalid(path, value, too_low)
    if value > high:
        yield invalid(path, value, f"must be less than or equal to {high}")
