"""The records of one Service, as the Kubernetes DNS specification 1.1 lists them.

    ClusterIP   A/AAAA   SERVICE.NS.svc.ZONE                → its cluster addresses
                SRV      _PORT._PROTO.SERVICE.NS.svc.ZONE   → SERVICE.NS.svc.ZONE
                PTR      the cluster addresses              → SERVICE.NS.svc.ZONE
    headless    A/AAAA   SERVICE.NS.svc.ZONE                → every ready endpoint
                A/AAAA   HOST.SERVICE.NS.svc.ZONE           → one ready endpoint
                SRV      _PORT._PROTO.SERVICE.NS.svc.ZONE   → HOST.SERVICE.NS.svc.ZONE of each
                PTR      the endpoints                      → HOST.SERVICE.NS.svc.ZONE
    ExternalName CNAME   SERVICE.NS.svc.ZONE                → spec.externalName

HOST is the endpoint's hostname, or its address with dashes. Only named ports have SRV records.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kybern.dns.core.records import Name, Record, dotted, reverse_name
from kybern.kube import meta

Object = Mapping[str, Any]
HEADLESS = "None"
WEIGHT = 100


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One ready address of a headless service."""

    host: str
    address: str
    ports: tuple[tuple[str, str, int], ...]  # name, protocol, number


def service_records(service: Object, slices: Iterable[Object], zone: Name, ttl: int) -> list[Record]:
    """Every record that exists because of this Service, without duplicates, in a stable order."""
    spec = service.get("spec") or {}
    name = (meta.name(service), meta.namespace(service), "svc", *zone)
    if spec.get("type") == "ExternalName":
        target = spec.get("externalName") or ""
        return [Record(name, "CNAME", ttl, target.rstrip(".") + ".")] if target else []
    if spec.get("clusterIP") == HEADLESS:
        found = headless_records(name, ready_endpoints(slices), ttl)
    else:
        found = cluster_ip_records(name, spec, ttl)
    return list(dict.fromkeys(found))


def cluster_ip_records(name: Name, spec: Object, ttl: int) -> Iterator[Record]:
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP")]
    for address in addresses:
        if address and address != HEADLESS:
            yield address_record(name, address, ttl)
            yield Record(reverse_name(address), "PTR", ttl, dotted(name))
    for port in spec.get("ports") or ():
        if port.get("name"):
            service = port_name(port["name"], port.get("protocol") or "TCP", name)
            yield Record(service, "SRV", ttl, f"0 {WEIGHT} {port['port']} {dotted(name)}")


def headless_records(name: Name, endpoints: list[Endpoint], ttl: int) -> Iterator[Record]:
    counts: dict[tuple[str, str], set[tuple[str, int]]] = {}
    for endpoint in endpoints:
        host = (endpoint.host, *name)
        yield address_record(name, endpoint.address, ttl)
        yield address_record(host, endpoint.address, ttl)
        yield Record(reverse_name(endpoint.address), "PTR", ttl, dotted(host))
        for port, protocol, number in endpoint.ports:
            counts.setdefault((port, protocol), set()).add((endpoint.host, number))
    for (port, protocol), targets in counts.items():
        weight = max(WEIGHT // len(targets), 1)
        for target, number in sorted(targets):
            yield Record(port_name(port, protocol, name), "SRV", ttl, f"0 {weight} {number} {dotted((target, *name))}")


def ready_endpoints(slices: Iterable[Object]) -> list[Endpoint]:
    """Every address that serves; a condition that is not said counts as true."""
    found: dict[tuple[str, str], Endpoint] = {}
    for each in slices:
        if each.get("addressType") not in ("IPv4", "IPv6"):
            continue
        ports = tuple(
            (port["name"], port.get("protocol") or "TCP", int(port["port"]))
            for port in each.get("ports") or ()
            if port.get("name") and port.get("port")
        )
        for endpoint in each.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for address in endpoint.get("addresses") or ():
                host = (endpoint.get("hostname") or dashed(address)).lower()
                known = found.get((host, address))
                merged = ports if known is None else tuple(dict.fromkeys((*known.ports, *ports)))
                found[host, address] = Endpoint(host, address, merged)
    return sorted(found.values(), key=lambda endpoint: (endpoint.address, endpoint.host))


def address_record(name: Name, address: str, ttl: int) -> Record:
    return Record(name, "AAAA" if ":" in address else "A", ttl, str(ipaddress.ip_address(address)))


def port_name(port: str, protocol: str, name: Name) -> Name:
    return (f"_{port.lower()}", f"_{protocol.lower()}", *name)


def dashed(address: str) -> str:
    """An address as a label: 10-0-0-1, 2001-db8--1."""
    return address.replace(".", "-").replace(":", "-").lower()


def undashed(label: str) -> str | None:
    """The address that a label stands for; None if it stands for none."""
    for separator in (".", ":"):
        try:
            return str(ipaddress.ip_address(label.replace("-", separator)))
        except ValueError:
            continue
    return None
