"""Reflector: keeps somebody informed of a collection by list and watch.

One list, then a watch from its resourceVersion that is renewed from the newest version seen (bookmarks move it along).
Only when the server no longer has that version (410) is the collection listed again. Failures are waited out with a
back-off of 0.8 s doubling to 30 s, with jitter from the given randomness.

A list arrives in chunks and holds no more memory on the server than a watch with initial events would, so that
`sendInitialEvents` is not used.
"""

import asyncio
import logging
from random import Random
from typing import Protocol

from kybern.client.messages import BOOKMARK, Events, Objects
from kybern.client.objects import Client
from kybern.client.resources import Resource
from kybern.kube import meta
from kybern.kube.status import StatusError, service_unavailable

FIRST_BACKOFF, MAX_BACKOFF = 0.8, 30.0
MIN_WATCH_SECONDS = 300
SHORT_WATCH_SECONDS = 1.0  # a second one in a row that ends sooner, without an event, is a failure


class Listener(Protocol):
    """Who a reflector informs."""

    def replace(self, objects: Objects) -> None:
        """The collection is exactly this."""
        ...

    def apply(self, events: Events) -> None:
        """Changes, in order."""
        ...


class Reflector:
    """List and watch of one collection."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        listener: Listener,
        random: Random,
        log: logging.Logger,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> None:
        self.client = client
        self.resource = resource
        self.namespace = namespace
        self.label_selector = label_selector
        self.field_selector = field_selector
        self.resource_version = ""  # newest seen; "" asks for a list
        self.lists = 0
        self._listener = listener
        self._random = random
        self._log = log
        self._failures = 0

    async def run(self) -> None:
        """Inform until cancelled."""
        while True:
            try:
                if not self.resource_version:
                    await self._list()
                lived = await self._watch()
                if not lived and self._failures:
                    raise service_unavailable("watches end at once, without an event")
                self._failures = 0 if lived else 1
                await asyncio.sleep(0)
            except StatusError as error:
                if error.code == 410:
                    self.resource_version = ""
                    if self._failures == 0:
                        self._failures = 1
                        continue
                await self._back_off(error)

    async def _list(self) -> None:
        listed = await self.client.list(
            self.resource,
            self.namespace,
            label_selector=self.label_selector,
            field_selector=self.field_selector,
        )
        self.lists += 1
        self._listener.replace(listed.items)
        self.resource_version = listed.resource_version

    async def _watch(self) -> bool:
        """Watch until the server ends it. Whether it was any good: gave an event or lasted."""
        loop = asyncio.get_running_loop()
        began, heard = loop.time(), False
        timeout = MIN_WATCH_SECONDS + int(self._random.random() * MIN_WATCH_SECONDS)
        batches = self.client.watch(
            self.resource,
            self.namespace,
            label_selector=self.label_selector,
            field_selector=self.field_selector,
            resource_version=self.resource_version,
            timeout_seconds=timeout,
        )
        async for events in batches:
            if not events:
                continue
            self._failures, heard = 0, True
            changes = [event for event in events if event.type != BOOKMARK]
            if changes:
                self._listener.apply(changes)
            self.resource_version = meta.resource_version(events[-1].object) or self.resource_version
        return heard or loop.time() - began >= SHORT_WATCH_SECONDS

    async def _back_off(self, error: StatusError) -> None:
        self._failures += 1
        delay = min(FIRST_BACKOFF * 2.0 ** min(self._failures - 1, 10), MAX_BACKOFF) * (1.0 + self._random.random())
        self._log.info("list and watch of %s failed, again in %.1f s: %s", self.resource, delay, error)
        await asyncio.sleep(delay)
