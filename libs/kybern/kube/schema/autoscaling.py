"""HorizontalPodAutoscaler v1 and v2: v1 knows one CPU target; what it cannot say travels in annotations as JSON."""

from typing import Any

import orjson

Object = dict[str, Any]

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _CURRENT, _CONDITIONS, _BEHAVIOR = (
    _PREFIX + name for name in ("metrics", "current-metrics", "conditions", "behavior")
)
# v2 metric source → (how v1 names the metric, how v1 names the target amounts)
_AMOUNTS = {
    "averageUtilization": "targetAverageUtilization",
    "averageValue": "targetAverageValue",
    "value": "targetValue",
}
_KINDS = {"Resource": "resource", "ContainerResource": "containerResource", "Pods": "pods", "Object": "object",
          "External": "external"}  # fmt: skip
_CURRENT_AMOUNTS = {"averageUtilization": "currentAverageUtilization", "averageValue": "currentAverageValue",
                    "value": "currentValue"}  # fmt: skip


def v2_to_v1(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict((obj.get("metadata") or {}).get("annotations") or {})
    rest = []
    for metric in spec.pop("metrics", None) or ():
        target = _cpu_utilization(metric)
        if target is not None and "targetCPUUtilizationPercentage" not in spec:
            spec["targetCPUUtilizationPercentage"] = target
        else:
            rest.append(_old_metric(metric, "target", _AMOUNTS))
    _note(annotations, _METRICS, rest)
    _note(annotations, _BEHAVIOR, spec.pop("behavior", None))
    seen = status.pop("currentMetrics", None) or ()
    for metric in seen:
        current = _cpu_utilization(metric, "current")
        if current is not None:
            status["currentCPUUtilizationPercentage"] = current
    _note(annotations, _CURRENT, [_old_metric(metric, "current", _CURRENT_AMOUNTS) for metric in seen])
    _note(annotations, _CONDITIONS, status.pop("conditions", None))
    return _assemble(obj, spec, status, annotations)


def v1_to_v2(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict((obj.get("metadata") or {}).get("annotations") or {})
    metrics = [_new_metric(metric, "target", _AMOUNTS) for metric in _noted(annotations, _METRICS) or ()]
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        spec["metrics"] = metrics
    if behavior := _noted(annotations, _BEHAVIOR):
        spec["behavior"] = behavior
    percent = status.pop("currentCPUUtilizationPercentage", None)
    current = [_new_metric(metric, "current", _CURRENT_AMOUNTS) for metric in _noted(annotations, _CURRENT) or ()]
    if not current and percent is not None:
        current = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": percent}}}]
    if current:
        status["currentMetrics"] = current
    if conditions := _noted(annotations, _CONDITIONS):
        status["conditions"] = conditions
    return _assemble(obj, spec, status, annotations)


def _cpu_utilization(metric: Object, amounts: str = "target") -> int | None:
    source = metric.get("resource") or {}
    if metric.get("type") != "Resource" or source.get("name") != "cpu":
        return None
    percent: int | None = (source.get(amounts) or {}).get("averageUtilization")
    return percent


def _old_metric(metric: Object, amounts: str, names: dict[str, str]) -> Object:
    """A v2 metric in v1's flat form."""
    kind = _KINDS.get(metric.get("type", ""), "")
    source = metric.get(kind) or {}
    flat: Object = {key: source[key] for key in ("name", "container") if key in source}
    if "describedObject" in source:
        flat["target"] = source["describedObject"]
    identifier = source.get("metric") or {}
    if "name" in identifier:
        flat["metricName"] = identifier["name"]
    if "selector" in identifier:
        flat["metricSelector" if kind == "external" else "selector"] = identifier["selector"]
    given = source.get(amounts) or {}
    flat.update((_object_amount(kind, names[key]), value) for key, value in given.items() if key in names)
    return {"type": metric.get("type"), kind: flat}


def _new_metric(metric: Object, amounts: str, names: dict[str, str]) -> Object:
    """A v1 metric from its annotation, in v2's form."""
    kind = _KINDS.get(metric.get("type", ""), "")
    flat = metric.get(kind) or {}
    source: Object = {key: flat[key] for key in ("name", "container") if key in flat}
    if "target" in flat:
        source["describedObject"] = flat["target"]
    if "metricName" in flat:
        source["metric"] = {"name": flat["metricName"]}
        selector = flat.get("metricSelector" if kind == "external" else "selector")
        if selector is not None:
            source["metric"]["selector"] = selector
    given = {new: flat[old] for new, name in names.items() if (old := _object_amount(kind, name)) in flat}
    if amounts == "target":
        given = {"type": _target_type(given), **given}
    source[amounts] = given
    return {"type": metric.get("type"), kind: source}


def _object_amount(kind: str, name: str) -> str:
    """v1's object metrics call their average plainly `averageValue`."""
    return "averageValue" if kind == "object" and name.endswith("AverageValue") else name


def _target_type(given: Object) -> str:
    if "averageUtilization" in given:
        return "Utilization"
    return "AverageValue" if "averageValue" in given else "Value"


def _note(annotations: dict[str, str], key: str, value: Any) -> None:
    annotations.pop(key, None)
    if value:
        annotations[key] = orjson.dumps(value).decode()


def _noted(annotations: dict[str, str], key: str) -> Any:
    text = annotations.pop(key, None)
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _assemble(obj: Object, spec: Object, status: Object, annotations: dict[str, str]) -> Object:
    metadata = {**(obj.get("metadata") or {}), "annotations": annotations}
    if not annotations:
        del metadata["annotations"]
    out = {**obj, "metadata": metadata, "spec": spec}
    if status or "status" in obj:
        out["status"] = status
    return out
