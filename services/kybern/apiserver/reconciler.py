"""Reconciler: one worker takes the names of objects that something has happened to, each once."""

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.entry import CacheEvent
from kybern.kube.status import StatusError
from kybern.store.errors import StoreError

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

AGAIN = 1.0  # seconds until an object that is not done with, or that failed, is looked at again


class Reconciler(ABC):
    """For cluster-scoped objects that the apiserver itself looks after: subclasses say what `reconcile` does."""

    def __init__(self, server: "ApiServer", cacher: Cacher) -> None:
        self.server = server
        self._cacher = cacher
        self._due: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._cacher.listeners.append(self._follow)

    @abstractmethod
    async def reconcile(self, name: str) -> bool:
        """Bring an object one step further; whether to look again."""

    def _follow(self, event: CacheEvent) -> None:
        self.add(event.entry.name)

    def add(self, name: str) -> None:
        """Look at an object soon."""
        self._due[name] = None
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        for name in self._cacher.entries:
            self.add(name)
        loop, log = asyncio.get_running_loop(), self.server.telemetry.log
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                name = next(iter(self._due))
                del self._due[name]
                try:
                    again = await self.reconcile(name)
                except (StatusError, StoreError) as error:
                    log.warning("%s %s: %s", self._cacher.resource, name, error)
                    again = True
                except Exception:  # the worker's boundary: one object never stops the others
                    log.exception("%s %s", self._cacher.resource, name)
                    again = True
                if again:
                    loop.call_later(AGAIN, self.add, name)
