"""Dividing the pod network into equal parts."""

from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network


class CIDRNotAvailable(Exception):
    """All parts are taken."""


class CidrSet:
    """The parts of one network, taken in order and again from the front once given back."""

    def __init__(self, cluster_cidr: str, mask_size: int) -> None:
        self.network: Network = ip_network(cluster_cidr)
        if not self.network.prefixlen <= mask_size <= self.network.max_prefixlen:
            raise ValueError(f"node mask size /{mask_size} does not fit into {cluster_cidr}")
        self.mask_size = mask_size
        self.size = 1 << (mask_size - self.network.prefixlen)
        self._step = 1 << (self.network.max_prefixlen - mask_size)
        self._taken: set[int] = set()
        self._next = 0

    def occupy(self, cidr: str) -> None:
        """Somebody has this network: every part that it touches is taken. Networks elsewhere do not matter."""
        self._taken.update(self._parts(cidr))

    def release(self, cidr: str) -> None:
        self._taken.difference_update(self._parts(cidr))

    def allocate(self) -> str:
        """The next free part. Raises CIDRNotAvailable."""
        for offset in range(self.size):
            part = (self._next + offset) % self.size
            if part not in self._taken:
                self._taken.add(part)
                self._next = (part + 1) % self.size
                return f"{self.network.network_address + part * self._step}/{self.mask_size}"
        raise CIDRNotAvailable(
            f"CIDR allocation failed; there are no remaining CIDRs left to allocate in {self.network}"
        )

    def _parts(self, cidr: str) -> range:
        network = ip_network(cidr, strict=False)
        if network.version != self.network.version or not network.overlaps(self.network):
            return range(0)
        base = int(self.network.network_address)
        first = max(0, (int(network.network_address) - base) // self._step)
        last = min(self.size - 1, (int(network.broadcast_address) - base) // self._step)
        return range(first, last + 1)
