"""Quota scopes: which objects of its kind a quota is about."""

from typing import Any

from kybern.kube.defaults.create import qos_class
from kybern.kube.selectors import SelectorError, from_label_selector

Object = dict[str, Any]
Requirement = dict[str, Any]  # scopeName, operator, values


def requirements(quota: Object) -> list[Requirement]:
    """Everything that must hold of an object: spec.scopes and spec.scopeSelector together."""
    spec = quota.get("spec") or {}
    listed = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    return [*listed, *((spec.get("scopeSelector") or {}).get("matchExpressions") or ())]


def no_scope(requirement: Requirement, obj: Object) -> bool:
    """Most kinds lie in no scope at all."""
    return False


def pod_scope(requirement: Requirement, pod: Object) -> bool:
    """Whether a pod lies in a scope."""
    spec = pod.get("spec") or {}
    match requirement.get("scopeName"):
        case "Terminating":
            return ends(spec)
        case "NotTerminating":
            return not ends(spec)
        case "BestEffort":
            return qos_class(pod) == "BestEffort"
        case "NotBestEffort":
            return qos_class(pod) != "BestEffort"
        case "PriorityClass":
            return _selects(requirement, spec.get("priorityClassName") or "")
        case "CrossNamespacePodAffinity":
            return _looks_elsewhere(spec.get("affinity") or {})
    return False


def claim_scope(requirement: Requirement, claim: Object) -> bool:
    """Whether a PersistentVolumeClaim lies in a scope: those of its attributes classes, wanted, tried and present."""
    if requirement.get("scopeName") != "VolumeAttributesClass":
        return False
    return any(_selects(requirement, name) for name in attributes_classes(claim) or [""])


def attributes_classes(claim: Object) -> list[str]:
    """The VolumeAttributesClasses that a claim wants, has and is being given."""
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    wanted = spec.get("volumeAttributesClassName")
    present = status.get("currentVolumeAttributesClassName")
    tried = (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    return [name for name in (wanted, present, tried) if name]


def ends(spec: Object) -> bool:
    """Whether a pod ends of itself, after a time."""
    seconds = spec.get("activeDeadlineSeconds")
    return seconds is not None and seconds >= 0


def _selects(requirement: Requirement, value: str) -> bool:
    """Whether a requirement selects an object by one value; "" is none."""
    if requirement.get("operator") == "Exists":
        return bool(value)
    expression = {"key": "value", "operator": requirement.get("operator"), "values": requirement.get("values") or []}
    try:
        selector = from_label_selector({"matchExpressions": [expression]})
    except SelectorError:
        return False
    return selector.matches({"value": value} if value else {})


def _looks_elsewhere(affinity: Object) -> bool:
    """Whether a pod's affinity is about pods of other namespaces."""
    for member in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(member) or {}
        terms = [*(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())]
        preferred = rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [weighted.get("podAffinityTerm") or {} for weighted in preferred]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False
