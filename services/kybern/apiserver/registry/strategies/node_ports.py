"""Node ports of Services, and the ports that load balancers ask for health: kept, chosen, given back on failure."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from kybern.apiserver.core.allocator import ALREADY_ALLOCATED, AllocationError, PortAllocator
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object
from kybern.kube.field import invalid as field_invalid
from kybern.kube.status import StatusError, internal, invalid, status_error

WITH_PORTS = ("NodePort", "LoadBalancer")
Undo = list[Callable[[], None]]


class _Taken:
    """The numbers that one request takes; a number belongs to one Service, whatever its protocol."""

    def __init__(self, request: Request, undo: Undo) -> None:
        self._request, self._undo = request, undo
        self._ports: PortAllocator = request.server.node_ports
        self.numbers: set[int] = set()

    def take(self, protocol: str, number: int) -> int:
        """This number, or any if it is 0. Raises AllocationError."""
        ports, wanted = self._ports, number
        if number in self.numbers:
            raise AllocationError(ALREADY_ALLOCATED)
        if not number:
            number = ports.next(protocol, self._request.server.random)
        elif not self._request.dry_run or ports.low <= number <= ports.high:
            ports.take(protocol, number)
        self._request.server.node_ports_given.add("static" if wanted else "dynamic")
        self._undo.append(partial(ports.release, protocol, number))
        self.numbers.add(number)
        return number

    def share(self, protocol: str, number: int) -> None:
        """One more protocol of a number that the Service has."""
        if self._ports.share(protocol, number):
            self._undo.append(partial(self._ports.release, protocol, number))


def take_node_ports(request: Request, new: Object, old: Object | None, spec: Object, undo: Undo) -> None:
    """Fill nodePort of each port, and healthCheckNodePort. Raises StatusError (400, 422, 500)."""
    if spec.get("type") not in WITH_PORTS:
        return  # a number that is left over from another type is gone already, any other is invalid
    kind, taken, before = spec["type"], _Taken(request, undo), (old or {}).get("spec") or {}
    wants = kind == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False
    if old is None:
        _take_first(new, spec, taken, wants=wants)
    else:
        _take_further(new, spec, before, taken, wants=wants)
    if needs_health_port(spec):
        _health_port(new, spec, before, taken)


def _take_first(new: Object, spec: Object, taken: _Taken, *, wants: bool) -> None:
    """Of a new Service: TCP and UDP of one port share a number."""
    ports = spec.get("ports") or ()
    same: dict[int, int] = {}  # port → node port
    for index, port in enumerate(ports):
        protocol, given, number = port.get("protocol", "TCP"), port.get("nodePort") or 0, port.get("port", 0)
        if not given and not wants:
            continue
        shared = same.get(number, 0)
        if shared and given in (0, shared):
            taken.share(protocol, shared)
            port["nodePort"] = shared
            continue
        asked = given if shared else _asked(ports, number)
        port["nodePort"] = _take(new, index, taken, protocol, asked)
        same.setdefault(number, port["nodePort"])


def _asked(ports: Sequence[Object], number: int) -> int:
    """The node port that a Service asks for at a port of its own."""
    found = (port["nodePort"] for port in ports if port.get("port", 0) == number and port.get("nodePort"))
    return int(next(found, 0))


def _take_further(new: Object, spec: Object, before: Object, taken: _Taken, *, wants: bool) -> None:
    """Of a Service that has had ports: what it has it keeps."""
    had = {port.get("name"): port["nodePort"] for port in before.get("ports") or () if port.get("nodePort")}
    named = {port.get("nodePort") for port in spec.get("ports") or ()}
    owned, chosen = set(had.values()), set[tuple[str, int]]()
    for index, port in enumerate(spec.get("ports") or ()):
        protocol = port.get("protocol", "TCP")
        before_it = had.get(port.get("name"), 0) if wants else 0
        number = port.get("nodePort") or (before_it if before_it not in named else 0)
        if not number and not wants:
            continue
        if number in owned or number in taken.numbers:
            taken.share(protocol, number)
            port["nodePort"] = number
        else:
            port["nodePort"] = _take(new, index, taken, protocol, number)
        if (protocol, port["nodePort"]) in chosen:
            raise status_error(400, "", f"duplicate nodePort: {{{protocol} {port['nodePort']}}}")
        chosen.add((protocol, port["nodePort"]))


def _take(new: Object, index: int, taken: _Taken, protocol: str, number: int) -> int:
    try:
        return taken.take(protocol, number)
    except AllocationError as error:
        raise wrong_value(new, f"spec.ports[{index}].nodePort", number, str(error)) from None


def _health_port(new: Object, spec: Object, before: Object, taken: _Taken) -> None:
    """The port at which load balancers ask a node whether it has endpoints."""
    had = before.get("healthCheckNodePort")
    number = spec.get("healthCheckNodePort") or had or 0
    if not had or not needs_health_port(before):  # another one than it had is refused
        try:
            number = taken.take("TCP", number)
        except AllocationError as error:
            raise internal(f"failed to allocate requested HealthCheck NodePort {number}: {error}") from None
    spec["healthCheckNodePort"] = number


def port_key(port: Object) -> tuple[Any, ...]:
    return port.get("protocol", "TCP"), port.get("port"), port.get("name")


def needs_health_port(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def wrong_value(new: Object, path: str, value: Any, why: str) -> StatusError:
    return invalid("", "Service", new["metadata"].get("name", ""), [field_invalid(path, value, why)])
