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
_CONDITION = ("type", "status", "lastTransitionTime", "reason", "message")
_REFERENCE = ("kind", "name", "apiVersion")
_RULES = ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")
_POLICY = ("type", "value", "periodSeconds")
# The members of v1's metrics, as its structs have them; AMOUNT is `target` in a spec and `current` in a status.
_ORDER = {
    "object": ("target", "metricName", "AMOUNTValue", "selector", "averageValue"),
    "pods": ("metricName", "AMOUNTAverageValue", "selector"),
    "resource": ("name", "AMOUNTAverageUtilization", "AMOUNTAverageValue"),
    "containerResource": ("name", "AMOUNTAverageUtilization", "AMOUNTAverageValue", "container"),
    "external": ("metricName", "metricSelector", "AMOUNTValue", "AMOUNTAverageValue"),
}
# Amounts that v1 cannot leave out.
_ALWAYS: dict[tuple[str, str], Object] = {
    ("pods", "target"): {"averageValue": "0"},
    ("object", "target"): {"value": "0"},
    ("resource", "current"): {"averageValue": "0"},
    ("containerResource", "current"): {"averageValue": "0"},
    ("pods", "current"): {"averageValue": "0"},
    ("object", "current"): {"value": "0"},
    ("external", "current"): {"value": "0"},
}


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
    _note(annotations, _BEHAVIOR, _go_behavior(spec.pop("behavior", None)))
    if "desiredReplicas" in status:
        status.setdefault("currentReplicas", 0)
    seen = status.pop("currentMetrics", None) or ()
    for metric in seen:
        current = _cpu_utilization(metric, "current")
        if current is not None:
            status["currentCPUUtilizationPercentage"] = current
    _note(annotations, _CURRENT, [_old_metric(metric, "current", _CURRENT_AMOUNTS) for metric in seen])
    _note(annotations, _CONDITIONS, [_in_order(one, _CONDITION) for one in status.pop("conditions", None) or ()])
    return _assemble(obj, spec, status, annotations)


def v1_to_v2(obj: Object) -> Object:
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    annotations = dict((obj.get("metadata") or {}).get("annotations") or {})
    metrics = [_new_metric(metric, "target", _AMOUNTS) for metric in _noted(annotations, _METRICS) or ()]
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        spec["metrics"] = metrics
    if behavior := _noted(annotations, _BEHAVIOR):
        spec["behavior"] = _read_behavior(behavior)
    if not status.get("currentReplicas"):
        status.pop("currentReplicas", None)
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
    """A v2 metric in v1's flat form, with the members in the order of v1's structs."""
    kind = _KINDS.get(metric.get("type", ""), "")
    source = metric.get(kind) or {}
    flat: Object = {key: source[key] for key in ("name", "container") if key in source}
    if "describedObject" in source:
        flat["target"] = _in_order(source["describedObject"], _REFERENCE)
    identifier = source.get("metric") or {}
    if "name" in identifier:
        flat["metricName"] = identifier["name"]
    if "selector" in identifier:
        flat["metricSelector" if kind == "external" else "selector"] = _selector(identifier["selector"])
    given = {**_ALWAYS.get((kind, amounts), {}), **(source.get(amounts) or {})}
    flat.update((_object_amount(kind, names[key]), value) for key, value in given.items() if key in names)
    ordered = (member.replace("AMOUNT", amounts) for member in _ORDER.get(kind, ()))
    return {"type": metric.get("type"), kind: {member: flat[member] for member in ordered if member in flat}}


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
        if kind == "object" and "averageValue" in given and given.get("value") == "0":
            del given["value"]
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


def _in_order(given: Object, members: tuple[str, ...]) -> Object:
    return {name: given[name] for name in members if name in given}


def _selector(selector: Object) -> Object:
    shown = _in_order(selector, ("matchLabels", "matchExpressions"))
    if expressions := shown.get("matchExpressions"):
        shown["matchExpressions"] = [_in_order(one, ("key", "operator", "values")) for one in expressions]
    return shown


def _go_behavior(behavior: Object | None) -> Object | None:
    """A behavior under the names of Go's internal type, which has no others."""
    if behavior is None:
        return None
    return {_go_name(direction): _go_rules(behavior.get(direction)) for direction in ("scaleUp", "scaleDown")}


def _go_rules(rules: Object | None) -> Object | None:
    if rules is None:
        return None
    shown = {_go_name(member): rules.get(member) for member in _RULES}
    if shown["Policies"] is not None:
        policies = shown["Policies"]
        shown["Policies"] = [{_go_name(member): policy.get(member) for member in _POLICY} for policy in policies]
    return shown


def _read_behavior(behavior: Object) -> Object:
    """The other way; as Go reads JSON, whatever the case of the names."""
    made: Object = {}
    for direction in ("scaleUp", "scaleDown"):
        rules = _members(_any_case(behavior, direction), _RULES)
        if rules is not None:
            if "policies" in rules:
                rules["policies"] = [_members(policy, _POLICY) for policy in rules["policies"]]
            made[direction] = rules
    return made


def _members(value: Any, members: tuple[str, ...]) -> Object | None:
    if not isinstance(value, dict):
        return None
    found = {member: _any_case(value, member) for member in members}
    return {member: item for member, item in found.items() if item is not None}


def _any_case(value: Any, member: str) -> Any:
    return value.get(member, value.get(_go_name(member))) if isinstance(value, dict) else None


def _go_name(member: str) -> str:
    return member[0].upper() + member[1:]


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
