"""Which ServiceCIDRs may go: those whose addresses are all in other ones too, or that have none."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from kybern.kube import meta
from kybern.kube.meta import Object

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
READY = "Kubernetes Service CIDR is ready"
IN_USE = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"


def contains(cidr: Object, address: str) -> bool:
    """Whether an address is in one of the ranges."""
    ip = ip_address(address)
    networks = (ip_network(text, strict=False) for text in (cidr.get("spec") or {}).get("cidrs") or ())
    return any(ip.version == network.version and ip in network for network in networks)


def may_go(cidr: Object, others: Iterable[Object], addresses: Iterable[Object]) -> bool:
    """Whether every address would still be in a range that stays."""
    staying = [other for other in others if meta.name(other) != meta.name(cidr) and not meta.is_deleting(other)]
    for address in addresses:
        name = meta.name(address)
        if contains(cidr, name) and not any(contains(other, name) for other in staying):
            return False
    return True
