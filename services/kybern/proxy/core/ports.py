"""A Service and its EndpointSlices as ports with endpoints, as seen from one node."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
SERVICE_NAME = "kubernetes.io/service-name"
PROXY_NAME = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
PROTOCOLS = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
AFFINITY_SECONDS = 10800  # default of sessionAffinityConfig.clientIP.timeoutSeconds


@dataclass(frozen=True, order=True)
class Endpoint:
    """One address that serves a port."""

    ip: str
    port: int
    local: bool = False  # it runs on this node


@dataclass(frozen=True)
class ServicePort:
    """One port of one Service with everything that rules are made of. IPv4 addresses only."""

    service: str  # namespace/name
    name: str  # of the port, may be empty
    protocol: str  # tcp, udp, sctp
    port: int
    cluster_ips: tuple[str, ...]
    external_ips: tuple[str, ...]  # externalIPs and load balancer addresses
    node_port: int
    affinity_seconds: int  # 0: no session affinity
    internal_local: bool  # internalTrafficPolicy: Local
    external_local: bool  # externalTrafficPolicy: Local
    endpoints: tuple[Endpoint, ...]
    serving: frozenset[tuple[str, int]] = frozenset()  # all that serve, those that terminate among them

    @property
    def local_endpoints(self) -> tuple[Endpoint, ...]:
        """Those on this node."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint.local)


def is_ipv4(address: str) -> bool:
    """Whether an address belongs into the IPv4 tables."""
    return ":" not in address and address.count(".") == 3


def is_ready(endpoint: Object) -> bool:
    """Whether an endpoint of a slice is ready; one that does not say is."""
    return (endpoint.get("conditions") or {}).get("ready") is not False


def is_followed(endpoint_slice: Object) -> bool:
    """Whether a slice is this proxy's business: IPv4, and not marked as another's or as a headless Service's."""
    labels = endpoint_slice.get("metadata", {}).get("labels") or {}
    marked = PROXY_NAME in labels or HEADLESS_LABEL in labels
    return endpoint_slice.get("addressType", "IPv4") == "IPv4" and not marked


def wants_proxy(service: Object) -> bool:
    """Whether a Service has virtual addresses that this proxy serves."""
    spec, labels = service.get("spec", {}), service["metadata"].get("labels") or {}
    if PROXY_NAME in labels or spec.get("type") == "ExternalName":
        return False
    return spec.get("clusterIP", "None") not in ("None", "")


def compute_service_ports(service: Object, slices: Iterable[Object], node_name: str) -> list[ServicePort]:
    """The ports of a Service as this node sees them; empty for headless and ExternalName Services."""
    if not wants_proxy(service):
        return []
    spec = service["spec"]
    slices = [s for s in slices if is_followed(s)]
    ingress = (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or []
    outside = [*(spec.get("externalIPs") or []), *(i["ip"] for i in ingress if i.get("ip"))]
    affinity = 0
    if spec.get("sessionAffinity") == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        affinity = client.get("timeoutSeconds") or AFFINITY_SECONDS
    exposed = spec.get("type") in ("NodePort", "LoadBalancer") or bool(outside)
    metadata = service["metadata"]
    return [
        ServicePort(
            service=f"{metadata['namespace']}/{metadata['name']}",
            name=port.get("name", ""),
            protocol=PROTOCOLS.get(port.get("protocol", "TCP"), "tcp"),
            port=port["port"],
            cluster_ips=tuple(ip for ip in spec.get("clusterIPs") or [spec["clusterIP"]] if is_ipv4(ip)),
            external_ips=tuple(sorted({ip for ip in outside if is_ipv4(ip)})),
            node_port=port.get("nodePort", 0),
            affinity_seconds=affinity,
            internal_local=spec.get("internalTrafficPolicy") == "Local",
            external_local=exposed and spec.get("externalTrafficPolicy") == "Local",
            endpoints=tuple(sorted(ready or terminating)),
            serving=frozenset((endpoint.ip, endpoint.port) for endpoint in ready | terminating),
        )
        for port in spec.get("ports") or []
        for ready, terminating in [
            select_endpoints(slices, port.get("name", ""), port.get("protocol", "TCP"), node_name)
        ]
    ]


def select_endpoints(
    slices: Iterable[Object], port_name: str, protocol: str, node: str
) -> tuple[set[Endpoint], set[Endpoint]]:
    """The endpoints of one port that are ready, and those that serve while they terminate: used when none is ready."""
    ready: set[Endpoint] = set()
    terminating: set[Endpoint] = set()
    for endpoint_slice in slices:
        for port in endpoint_slice.get("ports") or []:
            if (port.get("name") or "") != port_name or port.get("protocol", "TCP") != protocol or not port.get("port"):
                continue
            for endpoint in endpoint_slice.get("endpoints") or []:
                conditions = endpoint.get("conditions") or {}
                found = Endpoint(endpoint["addresses"][0], port["port"], endpoint.get("nodeName") == node)
                if is_ready(endpoint):
                    ready.add(found)
                elif conditions.get("serving") and conditions.get("terminating"):
                    terminating.add(found)
    return ready, terminating
