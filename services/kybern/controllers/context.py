"""What every controller is given: client, shared informers, clock, randomness, events, flags.

Controllers share the informers of a process, so that each collection is watched once. Handlers put keys on queues;
queues are worked off once the informers that a controller reads have synced.
"""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from kybern.client.controller import Controller, Reconcile
from kybern.client.events import EventRecorder
from kybern.client.informer import EventHandler, SharedInformer, SharedInformerFactory, each
from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, Resource
from kybern.client.store import CONTROLLER, NAMESPACE, NODE, by_controller, by_namespace, by_node
from kybern.clock import Clock
from kybern.controllers.core.config_maps import only_published
from kybern.controllers.monitors import Monitors
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.pki.token_keys import TokenKeys
from kybern.telemetry import Telemetry

ORPHAN = "orphan"
INDEXERS = {NAMESPACE: by_namespace, CONTROLLER: by_controller, NODE: by_node}


def by_orphanhood(obj: Object) -> tuple[str, ...]:
    """The namespace of an object that has no controller."""
    return () if meta.controller_of(obj) else (meta.namespace(obj),)


class Runnable(Protocol):
    """A controller, ready to run."""

    async def run(self) -> None: ...


@dataclass
class Context:
    """The world of a controller."""

    client: Client
    informers: SharedInformerFactory
    clock: Clock
    random: Random
    telemetry: Telemetry
    options: Namespace
    channel: Any
    recorders: dict[str, EventRecorder] = field(default_factory=dict)
    root_ca: str = ""
    token_keys: TokenKeys | None = None
    _monitors: Monitors | None = None

    @property
    def monitors(self) -> Monitors:
        """Informers of every kind that can be deleted, run by the service if anybody asked for them."""
        if self._monitors is None:
            self._monitors = Monitors(self.client, self.informers, self.channel, self.random, self.telemetry)
        return self._monitors

    def shared(self) -> list[Runnable]:
        """What controllers have asked for and the service has to run beside them."""
        return [*self.recorders.values(), *([self._monitors] if self._monitors is not None else [])]

    def recorder(self, component: str) -> EventRecorder:
        """The event recorder of a controller, run by the service."""
        if component not in self.recorders:
            self.recorders[component] = EventRecorder(self.client, component, self.clock, self.telemetry)
        return self.recorders[component]

    def informer(self, resource: Resource, *indexes: str) -> SharedInformer:
        """The shared informer of a collection, with these indexes of `INDEXERS` and `ORPHAN`."""
        functions = {**INDEXERS, ORPHAN: by_orphanhood}
        transform = only_published if resource == CONFIG_MAPS else without_managed_fields
        return self.informers.informer(
            resource, indexers={name: functions[name] for name in indexes}, transform=transform
        )

    def controller(
        self, name: str, resource: Resource, reconcile: Reconcile, *, workers: int = 5, watch: bool = True
    ) -> Controller:
        """A loop over the keys of a collection. With `watch`, every change of an object brings its key."""
        informer = self.informer(resource)
        loop = Controller(
            name,
            reconcile,
            self.telemetry,
            traceparent=informer.traceparent,
            resource=resource.resource,
            workers=workers,
        )
        if watch:
            informer.add_handler(each(lambda obj: loop.queue.add(meta.key(obj))))
        return loop

    async def synced(self, *resources: Resource) -> None:
        """Until these collections are mirrored."""
        await self.informers.wait_for_sync(resources)


def without_managed_fields(obj: Object) -> Object:
    """Drop what no controller reads and what fills much of an object."""
    meta.metadata(obj).pop("managedFields", None)
    return obj


def when_changed(do: Callable[[Object], None]) -> EventHandler:
    """A handler for objects that concern others: before an update it also speaks for the old state."""

    def on_update(old: Object, new: Object) -> None:
        do(old)
        do(new)

    return EventHandler(on_add=do, on_update=on_update, on_delete=lambda obj, unknown: do(obj))


Starter = Callable[[Context], Runnable]
