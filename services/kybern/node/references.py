"""ConfigMaps, Secrets and other single objects that pods need: read once, then watched while a pod needs them."""

import asyncio
from collections.abc import Callable
from random import Random

from kybern.client.messages import DELETED
from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, SECRETS, Resource
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.node.core.volumes import Reference

RESOURCES = {"configmap": CONFIG_MAPS, "secret": SECRETS}
Key = tuple[Resource, str, str]


class References:
    """A cache of referenced objects. `changed` is called with the uids of the pods concerned."""

    def __init__(self, client: Client, random: Random, changed: Callable[[set[str]], None]) -> None:
        self._client, self._random, self._changed = client, random, changed
        self._objects: dict[Key, Object] = {}
        self._users: dict[Key, set[str]] = {}
        self._watches: dict[Key, asyncio.Task[None]] = {}
        self._reading: dict[Key, asyncio.Future[Object | None]] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Keep watching until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            await asyncio.Event().wait()

    async def read(self, pod: Object, reference: Reference) -> Object | None:
        """The object for a pod (None: there is none), from now on kept current for it. Raises StatusError."""
        key = (RESOURCES[reference.kind], meta.namespace(pod), reference.name)
        self._users.setdefault(key, set()).add(meta.uid(pod))
        if key in self._objects:
            return self._objects[key]
        if key not in self._reading:
            self._reading[key] = asyncio.ensure_future(self._read(key))
        return await asyncio.shield(self._reading[key])

    async def _read(self, key: Key) -> Object | None:
        try:
            found = await self._client.get(key[0], key[2], key[1])
        except StatusError as error:
            if error.code == 404:
                return None
            raise
        finally:
            del self._reading[key]
        if self._users.get(key):
            self._objects[key] = found
            if key not in self._watches and self._tasks is not None:
                self._watches[key] = self._tasks.create_task(self._watch(key, meta.resource_version(found)))
        return found

    async def _watch(self, key: Key, version: str) -> None:
        resource, namespace, name = key
        while True:
            try:
                async for events in self._client.watch(
                    resource, namespace, name=name, field_selector=f"metadata.name={name}", resource_version=version
                ):
                    for event in events:
                        version = meta.resource_version(event.object) or version
                        if meta.name(event.object) == name:
                            self._take(key, None if event.type == DELETED else event.object)
            except StatusError as error:
                version = "" if error.code == 410 else version
                await asyncio.sleep(1.0 + 9.0 * self._random.random())
                version = await self._reread(key, version)

    async def _reread(self, key: Key, version: str) -> str:
        """After a broken watch: what is it now?"""
        try:
            found = await self._client.get(key[0], key[2], key[1])
        except StatusError as error:
            if error.code == 404:
                self._take(key, None)
            return version
        self._take(key, found)
        return meta.resource_version(found)

    def _take(self, key: Key, obj: Object | None) -> None:
        old = self._objects.get(key)
        if obj is None:
            self._objects.pop(key, None)  # the watch goes on: the object may come back
        else:
            self._objects[key] = obj
        if (old or {}).get("data") != (obj or {}).get("data") or (old or {}).get("binaryData") != (obj or {}).get(
            "binaryData"
        ):
            self._changed(set(self._users.get(key, ())))

    def release(self, uid: str) -> None:
        """A pod is gone: stop watching what only it needed."""
        for key in [key for key, users in self._users.items() if uid in users]:
            self._users[key].discard(uid)
            if not self._users[key]:
                del self._users[key]
                self._objects.pop(key, None)
                self._stop(key)

    def _stop(self, key: Key) -> None:
        task = self._watches.pop(key, None)
        if task is not None:
            task.cancel()
