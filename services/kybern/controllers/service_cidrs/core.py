"""Which ServiceCIDRs may go: those whose addresses are all in other ones too, or that have none."""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from kybern.kube import meta
from kybern.kube.meta import Object

GRACE = 10.0  # seconds
MANAGED_BY, ALLOCATOR = "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"
FINALIZER = "networking.k8s.io/service-cidr-finalizer"
READY = "Kubernetes Service CIDR is ready"
IN_USE = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"


def contains(cidr: Object, address: str) -> bool:
    """Whether an address is one that a range gives out."""
    ip = ip_address(address)
    for network in _networks(cidr):
        last = network[-1] if network.version == 4 else None
        if ip.version == network.version and ip in network and ip not in (network[0], last):
            return True
    return False


def _networks(cidr: Object) -> list[IPv4Network | IPv6Network]:
    return [ip_network(text, strict=False) for text in (cidr.get("spec") or {}).get("cidrs") or ()]


def _covers(other: Object, network: IPv4Network | IPv6Network) -> bool:
    """Whether all of a network is in one of the ranges."""
    return any(
        wide.version == network.version and wide.prefixlen <= network.prefixlen and wide.overlaps(network)
        for wide in _networks(other)
    )


def may_go(cidr: Object, others: Iterable[Object], addresses: Iterable[Object]) -> bool:
    """Whether every address that allocation has given out would still be in another range, even one on its way out."""
    staying = [other for other in others if meta.name(other) != meta.name(cidr)]
    if all(any(_covers(other, network) for other in staying) for network in _networks(cidr)):
        return True
    for address in addresses:
        name = meta.name(address)
        if meta.labels(address).get(MANAGED_BY) != ALLOCATOR or not contains(cidr, name):
            continue
        if not any(contains(other, name) for other in staying):
            return False
    return True


def seconds_left(cidr: Object, now: datetime) -> float:
    """Until a deleted range may go: allocators that have not heard of it yet may still give an address out."""
    deleted = meta.deletion_timestamp(cidr)
    return GRACE - (now - deleted).total_seconds() if deleted is not None else 0.0
