"""What upstream's strategies set when an object is created, and never again."""

from kybern.kube.defaults.rules import Object, child
from kybern.kube.schema import ResourceInfo

# Kinds whose metadata.generation counts changes of spec.
GENERATION_KINDS = frozenset(
    {
        "CronJob", "CSIDriver", "CustomResourceDefinition", "DaemonSet", "Deployment", "EndpointSlice", "FlowSchema",
        "Ingress", "IngressClass", "Job", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration", "NetworkPolicy", "Pod", "PodDisruptionBudget", "PriorityClass",
        "PriorityLevelConfiguration", "ReplicaSet", "ReplicationController", "ResourceSlice", "StatefulSet",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
    }
)  # fmt: skip


def apply_create_defaults(info: ResourceInfo, obj: Object) -> None:
    """Namespace: Active and guarded by the `kubernetes` finalizer; Pod: Pending; generation 1 where it is counted."""
    if info.kind in GENERATION_KINDS:
        child(obj, "metadata")["generation"] = 1
    if info.gvk == ("", "v1", "Namespace"):
        finalizers = child(obj, "spec").get("finalizers") or []
        obj["spec"]["finalizers"] = [*finalizers, *(["kubernetes"] if "kubernetes" not in finalizers else [])]
        obj["status"] = {"phase": "Active"}
    elif info.gvk == ("", "v1", "Pod"):
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj)}


def qos_class(pod: Object) -> str:
    """Guaranteed when all cpu and memory limits equal the requests, BestEffort without any, else Burstable."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    owners = [spec] if spec.get("resources") else containers
    pairs = []
    for owner in owners:
        resources = owner.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        pairs += [(requests.get(name), limits.get(name)) for name in ("cpu", "memory")]
    if all(_none(request) and _none(limit) for request, limit in pairs):
        return "BestEffort"
    if all(not _none(limit) and request in (None, limit) for request, limit in pairs):
        return "Guaranteed"
    return "Burstable"


def _none(amount: str | None) -> bool:
    return amount in (None, "0")
