"""The pods of one kind of owner: whose they are, and making and removing them in batches.

The informer lags behind a controller's own writes: what has been asked for and not been seen is expected, and until
nothing is expected of a key its pods are not counted (`settled`).
"""

import asyncio
from collections.abc import Callable, Sequence

from kybern.client.informer import EventHandler
from kybern.client.resources import PODS, Resource
from kybern.client.store import CONTROLLER, NAMESPACE
from kybern.controllers.claim import claim
from kybern.controllers.context import ORPHAN, Context
from kybern.controllers.core.expectations import Expectations
from kybern.controllers.pod_control import PodControl, first_error, is_namespace_terminating, slow_start_batch
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import Selector, from_label_selector
from kybern.kube.status import StatusError


class OwnedPods:
    """For one controller. `name` is under what it reports events."""

    def __init__(self, context: Context, name: str, owner_resource: Resource) -> None:
        self._client = context.client
        self._control = PodControl(context.client, context.recorder(name))
        self._expectations = Expectations()
        self._resource = owner_resource
        self.informer = context.informer(PODS, CONTROLLER, ORPHAN)
        self._owners = context.informer(owner_resource, NAMESPACE)

    # whose they are

    def owner_key(self, pod: Object) -> str:
        """The key of the pod's controller, if that is of this kind; "" otherwise."""
        ref = meta.controller_of(pod)
        if ref is None or ref.get("kind") != self._resource.kind:
            return ""
        return meta.join_key(meta.namespace(pod), ref["name"])

    async def of(self, owner: Object, selector: Selector) -> list[Object]:
        """The owner's pods, after adopting and releasing. Raises StatusError."""
        store = self.informer.store
        candidates = store.by_index(CONTROLLER, meta.uid(owner)) + store.by_index(ORPHAN, meta.namespace(owner))
        return await claim(self._client, owner, self._resource, selector, candidates, PODS)

    # what is expected

    def settled(self, key: str) -> bool:
        """Whether every write for the key has been seen."""
        return self._expectations.satisfied(key, asyncio.get_running_loop().time())

    def forget(self, key: str) -> None:
        """The owner is gone."""
        self._expectations.forget(key)

    def observe_creation(self, pod: Object) -> str:
        """A pod has come; its owner's key."""
        key = self.owner_key(pod)
        if key:
            self._expectations.creation_observed(key)
        return key

    def observe_deletion(self, pod: Object) -> str:
        """A pod is gone, or on its way; its owner's key."""
        key = self.owner_key(pod)
        if key:
            self._expectations.deletion_observed(key, meta.uid(pod))
        return key

    def handler(self, enqueue: Callable[[str], None]) -> EventHandler:
        """Brings the owner's key whenever a pod changes, and the keys of those who may adopt one that has no owner."""

        def look(key: str) -> None:
            if key:
                enqueue(key)

        def offer(pod: Object) -> None:
            for key in self._adopters(pod):
                enqueue(key)

        def on_add(pod: Object) -> None:
            look(self.observe_creation(pod))
            offer(pod)

        def on_update(old: Object, new: Object) -> None:
            key = self.observe_deletion(new) if meta.is_deleting(new) else self.owner_key(new)
            look(key)
            if self.owner_key(old) != key:
                look(self.owner_key(old))
            if meta.controller_of(old) is not None or meta.labels(old) != meta.labels(new):
                offer(new)

        return EventHandler(
            on_add=on_add,
            on_update=on_update,
            on_delete=lambda pod, unknown: look(self.observe_deletion(pod)),
        )

    def _adopters(self, pod: Object) -> list[str]:
        if meta.controller_of(pod) is not None or meta.is_deleting(pod):
            return []
        owners = self._owners.store.by_index(NAMESPACE, meta.namespace(pod))
        labels = meta.labels(pod)
        return [meta.key(one) for one in owners if from_label_selector(one["spec"].get("selector")).matches(labels)]

    # making and removing

    async def create(self, key: str, owner: Object, count: int, make: Callable[[int], Object]) -> StatusError | None:
        """Create `make(0)` … `make(count-1)`, slowly at first; the first error, if any."""
        return await self.change(key, owner, count, make, ())

    async def delete(self, key: str, owner: Object, victims: Sequence[Object]) -> StatusError | None:
        """Delete these pods, all at once; the first error, if any."""
        return await self.change(key, owner, 0, lambda number: {}, victims)

    async def change(
        self, key: str, owner: Object, count: int, make: Callable[[int], Object], victims: Sequence[Object]
    ) -> StatusError | None:
        """Create and delete; the first error, if any."""
        now = asyncio.get_running_loop().time()
        self._expectations.expect(key, count, (meta.uid(pod) for pod in victims), now)
        tried = 0

        async def create(number: int) -> None:
            nonlocal tried
            tried += 1
            try:
                await self._control.create(owner, make(number))
            except StatusError as error:
                self._expectations.creation_observed(key)
                if not is_namespace_terminating(error):
                    raise

        async def delete(pod: Object) -> None:
            try:
                await self._control.delete(owner, pod)
            except StatusError as error:
                self._expectations.deletion_observed(key, meta.uid(pod))
                if error.code != 404:
                    raise

        _, error = await slow_start_batch(count, create)
        self._expectations.creation_observed(key, count - tried)
        removal = await first_error([delete(pod) for pod in victims])
        return error or removal
