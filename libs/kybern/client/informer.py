"""SharedInformer: a mirror of a collection, shared by everyone in a process who cares about it.

The store changes before handlers hear of a change, so that a handler never sees an older store than its event. Handlers
run in the event loop, one after the other, in the order of events of one object; they are quick and do not fail: they
put keys on work queues. A handler that comes late hears of every object as an addition.

Not promised: that every change is seen (versions that followed each other quickly may be one update), nor that a
deleted object's last state is known (`final_state_unknown`: the deletion was missed, and found by listing again).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from kybern.client.messages import DELETED, Events, Objects
from kybern.client.objects import Client
from kybern.client.reflector import Reflector
from kybern.client.resources import Resource
from kybern.client.store import Indexer, IndexFunction
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.telemetry import Telemetry

REMEMBERED_DELETIONS = 1024  # traceparents of deleted objects that are kept
Transform = Callable[[Object], Object]


def _ignore_add(obj: Object) -> None: ...


def _ignore_update(old: Object, new: Object) -> None: ...


def _ignore_delete(obj: Object, final_state_unknown: bool) -> None: ...


@dataclass(frozen=True)
class EventHandler:
    """What to do about changes."""

    on_add: Callable[[Object], None] = _ignore_add
    on_update: Callable[[Object, Object], None] = _ignore_update
    on_delete: Callable[[Object, bool], None] = _ignore_delete


def each(do: Callable[[Object], None]) -> EventHandler:
    """A handler that does the same for every change, with the newest version known."""
    return EventHandler(on_add=do, on_update=lambda old, new: do(new), on_delete=lambda obj, unknown: do(obj))


class SharedInformer:
    """One collection's store and handlers. `transform` may drop what nobody reads, before an object is stored."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        random: Random,
        telemetry: Telemetry,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        indexers: Mapping[str, IndexFunction] | None = None,
        transform: Transform | None = None,
        resync_seconds: float = 0.0,
    ) -> None:
        self.resource = resource
        self.store = Indexer(indexers)
        self.reflector = Reflector(
            client,
            resource,
            self,
            random,
            telemetry.log,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
        )
        self._transform = transform
        self._resync_seconds = resync_seconds
        self._handlers: list[EventHandler] = []
        self._synced = asyncio.Event()
        self._traceparents: dict[str, str] = {}
        self._deleted: OrderedDict[str, str] = OrderedDict()

    @property
    def has_synced(self) -> bool:
        """The first list is in the store."""
        return self._synced.is_set()

    async def wait_for_sync(self) -> None:
        await self._synced.wait()

    def add_handler(self, handler: EventHandler) -> None:
        self._handlers.append(handler)
        for obj in self.store.list():
            handler.on_add(obj)

    def get(self, key: str) -> Object | None:
        """The object as last seen; not to be changed."""
        return self.store.get(key)

    def traceparent(self, key: str) -> str:
        """The trace context of the newest event of this key; "" for an object that was listed and not changed since."""
        return self._traceparents.get(key) or self._deleted.get(key, "")

    async def run(self) -> None:
        """Mirror the collection until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.reflector.run())
            if self._resync_seconds:
                tasks.create_task(self._resync())

    def replace(self, objects: Objects) -> None:
        """The reflector has listed: turn the difference into events."""
        gone = dict.fromkeys(self.store.keys())
        for obj in objects:
            gone.pop(meta.key(obj), None)
            self._put(obj, "")
        for key in gone:
            self._remove(key, None, "")
        self._synced.set()

    def apply(self, events: Events) -> None:
        """The reflector has seen changes."""
        for event in events:
            if event.type == DELETED:
                self._remove(meta.key(event.object), event.object, event.traceparent)
            else:
                self._put(event.object, event.traceparent)

    def _put(self, obj: Object, traceparent: str) -> None:
        key = meta.key(obj)
        known = self.store.get(key)
        if known is not None and meta.resource_version(known) == meta.resource_version(obj):
            return
        if self._transform is not None:
            obj = self._transform(obj)
        if self._deleted:
            self._deleted.pop(key, None)
        if traceparent:
            self._traceparents[key] = traceparent
        if known is not None and meta.uid(known) != meta.uid(obj):  # deleted and created again, unseen
            self.store.remove(key)
            for handler in self._handlers:
                handler.on_delete(known, True)
            known = None
        self.store.put(obj, key)
        for handler in self._handlers:
            if known is None:
                handler.on_add(obj)
            else:
                handler.on_update(known, obj)

    def _remove(self, key: str, last: Object | None, traceparent: str) -> None:
        known = self.store.remove(key)
        traceparent = traceparent or self._traceparents.get(key, "")
        self._traceparents.pop(key, None)
        if known is None:
            return
        if traceparent:
            self._deleted[key] = traceparent
            if len(self._deleted) > REMEMBERED_DELETIONS:
                self._deleted.popitem(last=False)
        if last is not None and self._transform is not None:
            last = self._transform(last)
        for handler in self._handlers:
            handler.on_delete(known if last is None else last, last is None)

    async def _resync(self) -> None:
        """Tell every handler about every object again, now and then."""
        while True:
            await asyncio.sleep(self._resync_seconds)
            for obj in self.store.list():
                for handler in self._handlers:
                    handler.on_update(obj, obj)


class SharedInformerFactory:
    """One informer for each collection, however many ask for it."""

    def __init__(self, client: Client, random: Random, telemetry: Telemetry) -> None:
        self.client = client
        self._random = random
        self._telemetry = telemetry
        self._informers: dict[Resource, SharedInformer] = {}
        self._tasks: asyncio.TaskGroup | None = None

    def informer(
        self,
        resource: Resource,
        *,
        indexers: Mapping[str, IndexFunction] | None = None,
        transform: Transform | None = None,
    ) -> SharedInformer:
        """The informer of a collection, with these indexes. The first to ask decides about the transform."""
        informer = self._informers.get(resource)
        if informer is None:
            informer = SharedInformer(self.client, resource, self._random, self._telemetry, transform=transform)
            self._informers[resource] = informer
            if self._tasks is not None:
                self._tasks.create_task(informer.run())
        informer.store.add_indexers(indexers or {})
        return informer

    def find(self, resource: Resource) -> SharedInformer | None:
        """The informer of a collection, if anybody asked for one."""
        return self._informers.get(resource)

    async def run(self) -> None:
        """Run every informer, those asked for later too, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                for informer in [*self._informers.values()]:
                    tasks.create_task(informer.run())
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    async def wait_for_sync(self, resources: Sequence[Resource] | None = None) -> None:
        """Until these collections (all that were asked for, by default) are listed."""
        for resource in resources if resources is not None else [*self._informers]:
            await self._informers[resource].wait_for_sync()
