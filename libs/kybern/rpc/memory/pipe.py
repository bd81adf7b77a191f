"""One direction of a call: items arrive in order, each as late as the network says; a bounded number is unread."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from kybern.rpc.memory.network import MemoryNetwork

WINDOW = 64  # items under way or unread, after which `room` waits

Item = TypeVar("Item")


class Pipe(Generic[Item]):
    """Hands each item to `deliver` once it has travelled. The receiver says `taken` for each one that it has used."""

    def __init__(self, network: MemoryNetwork, deliver: Callable[[Item], None]) -> None:
        self._network = network
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._travelling: deque[Item] = deque()
        self._last = 0.0  # when the newest item arrives
        self._unread = 0
        self._room = asyncio.Event()
        self._closed = False

    def put(self, item: Item) -> None:
        """Send; see `room`."""
        self._travelling.append(item)
        self._unread += 1
        now = self._loop.time()
        self._last = max(self._last, now + self._network.draw_latency())
        if self._last <= now:
            self._loop.call_soon(self._arrive)
        else:
            self._loop.call_at(self._last, self._arrive)  # timers of one instant may swap, items do not

    def _arrive(self) -> None:
        self._deliver(self._travelling.popleft())

    def taken(self) -> None:
        """The receiver has used an item."""
        self._unread -= 1
        if self._unread <= WINDOW:
            self._room.set()

    async def room(self) -> None:
        """Return once there is room for another item, or nobody reads any more."""
        while self._unread > WINDOW and not self._closed:
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """Nobody reads any more: writers need not wait."""
        self._closed = True
        self._room.set()
