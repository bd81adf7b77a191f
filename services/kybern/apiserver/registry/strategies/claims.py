"""Claims: what keeps two apiservers on one store from giving an address or port out twice.

A Service's cluster IPs and node ports each have a key of their own, written and deleted in the Service's own
transaction and only if nobody has it yet. A cluster IP's claim is its IPAddress object, as upstream; a node port's lies
under /registry/ranges/servicenodeports, which no resource serves. The allocators in memory are hints beside them.
"""

from typing import Any

import orjson

from kybern.apiserver.core import encoding, keys
from kybern.apiserver.registry.metadata import new_uid
from kybern.kube import meta
from kybern.store.contract import ABSENT, Delete, Put, Write

Object = dict[str, Any]
ADDRESSES = ("networking.k8s.io", "ipaddresses")
ADDRESS_PREFIX = keys.prefix(*ADDRESSES)
PORT_PREFIX = f"{keys.ROOT}ranges/servicenodeports/"
MANAGED_BY = "ipallocator.k8s.io"


def used(spec: Object) -> tuple[set[str], set[tuple[str, int]]]:
    """The addresses and node ports, with protocol, of a Service's spec."""
    given = spec.get("clusterIPs") or [spec.get("clusterIP")]  # one of old has the single member alone
    addresses = {address for address in given if address and address != "None"}
    ports = {(p.get("protocol", "TCP"), p["nodePort"]) for p in spec.get("ports") or () if p.get("nodePort")}
    if spec.get("healthCheckNodePort"):
        ports.add(("TCP", spec["healthCheckNodePort"]))
    return addresses, ports


def claims(server: Any, new: Object | None, old: Object | None) -> tuple[Write, ...]:
    """The writes that go with a Service's own: what it takes and what it gives back."""
    had, has = used((old or {}).get("spec") or {}), used((new or {}).get("spec") or {})
    writes: list[Write] = []
    if new is not None:
        metadata = new["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        owner = orjson.dumps({"namespace": namespace, "name": name})
        writes += [address_claim(server, ip, namespace, name) for ip in sorted(has[0] - had[0])]
        writes += [Put(port_key(*port), owner, ABSENT) for port in sorted(has[1] - had[1])]
    writes += [Delete(ADDRESS_PREFIX + address) for address in sorted(had[0] - has[0])]
    writes += [Delete(port_key(*port)) for port in sorted(had[1] - has[1])]
    return tuple(writes)


def address_claim(server: Any, address: str, namespace: str, name: str) -> Put:
    """The IPAddress of a cluster IP, to be created."""
    labels = {
        "ipaddress.kubernetes.io/ip-family": "IPv6" if ":" in address else "IPv4",
        "ipaddress.kubernetes.io/managed-by": MANAGED_BY,
    }
    obj = {
        "kind": "IPAddress",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {
            "name": address,
            "uid": new_uid(server.random),
            "creationTimestamp": meta.format_time(server.clock.now()),
            "labels": labels,
        },
        "spec": {"parentRef": {"resource": "services", "namespace": namespace, "name": name}},
    }
    return Put(ADDRESS_PREFIX + address, encoding.encode(obj), ABSENT)


def port_key(protocol: str, port: int) -> str:
    """Where a node port's claim is."""
    return f"{PORT_PREFIX}{protocol}/{port}"


def taken(server: Any, key: str) -> None:
    """A claim turned out to be somebody else's: do not offer it again."""
    if key.startswith(ADDRESS_PREFIX):
        server.addresses.taken.add(key.removeprefix(ADDRESS_PREFIX))
    elif key.startswith(PORT_PREFIX):
        protocol, _, port = key.removeprefix(PORT_PREFIX).partition("/")
        server.node_ports.taken.add((protocol, int(port)))
