"""Watching every collection that can be deleted, custom ones as they come and go: for loops that care about all kinds.

A collection that some controller mirrors already is listened to there; of all others only what concerns names and
ownership is kept in memory.
"""

import asyncio
from random import Random
from typing import Any

from kybern.client.discovery import ServedResource, watch_resources, with_verbs
from kybern.client.informer import EventHandler, SharedInformer, SharedInformerFactory
from kybern.client.objects import Client
from kybern.client.resources import Resource
from kybern.controllers.core.ownership import only_ownership
from kybern.kube.status import StatusError
from kybern.telemetry import Telemetry

IGNORED = {("", "events"), ("events.k8s.io", "events")}
RETRY_SECONDS = 2.0
SYNC_SECONDS = 30.0  # after which a collection that cannot be listed is not waited for any longer


class Monitors:
    """Informers of everything. Handlers are added before it runs."""

    def __init__(
        self, client: Client, informers: SharedInformerFactory, channel: Any, random: Random, telemetry: Telemetry
    ) -> None:
        self._client = client
        self._informers = informers
        self._channel = channel
        self._random = random
        self._telemetry = telemetry
        self._handlers: list[EventHandler] = []
        self._watched: dict[Resource, SharedInformer] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self._by_name: dict[tuple[str, str], Resource] = {}
        self._known = asyncio.Event()

    def add_handler(self, handler: EventHandler) -> None:
        """Tell this handler about every object of every kind."""
        self._handlers.append(handler)

    def resource(self, group: str, kind: str) -> Resource | None:
        """The collection of a kind, in any version."""
        return self._by_kind.get((group, kind))

    def informer(self, group: str, resource: str) -> SharedInformer | None:
        """The informer of a collection, in whichever version; None if it is not served."""
        found = self._by_name.get((group, resource))
        return self._watched.get(found) if found is not None else None

    async def wait_for_sync(self) -> None:
        """Until everything that is served has been listed, or could not be for half a minute.

        One collection whose conversion webhook is away, say, must not stop what is done about all others.
        """
        await self._known.wait()
        try:
            async with asyncio.timeout(SYNC_SECONDS):
                for informer in [*self._watched.values()]:
                    await informer.wait_for_sync()
        except TimeoutError:
            late = sorted(str(resource) for resource, informer in self._watched.items() if not informer.has_synced)
            self._telemetry.log.warning("not listed yet, and not waited for: %s", ", ".join(late))

    async def run(self) -> None:
        """Follow discovery until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    async for served in watch_resources(self._channel):
                        self._follow(served, tasks)
                except StatusError as error:
                    self._telemetry.log.info("discovery failed, again in %.0f s: %s", RETRY_SECONDS, error)
                await asyncio.sleep(RETRY_SECONDS)

    def _follow(self, served: list[ServedResource], tasks: asyncio.TaskGroup) -> None:
        self._by_kind = {(entry.resource.group, entry.resource.kind): entry.resource for entry in reversed(served)}
        self._by_name = {(entry.resource.group, entry.resource.resource): entry.resource for entry in reversed(served)}
        wanted = [
            resource
            for resource in with_verbs(served, "delete", "list", "watch")
            if (resource.group, resource.resource) not in IGNORED
        ]
        for resource in wanted:
            if resource not in self._watched:
                self._watch(resource, tasks)
        for resource in [*self._tasks]:
            if resource not in wanted:
                self._tasks.pop(resource).cancel()
                del self._watched[resource]
        self._known.set()

    def _watch(self, resource: Resource, tasks: asyncio.TaskGroup) -> None:
        informer = self._informers.find(resource)
        if informer is None:
            informer = SharedInformer(self._client, resource, self._random, self._telemetry, transform=only_ownership)
            self._tasks[resource] = tasks.create_task(informer.run())
        self._watched[resource] = informer
        for handler in self._handlers:
            informer.add_handler(handler)

    def traceparent(self, resource: Resource | None, key: str) -> str:
        informer = self._watched.get(resource) if resource is not None else None
        return informer.traceparent(key) if informer is not None else ""
