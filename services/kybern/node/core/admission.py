"""Whether a node takes a pod that has been bound to it: somebody may have bound it without asking the scheduler."""

from collections.abc import Iterable

from kybern.kube.meta import Object
from kybern.kube.quantity import ZERO, Quantity, from_int, parse
from kybern.kube.quota.amounts import Amounts, add
from kybern.kube.quota.pods import pod_amounts

OS_LABEL = "kubernetes.io/os"
ANY_ADDRESS = ("", "0.0.0.0")
PORTS = ("NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports")


def decide_admission(pod: Object, others: Iterable[Object], node: Object) -> tuple[str, str] | None:
    """(reason, message) of a refusal; None for a pod that fits beside the others, which have not ended."""
    if refused := unsupported(pod, node):
        return refused
    others = list(others)
    taken = [port for other in others for port in host_ports(other)]
    if any(conflict(port, other) for port in host_ports(pod) for other in taken):
        return PORTS
    return lacking(pod, others, (node.get("status") or {}).get("allocatable") or {})


def unsupported(pod: Object, node: Object) -> tuple[str, str] | None:
    """What the node cannot do at all: another operating system, and groups that its runtime does not leave out."""
    spec = pod["spec"]
    if (spec.get("nodeSelector") or {}).get(OS_LABEL, "linux") != "linux":
        message = f"Failed to admit pod as the `{OS_LABEL}` label doesn't match node label"
        return "PodOSSelectorNodeLabelDoesNotMatch", message
    if (spec.get("os") or {}).get("name", "linux") != "linux":
        return "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"
    strict = (spec.get("securityContext") or {}).get("supplementalGroupsPolicy") == "Strict"
    if strict and not ((node.get("status") or {}).get("features") or {}).get("supplementalGroupsPolicy"):
        message = "SupplementalGroupsPolicy=Strict is not supported in this node"
        return "SupplementalGroupsPolicyNotSupported", message
    return None


def host_ports(pod: Object) -> list[tuple[str, str, int]]:
    """(protocol, address, port) of the node that a pod wants for itself."""
    spec = pod["spec"]
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    return [
        (port.get("protocol") or "TCP", port.get("hostIP") or "", port["hostPort"])
        for container in [*spec["containers"], *sidecars]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    ]


def conflict(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    """The same port and protocol, on the same address or on all."""
    same = (one[0], one[2]) == (other[0], other[2])
    return same and (one[1] == other[1] or one[1] in ANY_ADDRESS or other[1] in ANY_ADDRESS)


def lacking(pod: Object, others: list[Object], allocatable: Object) -> tuple[str, str] | None:
    """The first resource that the node has not enough of; what the node does not list is not looked at."""
    used: Amounts = {"pods": from_int(len(others))}
    for other in others:
        used = add(used, pod_amounts(other, "requests"))
    for name, amount in {"pods": from_int(1), **pod_amounts(pod, "requests")}.items():
        have, capacity = used.get(name, ZERO), parse(allocatable.get(name, 0))
        if name in allocatable and amount and have + amount > capacity:
            numbers = f"requested: {shown(name, amount)}, used: {shown(name, have)}, capacity: {shown(name, capacity)}"
            return f"OutOf{name}", f"Node didn't have enough resource: {name}, {numbers}"
    return None


def shown(name: str, amount: Quantity) -> int:
    """CPU in thousandths, all else in units."""
    return amount.milli_value() if name == "cpu" else amount.value()
