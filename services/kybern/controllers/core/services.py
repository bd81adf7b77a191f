"""Services and the pods behind them, as both endpoints controllers see them."""

from datetime import datetime

from kybern.controllers.core import pods
from kybern.kube import meta
from kybern.kube.meta import Object

HEADLESS_LABEL = "service.kubernetes.io/headless"
LAST_CHANGE_TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"


def has_selector(service: Object) -> bool:
    """Whether its endpoints are found by a controller at all."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def is_headless(service: Object) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def is_reachable(pod: Object, *, include_terminating: bool) -> bool:
    """It has an address, has not ended, and is not on its way out (unless those count too)."""
    if pods.is_terminal(pod) or not pod_ips(pod):
        return False
    return include_terminating or not meta.is_deleting(pod)


def pod_ips(pod: Object) -> list[str]:
    """All addresses of a pod, the primary one first."""
    status: Object = pod.get("status") or {}
    found = [entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip")]
    return found or ([status["podIP"]] if status.get("podIP") else [])


def ip_family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


def find_port(pod: Object, service_port: Object) -> int | None:
    """The pod's port behind a Service's port: a number as it is, a name by the containers' ports of its protocol."""
    target = service_port.get("targetPort")
    if target is None or target == 0 or target == "":
        return int(service_port["port"])
    if isinstance(target, int):
        return target
    spec: Object = pod.get("spec") or {}
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == service_port.get("protocol", "TCP"):
                return int(port["containerPort"])
    return None


def hostname(pod: Object, service: Object) -> str:
    """The pod's name in the Service's domain; "" if it has none there."""
    spec: Object = pod.get("spec") or {}
    if spec.get("hostname") and spec.get("subdomain") == meta.name(service):
        return str(spec["hostname"])
    return ""


def target_reference(pod: Object) -> Object:
    return {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)}


def last_change(service: Object, behind: list[Object]) -> datetime | None:
    """The newest time at which the Service or a pod's readiness changed."""
    times = [meta.creation_timestamp(service)]
    for pod in behind:
        condition = pods.ready_condition(pod)
        times.append(meta.parse_time((condition or {}).get("lastTransitionTime")))
        times.append(meta.deletion_timestamp(pod))
    return max((time for time in times if time is not None), default=None)


def concerns_endpoints(old: Object, new: Object) -> bool:
    """Whether a pod's change can change anybody's endpoints."""
    return _endpoint_facts(old) != _endpoint_facts(new)


def _endpoint_facts(pod: Object) -> tuple[object, ...]:
    spec: Object = pod.get("spec") or {}
    return (
        meta.uid(pod),
        meta.is_deleting(pod),
        meta.labels(pod),
        pods.is_ready(pod),
        pods.phase(pod),
        pod_ips(pod),
        spec.get("nodeName"),
        spec.get("hostname"),
        spec.get("subdomain"),
    )
