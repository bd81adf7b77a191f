"""PodDisruptionBudget, PriorityClass, Lease, RuntimeClass, HorizontalPodAutoscaler, CertificateSigningRequest."""

from kybern.kube.field import forbidden, invalid, not_supported, required
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    count_or_percent,
    immutable,
    items,
    required_text,
    same,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import dns1123_label, min_error, path_segment

_HIGHEST_USER_PRIORITY = 1_000_000_000


def validate_budget(obj: Object) -> Errors:
    spec = child(obj, "spec")
    low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
    if low is not None and high is not None:
        yield invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name, value in (("minAvailable", low), ("maxUnavailable", high)):
        if value is not None:
            yield from count_or_percent(value, f"spec.{name}", at_most_all=True)
    yield from validate_selector(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in ("AlwaysAllow", "IfHealthyBudget"):
        yield not_supported("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))


_SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def validate_priority_class(obj: Object) -> Errors:
    name, value = child(obj, "metadata").get("name") or "", obj.get("value") or 0
    if name.startswith("system-"):
        if _SYSTEM_CLASSES.get(name) != value or obj.get("globalDefault"):
            reserved = "priority class names with 'system-' prefix are reserved for system use only. error: "
            detail = f"{reserved}{name} is not a known system priority class"
            yield forbidden("metadata.name", detail)
    elif value > _HIGHEST_USER_PRIORITY:
        yield forbidden("value", f"maximum allowed value of a user defined priority is {_HIGHEST_USER_PRIORITY}")
    if obj.get("preemptionPolicy") and obj["preemptionPolicy"] not in ("Never", "PreemptLowerPriority"):
        yield not_supported("preemptionPolicy", obj["preemptionPolicy"], ("Never", "PreemptLowerPriority"))


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


def validate_runtime_class(obj: Object) -> Errors:
    for problem in dns1123_label(obj.get("handler") or ""):
        yield invalid("handler", obj.get("handler") or "", problem)


def validate_runtime_class_update(obj: Object, old: Object) -> Errors:
    yield from immutable(obj.get("handler"), old.get("handler"), "handler")


def validate_autoscaler(obj: Object) -> Errors:
    """HorizontalPodAutoscaler in autoscaling/v2 form."""
    spec = child(obj, "spec")
    low, high = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if low is not None and low < 1:
        yield invalid("spec.minReplicas", low, min_error(1))
    if high < 1:
        yield invalid("spec.maxReplicas", high, "must be greater than 0")
    if low is not None and high < low:
        yield invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    target = child(spec, "scaleTargetRef")
    for name in ("kind", "name"):
        yield from required_text(target, name, "spec.scaleTargetRef", path_segment)
    percent_target = spec.get("targetCPUUtilizationPercentage")
    if percent_target is not None and percent_target < 1:
        yield invalid("spec.targetCPUUtilizationPercentage", percent_target, "must be greater than 0")
    for index, metric in enumerate(items(spec, "metrics")):
        yield from _metric(metric, f"spec.metrics[{index}]")


_METRICS = {"ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
            "Resource": "resource"}  # fmt: skip


def _metric(metric: Object, path: str) -> Errors:
    kind = metric.get("type") or ""
    if not kind:
        yield required(f"{path}.type", "must specify a metric source type")
        return
    if kind not in _METRICS:
        yield not_supported(f"{path}.type", kind, _METRICS)
        return
    source = metric.get(_METRICS[kind])
    if source is None:
        yield required(f"{path}.{_METRICS[kind]}", "must populate information for the given metric source")
        return
    at = f"{path}.{_METRICS[kind]}"
    if kind in ("Resource", "ContainerResource") and not source.get("name"):
        yield required(f"{at}.name", "must specify a resource name")
    target = child(source, "target")
    if target.get("type") not in ("Utilization", "Value", "AverageValue"):
        yield invalid(
            f"{at}.target.type", target.get("type") or "", "must be either Utilization, Value, or AverageValue"
        )
    amounts = [target.get(name) is not None for name in ("averageUtilization", "averageValue", "value")]
    if not any(amounts):
        yield required(f"{at}.target", "must specify a target value")
    if (target.get("averageUtilization") or 1) < 1:
        yield invalid(f"{at}.target.averageUtilization", target["averageUtilization"], "must be greater than 0")


def validate_signing_request(obj: Object) -> Errors:
    spec = child(obj, "spec")
    if not spec.get("request"):
        yield invalid("spec.request", "", "PEM block type must be CERTIFICATE REQUEST")
    if not items(spec, "usages"):
        yield required("spec.usages", "usages must contain at least one value")
    signer = spec.get("signerName") or ""
    if not signer:
        yield required("spec.signerName")
    elif signer.count("/") != 1 or "" in signer.split("/"):
        yield invalid(
            "spec.signerName", signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        )
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < 600:
        yield invalid(
            "spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)"
        )


def validate_signing_request_update(obj: Object, old: Object) -> Errors:
    if not same(obj.get("spec"), old.get("spec")):
        yield from immutable(obj.get("spec"), old.get("spec"), "spec")
