"""What upstream's strategies set when an object is created, and never again."""

import copy

from kybern.kube import quantity
from kybern.kube.defaults.rules import Object, child
from kybern.kube.schema import ResourceInfo

# Kinds whose metadata.generation counts changes of spec.
GENERATION_KINDS = frozenset(
    {
        "CronJob", "CSIDriver", "CustomResourceDefinition", "DaemonSet", "Deployment", "DeviceClass",
        "EndpointSlice", "FlowSchema",
        "Ingress", "IngressClass", "Job", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration", "NetworkPolicy", "Pod", "PodDisruptionBudget", "PodTemplate", "PriorityClass",
        "PriorityLevelConfiguration", "ReplicaSet", "ReplicationController", "ResourceSlice", "StatefulSet",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
    }
)  # fmt: skip


# What a status says before anyone has written one: the counts and parts that are always there.
INITIAL_STATUS: dict[tuple[str, str], Object] = {
    ("", "Namespace"): {"phase": "Active"},
    ("", "PersistentVolume"): {"phase": "Pending"},
    ("", "PersistentVolumeClaim"): {"phase": "Pending"},
    ("", "ReplicationController"): {"replicas": 0},
    ("", "ResourceQuota"): {},
    ("", "Service"): {"loadBalancer": {}},
    ("apps", "DaemonSet"): {
        "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0,
    },
    ("apps", "Deployment"): {},
    ("apps", "ReplicaSet"): {"replicas": 0},
    ("apps", "StatefulSet"): {"availableReplicas": 0, "replicas": 0},
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): {},
    ("autoscaling", "HorizontalPodAutoscaler"): {"currentMetrics": None, "desiredReplicas": 0},
    ("batch", "CronJob"): {},
    ("batch", "Job"): {},
    ("certificates.k8s.io", "CertificateSigningRequest"): {},
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): {},
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): {},
    ("networking.k8s.io", "Ingress"): {"loadBalancer": {}},
    ("networking.k8s.io", "ServiceCIDR"): {},
    ("policy", "PodDisruptionBudget"): {
        "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
    },
    ("resource.k8s.io", "ResourceClaim"): {},
    ("storage.k8s.io", "VolumeAttachment"): {"attached": False},
}  # fmt: skip


def apply_create_defaults(info: ResourceInfo, obj: Object) -> None:
    """The first status of a kind, generation 1 where counted, the finalizer of a Namespace, the selector of a Job."""
    if info.kind in GENERATION_KINDS and info.kind != "CSIDriver":  # which counts from its first change on
        child(obj, "metadata")["generation"] = 1
    key = (info.group, info.kind)
    if key in INITIAL_STATUS:
        obj["status"] = copy.deepcopy(INITIAL_STATUS[key])
    if key == ("", "Namespace"):
        finalizers = child(obj, "spec").get("finalizers") or []
        obj["spec"]["finalizers"] = [*finalizers, *(["kubernetes"] if "kubernetes" not in finalizers else [])]
    elif key == ("", "Pod"):
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj)}
    elif key == ("batch", "Job"):
        _select_own_pods(obj)


def _select_own_pods(job: Object) -> None:
    """A Job's pods carry its uid, and its selector asks for that; `metadata.uid` is set before this."""
    spec, metadata = child(job, "spec"), child(job, "metadata")
    uid, name = metadata.get("uid"), metadata.get("name")
    if spec.get("manualSelector") or not uid:
        return
    labels = child(child(child(spec, "template"), "metadata"), "labels")
    for prefix in ("", "batch.kubernetes.io/"):
        labels.setdefault(f"{prefix}controller-uid", uid)
        if name:
            labels.setdefault(f"{prefix}job-name", name)
    if spec.get("selector") is None:
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


def qos_class(pod: Object) -> str:
    """Guaranteed when all cpu and memory limits equal the requests, BestEffort without any, else Burstable."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    owners = [spec] if spec.get("resources") is not None else containers
    pairs = []
    for owner in owners:
        resources = owner.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        pairs += [(requests.get(name), limits.get(name)) for name in ("cpu", "memory")]
    if all(_none(request) and _none(limit) for request, limit in pairs):
        return "BestEffort"
    if all(not _none(limit) and _equal(request, limit) for request, limit in pairs):
        return "Guaranteed"
    return "Burstable"


def _equal(request: str | None, limit: str | None) -> bool:
    if request is None or limit is None or request == limit:
        return limit is not None
    return quantity.parse(request) == quantity.parse(limit)


def _none(amount: str | None) -> bool:
    if amount is None or amount[0] in "123456789":
        return amount is None
    return quantity.parse(amount) <= quantity.ZERO
