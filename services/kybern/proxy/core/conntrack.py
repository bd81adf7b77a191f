"""UDP flows that the kernel still sends to endpoints that no longer serve. Pure.

A flow is remembered with the address it was rewritten to, and UDP has no end that the kernel could see: a client that
keeps its port would be sent to a pod that is gone for as long as it keeps sending.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kybern.proxy.core.ports import ServicePort

Target = tuple[str, int]  # address, port


@dataclass(frozen=True, order=True)
class Flow:
    """One UDP flow: who sends to whom, and who answers."""

    source: Target
    destination: Target
    answers: Target


@dataclass(frozen=True)
class Frontends:
    """Where Services are reached over UDP, and which endpoints serve there; those without endpoints are left alone."""

    addresses: dict[Target, frozenset[Target]] = field(default_factory=dict)
    node_ports: dict[int, frozenset[Target]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.addresses)


def compute_frontends(ports: Iterable[ServicePort]) -> Frontends:
    """The UDP frontends of some ports. Traffic policies do not matter: flows that work are not cut off."""
    found = Frontends()
    for port in ports:
        if port.protocol != "udp" or not port.serving:
            continue
        for address in (*port.cluster_ips, *port.external_ips):
            found.addresses[address, port.port] = port.serving
        if port.node_port:
            found.node_ports[port.node_port] = port.serving
    return found


def stale_flows(flows: Iterable[Flow], frontends: Frontends) -> list[Flow]:
    """The flows to a frontend whose answers do not come from one of its endpoints."""
    stale = []
    for flow in flows:
        serving = frontends.addresses.get(flow.destination)
        if serving is None:
            serving = frontends.node_ports.get(flow.destination[1])
        if serving is not None and flow.answers not in serving:
            stale.append(flow)
    return stale
