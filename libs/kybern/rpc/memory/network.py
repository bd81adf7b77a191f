"""The network between in-memory services: who listens where, how long a message takes, who cannot reach whom."""

import asyncio
from random import Random
from typing import TYPE_CHECKING

import grpc

from kybern.rpc.address import CannotListen
from kybern.rpc.memory.wire import Trailers

if TYPE_CHECKING:
    from kybern.rpc.memory.call import MemoryCall
    from kybern.rpc.memory.server import MemoryServer

LOST = Trailers(grpc.StatusCode.UNAVAILABLE, "the connection was lost")


class MemoryNetwork:
    """One per simulation or test; usable before any loop runs.

    `latency` is the range of seconds that a message takes, one draw from `random` for each; messages of one stream
    never overtake each other, those of different streams do.
    """

    def __init__(self, random: Random | None = None, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.random = random if random is not None else Random(0)
        self.latency = latency
        self._servers: dict[str, MemoryServer] = {}
        self._calls: dict[int, MemoryCall] = {}  # in the order in which they were opened
        self._cut: set[tuple[str, str]] = set()
        self._numbers = 0
        self._ports = 20_000

    def draw_latency(self) -> float:
        """Seconds for the next message."""
        low, high = self.latency
        return low if low == high else self.random.uniform(low, high)

    def number_call(self) -> int:
        """A number that no other call has."""
        self._numbers += 1
        return self._numbers

    def listen(self, address: str, server: "MemoryServer") -> str:
        """Put a server at an address (port 0: the next free one); returns the address in use."""
        host, _, port = address.rpartition(":")
        if port == "0":
            self._ports += 1
            address = f"{host}:{self._ports}"
        if address in self._servers:
            raise CannotListen(f"cannot listen on {address}: another server listens there")
        self._servers[address] = server
        return address

    def unlisten(self, address: str, server: "MemoryServer") -> None:
        """Nobody is at the address any more."""
        if self._servers.get(address) is server:
            del self._servers[address]

    def find(self, user: str, target: str) -> "MemoryServer | None":
        """The server that a user reaches at a target; None if there is none or the way is cut."""
        return None if (user, target) in self._cut else self._servers.get(target)

    def opened(self, call: "MemoryCall") -> None:
        """A call has reached its server."""
        self._calls[call.number] = call

    def closed(self, call: "MemoryCall") -> None:
        """A call has ended."""
        self._calls.pop(call.number, None)

    def cut(self, user: str, target: str) -> None:
        """From now on the user cannot reach the target: open calls break, new ones fail."""
        self._cut.add((user, target))
        self.break_calls(user, target)

    def heal(self, user: str, target: str) -> None:
        """Undo `cut`."""
        self._cut.discard((user, target))

    def break_calls(self, user: str, target: str) -> None:
        """Lose the connection between a user and a target once."""
        for call in list(self._calls.values()):
            if (call.identity.user, call.target) == (user, target):
                call.end(LOST)

    async def pause(self, seconds: float) -> None:
        """Wait at least as long as a message takes."""
        await asyncio.sleep(max(seconds, self.draw_latency()))
