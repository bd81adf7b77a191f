"""Watching every collection that can be deleted, custom ones as they come and go.

A collection that other controllers mirror already is listened to there; of all others only what concerns ownership is
kept in memory.
"""

import asyncio

from kybern.client.discovery import ServedResource, watch_resources, with_verbs
from kybern.client.informer import EventHandler, SharedInformer
from kybern.client.resources import Resource
from kybern.controllers.context import Context
from kybern.controllers.garbage_collector.core import only_ownership
from kybern.kube.status import StatusError

IGNORED = {("", "events"), ("events.k8s.io", "events")}
RETRY_SECONDS = 2.0


class Monitors:
    """Informers of everything, for one handler."""

    def __init__(self, context: Context, handler: EventHandler) -> None:
        self._context = context
        self._handler = handler
        self._watched: dict[Resource, SharedInformer] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self._known = asyncio.Event()

    def resource(self, group: str, kind: str) -> Resource | None:
        """The collection of a kind, in any version."""
        return self._by_kind.get((group, kind))

    async def wait_for_sync(self) -> None:
        """Until everything that is served has been listed."""
        await self._known.wait()
        for informer in [*self._watched.values()]:
            await informer.wait_for_sync()

    async def run(self) -> None:
        """Follow discovery until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    async for served in watch_resources(self._context.channel):
                        self._follow(served, tasks)
                except StatusError as error:
                    self._context.telemetry.log.info("discovery failed, again in %.0f s: %s", RETRY_SECONDS, error)
                await asyncio.sleep(RETRY_SECONDS)

    def _follow(self, served: list[ServedResource], tasks: asyncio.TaskGroup) -> None:
        self._by_kind = {(entry.resource.group, entry.resource.kind): entry.resource for entry in reversed(served)}
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
        context = self._context
        informer = context.informers.find(resource)
        if informer is None:
            informer = SharedInformer(
                context.client, resource, context.random, context.telemetry, transform=only_ownership
            )
            self._tasks[resource] = tasks.create_task(informer.run())
        self._watched[resource] = informer
        informer.add_handler(self._handler)

    def traceparent(self, resource: Resource | None, key: str) -> str:
        informer = self._watched.get(resource) if resource is not None else None
        return informer.traceparent(key) if informer is not None else ""
