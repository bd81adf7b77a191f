"""Two loops: claims look for volumes, volumes follow their claims.

Both sides are bound by updates under the resourceVersion that was looked at, the volume first: two claims that want the
same volume cannot both have it. A controller that stops half-way goes on from what is written.
"""

import asyncio

from kybern.client.informer import each
from kybern.client.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES
from kybern.controllers.context import Context, when_changed
from kybern.controllers.persistentvolume_binder.core.claim import (
    BIND_COMPLETED,
    Event,
    World,
    bound_claim,
    bound_status,
    decide_claim,
    newest_default,
    waiting_claim,
)
from kybern.controllers.persistentvolume_binder.core.match import BETA_CLASS, storage_class
from kybern.controllers.persistentvolume_binder.core.volume import (
    bound_volume,
    decide_volume,
    phase_status,
    unbound_volume,
)
from kybern.controllers.storage import CLAIM, by_claim_of_volume, by_claims_of_pod, claim_of_volume
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError

NAME = "persistentvolume-binder-controller"
RECORDER = "persistentvolume-controller"
RESOURCES = (PERSISTENT_VOLUMES, PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES, PODS)


class PersistentVolumeBinder:
    """Keys are claims in one queue, volumes in the other."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._events = context.recorder(RECORDER)
        self._volumes = context.informer(PERSISTENT_VOLUMES)
        self._volumes.store.add_indexers({CLAIM: by_claim_of_volume})
        self._claims = context.informer(PERSISTENT_VOLUME_CLAIMS)
        self._classes = context.informer(STORAGE_CLASSES)
        self._pods = context.informer(PODS)
        self._pods.store.add_indexers({CLAIM: by_claims_of_pod})
        self._claim_loop = context.controller(NAME, PERSISTENT_VOLUME_CLAIMS, self.sync_claim, workers=1)
        self._volume_loop = context.controller(f"{NAME}_volumes", PERSISTENT_VOLUMES, self.sync_volume, workers=1)
        self._claims.add_handler(when_changed(self._claim_changed))
        self._volumes.add_handler(when_changed(self._volume_changed))
        self._classes.add_handler(each(lambda changed: self._look_for_volumes()))

    async def run(self) -> None:
        await self._context.synced(*RESOURCES)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._claim_loop.run())
            tasks.create_task(self._volume_loop.run())

    # handlers

    def _claim_changed(self, claim: Object) -> None:
        """The volumes that are for it, and the one that it names, follow."""
        for volume in self._volumes.store.by_index(CLAIM, meta.key(claim)):
            self._volume_loop.queue.add(meta.name(volume))
        if claim["spec"].get("volumeName"):
            self._volume_loop.queue.add(claim["spec"]["volumeName"])

    def _volume_changed(self, volume: Object) -> None:
        key = claim_of_volume(volume)
        if key:
            self._claim_loop.queue.add(key)
        else:
            self._look_for_volumes()

    def _look_for_volumes(self) -> None:
        for claim in self._claims.store.list():
            if BIND_COMPLETED not in meta.annotations(claim):
                self._claim_loop.queue.add(meta.key(claim))

    # claims

    async def sync_claim(self, key: str) -> None:
        claim = self._claims.get(key)
        if claim is None:
            return
        name = claim["spec"].get("volumeName")
        of = self._classes.get(storage_class(claim)) if storage_class(claim) else None
        waits = [meta.name(p) for p in self._pods.store.by_index(CLAIM, key) if not p["spec"].get("nodeName")]
        volume = self._volumes.get(name) if name else None
        decided = decide_claim(claim, World(volume, self._volumes.store.list(), of, tuple(sorted(waits))))
        if decided.bind is not None:
            if not meta.is_deleting(claim) or BIND_COMPLETED in meta.annotations(claim):
                await self._bind(decided.bind, claim)
            return
        if await self._gave_class(claim):
            return  # the event of the write brings the claim back
        if decided.provisioner:
            marked = waiting_claim(claim, decided.provisioner)
            if marked is not None:
                claim = await self._client.update(PERSISTENT_VOLUME_CLAIMS, marked)
        status = claim.get("status") or {}
        was = status.get("phase")
        if was != decided.phase:
            status = {"phase": decided.phase, **{k: v for k, v in status.items() if k == "conditions"}}
            await self._client.update_status(PERSISTENT_VOLUME_CLAIMS, {**claim, "status": status})
        if decided.event is not None and (decided.phase != "Lost" or was != "Lost"):
            self._tell(claim, decided.event)

    def _tell(self, obj: Object, event: Event) -> None:
        self._events.event(obj, event.kind, event.reason, event.message)

    async def _gave_class(self, claim: Object) -> bool:
        """A claim that says nothing of its class, and finds no volume, gets the default whenever there is one."""
        if claim["spec"].get("storageClassName") is not None or BETA_CLASS in meta.annotations(claim):
            return False
        default = newest_default(self._classes.store.list())
        if not default or claim["spec"].get("volumeName"):
            return False
        spec = {**claim["spec"], "storageClassName": default}
        await self._client.update(PERSISTENT_VOLUME_CLAIMS, {**claim, "spec": spec})
        return True

    async def _bind(self, volume: Object, claim: Object) -> None:
        """Volume, its phase, claim, its status; what is written already is left alone."""
        named = bound_volume(volume, claim)
        if named is not None:
            volume = await self._client.update(PERSISTENT_VOLUMES, named)
        await self._set_phase(volume, "Bound", "")
        chosen = bound_claim(claim, volume)
        if chosen is not None:
            claim = await self._client.update(PERSISTENT_VOLUME_CLAIMS, chosen)
        status = bound_status(claim, volume)
        if status is not None:
            await self._client.update_status(PERSISTENT_VOLUME_CLAIMS, {**claim, "status": status})

    # volumes

    async def sync_volume(self, key: str) -> None:
        volume = self._volumes.get(key)
        if volume is None:
            return
        claim_key = claim_of_volume(volume)
        claim = self._claims.get(claim_key) if claim_key else None
        uid = volume["spec"]["claimRef"].get("uid") if claim_key else ""
        if uid and (claim is None or meta.uid(claim) != uid):
            claim = await self._live_claim(claim_key)  # a volume is not let go on hearsay
        decided = decide_volume(volume, claim)
        if decided.unbind:
            volume = await self._client.update(PERSISTENT_VOLUMES, unbound_volume(volume))
            await self._set_phase(volume, "Available", "")
        elif decided.phase:
            await self._set_phase(volume, decided.phase, decided.message)
        elif claim_key:
            self._claim_loop.queue.add(claim_key)

    async def _live_claim(self, key: str) -> Object | None:
        namespace, name = meta.split_key(key)
        try:
            return await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, namespace)
        except StatusError as error:
            if error.code == 404:
                return None
            raise

    async def _set_phase(self, volume: Object, phase: str, message: str) -> None:
        status = phase_status(volume, phase, message, meta.format_time(self._context.clock.now()))
        if status is None:
            return
        await self._client.update_status(PERSISTENT_VOLUMES, {**volume, "status": status})
        if phase == "Failed":
            self._tell(volume, Event("Warning", "VolumeFailedDelete", message))
