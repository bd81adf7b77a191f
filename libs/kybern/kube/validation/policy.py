"""PodDisruptionBudget, PriorityClass, Lease, RuntimeClass."""

from kybern.kube.field import Struct, duplicate, forbidden, invalid, not_supported, required
from kybern.kube.validation.conditions import validate_conditions
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    count_or_percent,
    immutable,
    items,
    non_negative,
    same,
    text,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_labels, validate_selector
from kybern.kube.validation.names import dns1123_label
from kybern.kube.validation.resources import validate_overhead
from kybern.kube.validation.scheduling import validate_tolerations

_HIGHEST_USER_PRIORITY = 1_000_000_000


_BUDGET = ("MinAvailable", "Selector", "MaxUnavailable", "UnhealthyPodEvictionPolicy")


def validate_budget(obj: Object) -> Errors:
    spec = child(obj, "spec")
    low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
    if low is not None and high is not None:
        shown = Struct({name: spec.get(name[0].lower() + name[1:]) for name in _BUDGET})
        yield invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set")
    for name, value in (("minAvailable", low), ("maxUnavailable", high)):
        if value is not None:
            yield from count_or_percent(value, f"spec.{name}", at_most_all=True)
    yield from validate_selector(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in ("AlwaysAllow", "IfHealthyBudget"):
        yield not_supported("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))


def validate_budget_status(obj: Object, old: Object) -> Errors:
    """A write of the status: no negative counts, complete conditions."""
    status = child(obj, "status")
    yield from validate_conditions(items(status, "conditions"), "status.conditions")
    for name in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        yield from non_negative(status, name, "status")


_SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


_PREEMPTION = ("PreemptLowerPriority", "Never")


def validate_priority_class(obj: Object) -> Errors:
    name, value = child(obj, "metadata").get("name") or "", obj.get("value") or 0
    if name.startswith("system-"):
        if _SYSTEM_CLASSES.get(name) != value or obj.get("globalDefault"):
            reserved = "priority class names with 'system-' prefix are reserved for system use only. error: "
            detail = f"{reserved}{name} is not a known system priority class"
            yield forbidden("metadata.name", detail)
    elif value > _HIGHEST_USER_PRIORITY:
        yield forbidden("value", f"maximum allowed value of a user defined priority is {_HIGHEST_USER_PRIORITY}")
    policy = obj.get("preemptionPolicy")
    if policy == "":
        yield required("preemptionPolicy")
    elif policy is not None and policy not in _PREEMPTION:
        yield not_supported("preemptionPolicy", policy, _PREEMPTION, in_order=True)


def validate_priority_class_update(obj: Object, old: Object) -> Errors:
    if (obj.get("value") or 0) != (old.get("value") or 0):
        yield forbidden("value", "may not be changed in an update.")
    yield from immutable(obj.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy")


def validate_lease(obj: Object) -> Errors:
    spec = child(obj, "spec")
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    transitions = spec.get("leaseTransitions")
    if transitions is not None and transitions < 0:
        yield invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")
    if spec.get("preferredHolder") and not spec.get("strategy"):
        yield forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined")


_TOLERATION = (("Key", ""), ("Operator", ""), ("Value", ""), ("Effect", ""), ("TolerationSeconds", None))


def validate_runtime_class(obj: Object) -> Errors:
    handler, overhead, scheduling = obj.get("handler") or "", child(obj, "overhead"), child(obj, "scheduling")
    if not handler:
        yield required("handler")
    else:
        yield from text(handler, "handler", dns1123_label)
    yield from validate_overhead(child(overhead, "podFixed"), "overhead")
    yield from validate_labels(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
    yield from validate_tolerations(items(scheduling, "tolerations"), "scheduling.tolerations")
    for index, toleration in enumerate(items(scheduling, "tolerations")):
        if any(same(toleration, other) for other in items(scheduling, "tolerations")[:index]):
            shown = Struct({name: toleration.get(name[0].lower() + name[1:], empty) for name, empty in _TOLERATION})
            yield duplicate(f"scheduling.tolerations[{index}]", shown)


def validate_runtime_class_update(obj: Object, old: Object) -> Errors:
    yield from immutable(obj.get("handler") or "", old.get("handler"), "handler")
