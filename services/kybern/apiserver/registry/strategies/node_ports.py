"""Node ports of Services, and the ports that load balancers ask for health: kept, chosen, given back on failure."""

from collections.abc import Callable
from functools import partial
from typing import Any

from kybern.apiserver.core.allocator import AllocationError
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object
from kybern.kube.field import invalid as field_invalid
from kybern.kube.status import StatusError, internal, invalid

WITH_PORTS = ("NodePort", "LoadBalancer")
Undo = list[Callable[[], None]]


def take_node_ports(request: Request, new: Object, spec: Object, before: Object, undo: Undo) -> None:
    """Fill nodePort of each port, and healthCheckNodePort. Raises StatusError (422, 500)."""
    ports = request.server.node_ports
    had = {port_key(p): p["nodePort"] for p in before.get("ports") or () if p.get("nodePort")}
    owned = {(p.get("protocol", "TCP"), p["nodePort"]) for p in before.get("ports") or () if p.get("nodePort")}
    wants = spec.get("type") in WITH_PORTS and not (
        spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False
    )
    chosen: set[tuple[str, int]] = set()
    same: dict[int, int] = {}  # port number → node port: TCP and UDP of one port share it
    for index, port in enumerate(spec.get("ports") or ()):
        protocol = port.get("protocol", "TCP")
        if spec.get("type") not in WITH_PORTS:
            continue  # a number that is left over from another type is gone already, any other is invalid
        number = port.get("nodePort") or (had.get(port_key(port)) if wants else 0) or 0
        shared = same.get(port.get("port", 0), 0)
        if number and (protocol, number) in owned:
            port["nodePort"] = number
        elif not number and (protocol, shared) in chosen:
            port["nodePort"] = shared  # one port twice, of which validation will speak
        elif number or wants:
            try:
                number = _take(ports, protocol, number or shared, request)
            except AllocationError as error:
                raise wrong_value(new, f"spec.ports[{index}].nodePort", port.get("nodePort", 0), str(error)) from None
            undo.append(partial(ports.release, protocol, number))
            port["nodePort"] = number
        if port.get("nodePort"):
            same[port.get("port", 0)] = port["nodePort"]
            chosen.add((protocol, port["nodePort"]))
    if spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
        _health_port(request, new, spec, before, undo)


def _health_port(request: Request, new: Object, spec: Object, before: Object, undo: Undo) -> None:
    """The port at which load balancers ask a node whether it has endpoints."""
    ports, had = request.server.node_ports, before.get("healthCheckNodePort")
    number = spec.get("healthCheckNodePort") or had or 0
    if not had or not needs_health_port(before):  # another one than it had is refused
        try:
            number = _take(ports, "TCP", number, request)
        except AllocationError as error:
            raise internal(f"failed to allocate requested HealthCheck NodePort {number}: {error}") from None
        undo.append(partial(ports.release, "TCP", number))
    spec["healthCheckNodePort"] = number


def _take(ports: Any, protocol: str, number: int, request: Request) -> int:
    if not number:
        return int(ports.next(protocol, request.server.random))
    if request.dry_run and not ports.low <= number <= ports.high:
        return number
    ports.take(protocol, number)
    return number


def port_key(port: Object) -> tuple[Any, ...]:
    return port.get("protocol", "TCP"), port.get("port"), port.get("name")


def needs_health_port(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def wrong_value(new: Object, path: str, value: Any, why: str) -> StatusError:
    return invalid("", "Service", new["metadata"].get("name", ""), [field_invalid(path, value, why)])
