"""Replies of upstream resolvers, kept as long as their TTLs allow; monotonic time is given."""

import struct
from collections import OrderedDict
from dataclasses import dataclass

from kybern.dns.core.message import HEADER, NXDOMAIN, ttl_positions

MOST, MOST_NEGATIVE = 3600, 30  # seconds
TTL = struct.Struct("!I")
Key = tuple[tuple[str, ...], int]  # name, type


@dataclass(frozen=True, slots=True)
class Kept:
    """A reply and where its TTLs stand."""

    message: bytes
    positions: tuple[tuple[int, int], ...]
    since: float
    until: float


class ReplyCache:
    """At most `limit` replies, the least recently used dropped first."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._kept: OrderedDict[Key, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, key: Key, message: bytes, now: float) -> None:
        """Keep a reply that is known to be well-formed, if it may be kept at all."""
        _, flags, _, answers, *_ = HEADER.unpack_from(message)
        code = flags & 15
        positions = ttl_positions(message)
        if code not in (0, NXDOMAIN) or not positions:
            return
        most = MOST if code == 0 and answers else MOST_NEGATIVE
        seconds = min(most, *(ttl for _, ttl in positions))
        if seconds <= 0:
            return
        self._kept[key] = Kept(message, tuple(positions), now, now + seconds)
        self._kept.move_to_end(key)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def get(self, key: Key, now: float) -> bytes | None:
        """The reply with its TTLs as they are now."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if now >= kept.until:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        age = int(now - kept.since)
        if not age:
            return kept.message
        message = bytearray(kept.message)
        for position, ttl in kept.positions:
            TTL.pack_into(message, position, max(ttl - age, 0))
        return bytes(message)
