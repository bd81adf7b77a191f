"""What spans on a pod's way say about the pod."""

from kybern.scheduler.core.pod import Pod


def pod_attributes(pod: Pod) -> dict[str, str]:
    return {
        "k8s.namespace.name": pod.namespace,
        "k8s.resource": "pods",
        "k8s.object.name": pod.name,
        "k8s.pod.name": pod.name,
    }
