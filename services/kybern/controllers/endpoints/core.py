"""From a Service and its pods to the subsets of its Endpoints."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kybern.controllers.core import pods as podlib
from kybern.controllers.core.services import (
    HEADLESS_LABEL,
    LAST_CHANGE_TRIGGER_TIME,
    find_port,
    hostname,
    ip_family,
    is_headless,
    is_reachable,
    last_change,
    pod_ips,
    target_reference,
)
from kybern.kube import meta
from kybern.kube.meta import Object

MAX_ADDRESSES = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
MANAGED_BY = "endpoint-controller"

Port = tuple[str, int, str, str]  # name, number, protocol, appProtocol
Address = tuple[str, bool]  # ip, ready


@dataclass(frozen=True)
class Subsets:
    """`truncated`: there were more than 1000 addresses, and some are left out, those not ready first."""

    subsets: list[Object]
    truncated: bool


def compute_subsets(service: Object, behind: Iterable[Object]) -> Subsets:
    """Ports that the same addresses serve share a subset, in a stable order."""
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    family = (service["spec"].get("ipFamilies") or ["IPv4"])[0]
    described: dict[Address, Object] = {}
    by_port: dict[Port | None, set[Address]] = {}
    for pod in behind:
        ip = next((ip for ip in pod_ips(pod) if ip_family(ip) == family), None)
        if ip is None or not is_reachable(pod, include_terminating=always):
            continue
        address = (ip, always or podlib.is_ready(pod))
        described[address] = _address(service, pod, ip)
        for port in _ports(service, pod):
            by_port.setdefault(port, set()).add(address)
    kept = set(sorted(described, key=lambda address: (not address[1], address[0]))[:MAX_ADDRESSES])
    groups: dict[frozenset[Address], list[Port]] = {}
    for found, addresses in by_port.items():
        ports = groups.setdefault(frozenset(addresses & kept), [])
        if found is not None:
            ports.append(found)
    subsets = [_subset(addresses, ports, described) for addresses, ports in groups.items() if addresses]
    return Subsets(sorted(subsets, key=str), len(kept) < len(described))


def _ports(service: Object, pod: Object) -> list[Port | None]:
    service_ports = service["spec"].get("ports") or []
    if not service_ports:
        return [None] if is_headless(service) else []
    ports: list[Port | None] = []
    for port in service_ports:
        number = find_port(pod, port)
        if number is not None:
            ports.append((port.get("name", ""), number, port.get("protocol", "TCP"), port.get("appProtocol", "")))
    return ports


def _address(service: Object, pod: Object, ip: str) -> Object:
    address: Object = {"ip": ip, "targetRef": target_reference(pod)}
    if podlib.node_name(pod):
        address["nodeName"] = podlib.node_name(pod)
    if hostname(pod, service):
        address["hostname"] = hostname(pod, service)
    return address


def _subset(addresses: Iterable[Address], ports: Sequence[Port], described: dict[Address, Object]) -> Object:
    ordered = sorted(addresses)
    ready = [described[address] for address in ordered if address[1]]
    not_ready = [described[address] for address in ordered if not address[1]]
    subset: Object = {}
    if ready:
        subset["addresses"] = ready
    if not_ready:
        subset["notReadyAddresses"] = not_ready
    if ports:
        subset["ports"] = [_port(port) for port in sorted(ports)]
    return subset


def _port(port: Port) -> Object:
    name, number, protocol, app_protocol = port
    found: Object = {"name": name} if name else {}
    found |= {"port": number, "protocol": protocol}
    return {**found, "appProtocol": app_protocol} if app_protocol else found


def compute_endpoints(service: Object, behind: Sequence[Object], current: Object | None) -> Object | None:
    """The Endpoints to write; None when they are right already."""
    result = compute_subsets(service, behind)
    labels = {**meta.labels(service), MANAGED_BY_LABEL: MANAGED_BY}
    labels.pop(HEADLESS_LABEL, None)
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    annotations = dict(meta.annotations(current)) if current is not None else {}
    annotations.pop(OVER_CAPACITY, None)
    if result.truncated:
        annotations[OVER_CAPACITY] = "truncated"
    if current is not None:
        unchanged = (current.get("subsets") or []) == result.subsets and meta.labels(current) == labels
        if unchanged and meta.annotations(current) == annotations:
            return None
    time = last_change(service, [*behind])
    if time is not None:
        annotations[LAST_CHANGE_TRIGGER_TIME] = meta.format_time(time)
    metadata: Object = {"name": meta.name(service), "namespace": meta.namespace(service)}
    if current is not None:
        metadata = {**current["metadata"]}
    metadata["labels"] = labels
    metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": result.subsets}
