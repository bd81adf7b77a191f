"""The rules of one Service as a fragment: chains, and elements of shared sets and maps.

The fixed part of the table (`BASE`) looks a packet up once, in a map of (address, protocol, port), whatever the number
of Services. See the README for a packet's way through it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, collapse_addresses

from kybern.proxy.core.ports import Endpoint, Object, ServicePort

TABLE = "kybern-proxy"
MASQUERADE = "0x4000"  # bit of the packet mark: masquerade in postrouting

SERVICE_IPS, NODE_PORTS, HAIRPIN, CLUSTER_IPS = "service-ips", "service-nodeports", "hairpin", "cluster-ips"
SERVICE_CIDRS = "service-cidrs"
NO_ENDPOINTS, NO_ENDPOINT_NODE_PORTS = "no-endpoint-services", "no-endpoint-nodeports"


@dataclass(frozen=True)
class Fragment:
    """What one Service adds to the table."""

    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)  # name → rules
    elements: frozenset[tuple[str, str]] = frozenset()  # (set or map, element as nft writes it)
    sets: dict[str, str] = field(default_factory=dict)  # sets of its own → definition


def base(cluster_cidr: str) -> str:
    """The fixed part of the table, as nft commands; `cluster_cidr` is the pod network."""
    t = f"ip {TABLE}"
    address, port = "ip daddr . meta l4proto . th dport", "meta l4proto . th dport"
    local = "fib daddr type local ip daddr != 127.0.0.0/8"
    verdict = "type ipv4_addr . inet_proto . inet_service : verdict;"
    lines = [
        f"add map {t} {SERVICE_IPS} {{ {verdict} }}",
        f"add map {t} {NO_ENDPOINTS} {{ {verdict} }}",
        f"add map {t} {NODE_PORTS} {{ type inet_proto . inet_service : verdict; }}",
        f"add map {t} {NO_ENDPOINT_NODE_PORTS} {{ type inet_proto . inet_service : verdict; }}",
        f"add set {t} {CLUSTER_IPS} {{ type ipv4_addr; }}",
        f"add set {t} {SERVICE_CIDRS} {{ type ipv4_addr; flags interval; }}",
        f"add set {t} {HAIRPIN} {{ type ipv4_addr . ipv4_addr; }}",
        f"add chain {t} mark-masquerade",
        f"add rule {t} mark-masquerade meta mark set meta mark or {MASQUERADE}",
        f"add chain {t} reject-it",
        f"add rule {t} reject-it reject",
        f"add chain {t} drop-it",
        f"add rule {t} drop-it drop",
        f"add chain {t} services",
        f"add rule {t} services ip saddr != {cluster_cidr} ip daddr @{CLUSTER_IPS} jump mark-masquerade",
        f"add rule {t} services {address} vmap @{SERVICE_IPS}",
        f"add rule {t} services {local} {port} vmap @{NODE_PORTS}",
        f"add chain {t} nat-prerouting {{ type nat hook prerouting priority dstnat; }}",
        f"add rule {t} nat-prerouting jump services",
        f"add chain {t} nat-output {{ type nat hook output priority -100; }}",
        f"add rule {t} nat-output jump services",
        f"add chain {t} nat-postrouting {{ type nat hook postrouting priority srcnat; }}",
        f"add rule {t} nat-postrouting meta mark and {MASQUERADE} != 0 "
        f"meta mark set meta mark xor {MASQUERADE} masquerade fully-random",
        f"add rule {t} nat-postrouting ip saddr . ip daddr @{HAIRPIN} masquerade fully-random",
        f"add chain {t} refuse",
        f"add rule {t} refuse {address} vmap @{NO_ENDPOINTS}",
        f"add rule {t} refuse {local} {port} vmap @{NO_ENDPOINT_NODE_PORTS}",
        f"add rule {t} refuse ip daddr @{CLUSTER_IPS} reject",
        f"add rule {t} refuse ip daddr @{SERVICE_CIDRS} drop",
    ]
    for hook in ("input", "forward", "output"):
        lines.append(f"add chain {t} filter-{hook} {{ type filter hook {hook} priority filter; }}")
        lines.append(f"add rule {t} filter-{hook} ct state new jump refuse")
    return "\n".join(lines) + "\n"


def cidr_fragment(service_cidrs: Iterable[Object]) -> Fragment:
    """Where cluster IPs come from: packets to those that no Service has do not leave the node."""
    networks = {cidr for one in service_cidrs for cidr in (one.get("spec") or {}).get("cidrs") or () if ":" not in cidr}
    merged = collapse_addresses(IPv4Network(cidr) for cidr in networks)
    return Fragment(elements=frozenset((SERVICE_CIDRS, str(network)) for network in merged))


def chain_name(port: ServicePort, kind: str, more: str = "") -> str:
    """A stable name that says what it is for, within nft's 128 bytes."""
    text = f"{port.service}/{port.protocol}/{port.name or port.port}{more}"
    digest = hashlib.sha256(f"{kind}{text}".encode()).hexdigest()[:8]
    readable = text.replace("/", "_")[:90]
    return f"{kind}-{digest}-{readable}"


def compute_fragment(ports: Iterable[ServicePort]) -> Fragment:
    """The rules of all ports of one Service."""
    fragment = Fragment()
    elements: set[tuple[str, str]] = set()
    for port in ports:
        elements.update((CLUSTER_IPS, ip) for ip in port.cluster_ips)
        elements.update((HAIRPIN, f"{e.ip} . {e.ip}") for e in port.endpoints)
        inside = port.local_endpoints if port.internal_local else port.endpoints
        target = add_balancer(fragment, port, inside, "local" if port.internal_local else "all")
        for ip in port.cluster_ips:
            elements.add(address_element(ip, port, target, dropped=port.internal_local and bool(port.endpoints)))
        if port.external_ips or port.node_port:
            elements.update(outside_elements(fragment, port))
    return Fragment(fragment.chains, frozenset(elements), fragment.sets)


def outside_elements(fragment: Fragment, port: ServicePort) -> set[tuple[str, str]]:
    """Elements for external addresses and the node port; traffic that may leave the node again is masqueraded."""
    endpoints = port.local_endpoints if port.external_local else port.endpoints
    target = add_balancer(fragment, port, endpoints, "local" if port.external_local else "all")
    dropped = port.external_local and bool(port.endpoints)
    if target and not port.external_local:
        entry = chain_name(port, "ext")
        fragment.chains[entry] = ("jump mark-masquerade", f"goto {target}")
        target = entry
    elements = {address_element(ip, port, target, dropped) for ip in port.external_ips}
    if port.node_port:
        key = f"{port.protocol} . {port.node_port}"
        if target:
            elements.add((NODE_PORTS, f"{key} : goto {target}"))
        else:
            elements.add((NO_ENDPOINT_NODE_PORTS, f"{key} : goto {'drop-it' if dropped else 'reject-it'}"))
    return elements


def address_element(ip: str, port: ServicePort, target: str, dropped: bool) -> tuple[str, str]:
    """Where packets to one virtual address go: to endpoints, or refused (dropped when others could serve)."""
    key = f"{ip} . {port.protocol} . {port.port}"
    if target:
        return SERVICE_IPS, f"{key} : goto {target}"
    return NO_ENDPOINTS, f"{key} : goto {'drop-it' if dropped else 'reject-it'}"


def add_balancer(fragment: Fragment, port: ServicePort, endpoints: tuple[Endpoint, ...], which: str) -> str:
    """The chain that spreads new connections over endpoints; "" when there are none."""
    if not endpoints:
        return ""
    name = chain_name(port, "svc", f"/{which}")
    if port.affinity_seconds:
        fragment.chains[name] = sticky_rules(fragment, port, endpoints)
    else:
        rows = ", ".join(f"{i} : {e.ip} . {e.port}" for i, e in enumerate(endpoints))
        spread = f"numgen random mod {len(endpoints)} map {{ {rows} }}"
        fragment.chains[name] = (f"meta l4proto {port.protocol} dnat ip to {spread}",)
    return name


def sticky_rules(fragment: Fragment, port: ServicePort, endpoints: tuple[Endpoint, ...]) -> tuple[str, ...]:
    """ClientIP affinity: a client that was seen goes where it went, others are spread and remembered."""
    known, spread = [], []
    for index, endpoint in enumerate(endpoints):
        more = f"/{endpoint.ip}/{endpoint.port}"
        chain, clients = chain_name(port, "ep", more), chain_name(port, "aff", f"{more}/{port.affinity_seconds}")
        fragment.sets[clients] = (
            f"{{ type ipv4_addr; flags dynamic,timeout; size 65535; timeout {port.affinity_seconds}s; }}"
        )
        fragment.chains[chain] = (
            f"update @{clients} {{ ip saddr }}",
            f"meta l4proto {port.protocol} dnat ip to {endpoint.ip}:{endpoint.port}",
        )
        known.append(f"ip saddr @{clients} goto {chain}")
        spread.append(f"{index} : goto {chain}")
    return (*known, f"numgen random mod {len(endpoints)} vmap {{ {', '.join(spread)} }}")
