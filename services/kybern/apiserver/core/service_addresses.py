"""Cluster IPs of every ServiceCIDR: the flag's range first, then others in the order of their names.

A range takes part while a ServiceCIDR of it is ready and not being deleted. What is taken is one set for all: ranges
may overlap, and an address is free or not wherever it is asked for.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from random import Random

from kybern.apiserver.core.allocator import OUTSIDE, AllocationError, IPAllocator
from kybern.kube import meta
from kybern.kube.conditions import get_condition
from kybern.kube.meta import Object

DEFAULT = "kubernetes"  # the ServiceCIDR of the flag's range


def is_ready(cidr: Object) -> bool:
    """Whether addresses may come from a ServiceCIDR; one that nobody has judged yet is taken for good."""
    condition = get_condition(cidr, "Ready")
    return not meta.is_deleting(cidr) and (condition is None or condition.get("status") == "True")


def _count(counts: dict[tuple[str, ...], float], at: tuple[str, ...]) -> None:
    counts[at] = counts.get(at, 0) + 1


def family_of(address: str) -> str:
    """IPv4 or IPv6."""
    return "IPv6" if ":" in address else "IPv4"


def flag_ranges(text: str) -> list[str]:
    """The range or ranges of `--service-cluster-ip-range`, the first family's first. Raises ValueError."""
    found = text.split(",")
    if len(found) > 2:
        raise ValueError("must not contain more than two entries")
    if len(found) == 2 and ip_network(found[0]).version == ip_network(found[1]).version:
        raise ValueError("two ranges must be of different families")
    return found


class ServiceAddresses:
    """One family or two: those of the flag's ranges."""

    def __init__(self, cidrs: str) -> None:
        """Raises ValueError."""
        self.taken: set[str] = set()
        self._defaults = [IPAllocator(ip_network(text), self.taken) for text in flag_ranges(cidrs)]
        self._ranges = list(self._defaults)
        self.given: dict[tuple[str, ...], float] = {}  # addresses, by range and scope: static, dynamic
        self.refused: dict[tuple[str, ...], float] = {}

    @property
    def family(self) -> str:
        """That of Services that do not say."""
        return self._defaults[0].family

    @property
    def families(self) -> list[str]:
        """All, the one of Services that do not say first."""
        return [one.family for one in self._defaults]

    def first(self) -> str:
        """The `kubernetes` Service's address."""
        return self._defaults[0].first()

    def configure(self, cidrs: Iterable[Object]) -> None:
        """Take the ranges of these ServiceCIDRs; the flag's own, too, while no object stands for it."""
        found = sorted(cidrs, key=lambda cidr: (meta.name(cidr) != DEFAULT, meta.name(cidr)))
        texts = dict.fromkeys(text for cidr in found if is_ready(cidr) for text in self._own(cidr))
        self._ranges = [IPAllocator(ip_network(text), self.taken) for text in texts]
        if all(meta.name(cidr) != DEFAULT for cidr in found):
            self._ranges[:0] = self._defaults

    def _own(self, cidr: Object) -> Iterator[str]:
        for text in (cidr.get("spec") or {}).get("cidrs") or ():
            try:
                network = ip_network(text)
            except ValueError:
                continue
            if any(network.version == one.network.version for one in self._defaults):
                yield text

    def take(self, address: str) -> None:
        """This address. Raises AllocationError, ValueError."""
        ip = ip_address(address)
        for one in self._ranges:
            if one.holds(ip):
                at = (str(one.network), "static")
                try:
                    one.take(address)
                except AllocationError:
                    _count(self.refused, at)
                    raise
                _count(self.given, at)
                return
        raise AllocationError(OUTSIDE)

    def outside(self, address: str) -> str:
        """What a dry run is told of an address in no range."""
        network = next(one.network for one in self._defaults if one.family == family_of(address))
        return f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {network}"

    def next(self, random: Random, family: str = "") -> str:
        """A free address, of the first family unless told. Raises AllocationError."""
        family = family or self.family
        for one in self._ranges:
            if one.family != family:
                continue
            at = (str(one.network), "dynamic")
            try:
                found = one.next(random)
            except AllocationError:
                _count(self.refused, at)
                continue
            _count(self.given, at)
            return found
        raise AllocationError("range is full")

    def usage(self) -> dict[str, tuple[int, int]]:
        """How many addresses of each range are taken, and how many are free."""
        found = {}
        for one in self._ranges:
            alone = len(self._ranges) == 1
            taken = len(self.taken) if alone else sum(ip_address(each) in one.network for each in list(self.taken))
            found[str(one.network)] = (taken, one.size - taken)
        return found

    def release(self, address: str) -> None:
        """Give it back."""
        self.taken.discard(address)
