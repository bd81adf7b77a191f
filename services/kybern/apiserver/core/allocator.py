"""Allocators for Service addresses and node ports: sets of what is taken, filled again from the Services at a start."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from random import Random

PROTOCOLS = ("TCP", "UDP", "SCTP")
NODE_PORT_RANGE = (30000, 32767)
OUTSIDE = "the provided network does not match the current range"
ALREADY_ALLOCATED = "provided port is already allocated"


class AllocationError(Exception):
    """Why a value cannot be had."""


@dataclass
class IPAllocator:
    """Cluster IPs of one range. The lower part of it is left to addresses chosen by hand, as upstream."""

    network: IPv4Network | IPv6Network
    taken: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, cidr: str) -> "IPAllocator":
        """Raises ValueError."""
        return cls(ip_network(cidr))

    @property
    def family(self) -> str:
        return "IPv4" if self.network.version == 4 else "IPv6"

    def first(self) -> str:
        """The `kubernetes` Service's address."""
        return str(self.network[1])

    @property
    def size(self) -> int:
        """How many addresses there are to give out."""
        return self.network.num_addresses - (2 if self.network.version == 4 else 1)

    def holds(self, ip: IPv4Address | IPv6Address) -> bool:
        """Whether the address is one to give out: neither the network's own nor, in IPv4, the broadcast one."""
        last = self.network[-1] if self.network.version == 4 else None
        return ip in self.network and ip not in (self.network[0], last)

    def take(self, address: str) -> None:
        """This address. Raises AllocationError."""
        if not self.holds(ip_address(address)):
            raise AllocationError(OUTSIDE)
        if address in self.taken:
            raise AllocationError("provided IP is already allocated")
        self.taken.add(address)

    def next(self, random: Random) -> str:
        """A free address. Raises AllocationError."""
        size = min(self.network.num_addresses, 1 << 16)
        offset = min(max(16, size // 16), 256) if size > 64 else 0
        end = size - 1 if self.network.version == 4 else size  # IPv4 keeps its last address for broadcast
        for low, high in ((max(offset, 1), end), (1, max(offset, 1))):
            span = high - low
            start = random.randrange(span) if span > 0 else 0
            for step in range(span):
                address = str(self.network[low + (start + step) % span])
                if address not in self.taken:
                    self.taken.add(address)
                    return address
        raise AllocationError("range is full")

    def release(self, address: str) -> None:
        """Give it back."""
        self.taken.discard(address)


@dataclass
class PortAllocator:
    """Node ports, with the protocols they serve: all of a number belong to one Service."""

    low: int = NODE_PORT_RANGE[0]
    high: int = NODE_PORT_RANGE[1]
    taken: set[tuple[str, int]] = field(default_factory=set)

    def take(self, protocol: str, port: int) -> None:
        """This port. Raises AllocationError."""
        if not self.low <= port <= self.high:
            raise AllocationError(
                f"provided port is not in the valid range. The range of valid ports is {self.low}-{self.high}"
            )
        if any((each, port) in self.taken for each in PROTOCOLS):
            raise AllocationError(ALREADY_ALLOCATED)
        self.taken.add((protocol, port))

    def share(self, protocol: str, port: int) -> bool:
        """Another protocol of a port that the Service has; whether it is new."""
        is_new = (protocol, port) not in self.taken
        self.taken.add((protocol, port))
        return is_new

    def next(self, protocol: str, random: Random) -> int:
        """A port that no protocol uses. Raises AllocationError."""
        span = self.high - self.low + 1
        start = random.randrange(span)
        used = {port for _, port in self.taken}
        for step in range(span):
            port = self.low + (start + step) % span
            if port not in used:
                self.taken.add((protocol, port))
                return port
        raise AllocationError("range is full")

    def release(self, protocol: str, port: int) -> None:
        """Give it back."""
        self.taken.discard((protocol, port))


def read_port_range(text: str) -> tuple[int, int]:
    """FIRST-LAST, FIRST+MORE or one port. Raises ValueError with a sentence."""
    first, plus, more = text.partition("+")
    start, dash, end = text.partition("-")
    try:
        low, high = (int(first), int(first) + int(more)) if plus else (int(start), int(end if dash else start))
    except ValueError:
        low, high = 0, 0
    if not 1 <= low <= high <= 65535:
        raise ValueError(f"--service-node-port-range {text}: no range of ports such as 30000-32767")
    return low, high
