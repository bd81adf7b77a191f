"""Routes to the pods of other nodes: a node on the same link is the gateway of its own pod range."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Interface, ip_address, ip_network

from kybern.kube import meta
from kybern.kube.meta import Object

Routes = dict[str, str]  # pod range → gateway


@dataclass(frozen=True)
class RouteChange:
    """What leads from one set of routes to another."""

    replace: Routes
    remove: tuple[str, ...]


def internal_ip(node: Object) -> str:
    """The node's IPv4 InternalIP, "" when it has none."""
    for address in (node.get("status") or {}).get("addresses") or []:
        if address.get("type") == "InternalIP" and ":" not in address.get("address", ":"):
            return str(address["address"])
    return ""


def compute_routes(nodes: Iterable[Object], own_name: str, local: Iterable[IPv4Interface]) -> Routes:
    """A route for each other node that is a neighbour; nodes elsewhere need a network that knows their ranges."""
    interfaces = [interface for interface in local if not interface.is_loopback]
    own = {interface.ip for interface in interfaces}
    found: Routes = {}
    for node in sorted(nodes, key=meta.name):
        address = internal_ip(node)
        if meta.name(node) == own_name or not address or ip_address(address) in own:
            continue
        if any(ip_address(address) in interface.network for interface in interfaces):
            spec = node.get("spec") or {}
            ranges = spec.get("podCIDRs") or [spec.get("podCIDR") or ""]
            found.update({str(ip_network(cidr)): address for cidr in ranges if cidr and ":" not in cidr})
    return found


def diff_routes(old: Routes, new: Routes) -> RouteChange:
    """The smallest change."""
    changed = {cidr: gateway for cidr, gateway in new.items() if old.get(cidr) != gateway}
    return RouteChange(changed, tuple(cidr for cidr in old if cidr not in new))
