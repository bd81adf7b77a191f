"""Asks upstream resolvers about names that are not ours: UDP first, TCP when that was cut off, the next one on silence.

Every question goes out from a socket of its own with an id from the given randomness. Questions that are the same
and under way at the same time are asked once. An upstream that turns out to be this server itself is not asked again.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from random import Random

from kybern.dns.core.cache import Key, ReplyCache
from kybern.dns.core.message import FormatError, without_opt
from kybern.dns.core.records import Name
from kybern.dns.core.resolv_conf import Address
from kybern.dns.core.upstream import believed, question, request, truncated

TIMEOUT = 2.0  # seconds for each upstream
ROUNDS = 2
UNDER_WAY = 1000
PROBE = ("loop", "kybern", "invalid")


class Forwarder:
    """Recursive questions to other resolvers, with a cache."""

    def __init__(self, upstreams: Sequence[Address], random: Random, log: logging.Logger) -> None:
        self.upstreams = [*upstreams]
        self.sent = self.failed = self.hits = 0
        self._random, self._log = random, log
        self._cache = ReplyCache()
        self._under_way: dict[Key, asyncio.Future[bytes | None]] = {}
        self._probes: dict[Name, Address] = {}

    async def ask(self, name: Name, type_: int) -> bytes | None:
        """A reply (without EDNS; its id means nothing), or None if nobody gives one."""
        key = (name, type_)
        loop = asyncio.get_running_loop()
        known = self._cache.get(key, loop.time())
        if known is not None:
            self.hits += 1
            return known
        waiting = self._under_way.get(key)
        if waiting is not None:
            return await asyncio.shield(waiting)
        if len(self._under_way) >= UNDER_WAY:
            return None
        future: asyncio.Future[bytes | None] = loop.create_future()
        self._under_way[key] = future
        reply: bytes | None = None
        try:
            reply = await self._ask_upstreams(name, type_)
            if reply is not None:
                self._cache.put(key, reply, loop.time())
        finally:
            del self._under_way[key]
            future.set_result(reply)
        return reply

    async def _ask_upstreams(self, name: Name, type_: int) -> bytes | None:
        try:
            asked = question(name, type_)
        except ValueError:
            return None
        for upstream in self.upstreams * ROUNDS:
            if upstream not in self.upstreams:
                continue
            try:
                async with asyncio.timeout(TIMEOUT):
                    reply = await self._ask_one(upstream, asked)
                return without_opt(reply)
            except (TimeoutError, OSError, FormatError) as error:
                self._log.debug("upstream %s:%s did not answer: %s", *upstream, error or "timeout")
        self.failed += 1
        return None

    async def _ask_one(self, upstream: Address, asked: bytes) -> bytes:
        id_ = self._random.getrandbits(16)
        self.sent += 1
        reply = await _over_udp(upstream, id_, asked)
        return await _over_tcp(upstream, id_, asked) if truncated(reply) else reply

    # Loops

    async def probe(self) -> None:
        """Ask every upstream about a name that nobody else knows: if the question comes back to us, it is us."""
        for upstream in [*self.upstreams]:
            name = (f"{self._random.getrandbits(64):016x}", *PROBE)
            self._probes[name] = upstream
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(TIMEOUT):
                    await self._ask_one(upstream, question(name, 1))
            self._probes.pop(name, None)

    def caught(self, name: Name) -> bool:
        """Whether a question that arrived is one of our probes; its upstream is not asked any more."""
        upstream = self._probes.get(name)
        if upstream is None:
            return False
        self._log.warning("upstream %s:%s leads back here and is left out", *upstream)
        self.upstreams = [each for each in self.upstreams if each != upstream]
        return True


class _UdpExchange(asyncio.DatagramProtocol):
    def __init__(self, id_: int, asked: bytes) -> None:
        self._id, self._asked = id_, asked
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if not self.reply.done() and believed(data, self._id, self._asked):
            self.reply.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)


async def _over_udp(upstream: Address, id_: int, asked: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _UdpExchange(id_, asked), remote_addr=upstream)
    try:
        transport.sendto(request(id_, asked))
        return await protocol.reply
    finally:
        transport.close()


async def _over_tcp(upstream: Address, id_: int, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*upstream)
    try:
        message = request(id_, asked)
        writer.write(len(message).to_bytes(2, "big") + message)
        data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    except asyncio.IncompleteReadError as error:
        raise OSError("the connection was closed") from error
    finally:
        writer.close()
    if not believed(data, id_, asked):
        raise FormatError("not the reply to the question")
    return data
