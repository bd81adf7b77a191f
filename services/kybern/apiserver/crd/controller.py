"""The life of definitions: names are accepted, resources established; at the end objects go first."""

from typing import TYPE_CHECKING, Any

from kybern.apiserver.core import keys
from kybern.apiserver.core.user import APISERVER
from kybern.apiserver.crd.definition import FINALIZER, GROUP, RESOURCE, VERSION, is_established, is_terminating
from kybern.apiserver.crd.names import conditions, decide_status
from kybern.apiserver.reconciler import Reconciler
from kybern.apiserver.registry.delete import DeleteOptions, delete
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.update import change
from kybern.apiserver.storage.entry import CacheEvent
from kybern.apiserver.storage.failure import StorageFailed
from kybern.kube.status import allowing
from kybern.store.contract import Put, Write
from kybern.store.errors import StoreUnavailable

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

Object = dict[str, Any]
MANAGER = "kube-apiserver"
IN_PROGRESS = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
NEVER = ("False", "NeverEstablished", "resource was never established")
COMPLETED = ("False", "InstanceDeletionCompleted", "removed all instances")


class DefinitionController(Reconciler):
    """See the module's docstring."""

    def __init__(self, server: "ApiServer") -> None:
        super().__init__(server, server.table.cacher(GROUP, RESOURCE))

    def _follow(self, event: CacheEvent) -> None:
        self.add(event.entry.name)
        if event.deleted:  # names have become free
            self._add_all()

    def _add_all(self) -> None:
        for name in self._cacher.entries:
            self.add(name)

    async def reconcile(self, name: str) -> bool:
        """Bring a definition one step further; whether to look again."""
        entry = self._cacher.get("", name)
        if entry is None:
            return False
        crd = entry.decode()
        if is_terminating(crd):
            return await self._finalize(crd) if FINALIZER in (crd["metadata"].get("finalizers") or ()) else False
        deciding = await self._alone(crd["spec"]["group"])
        if decide_status(crd, self._all(), self.server.clock.now()) != crd.get("status"):

            async def produce(current: Object) -> Object:
                return {**current, "status": decide_status(current, self._all(), self.server.clock.now())}

            await self._write(name, "status", produce, deciding)
            self._add_all()  # a name it had may be free now
        return False

    async def _alone(self, group: str) -> tuple[Write, ...]:
        """What lets a decision about a group's names fail if another apiserver takes one in the same moment; all former
        ones are in the caches then."""
        feed = self.server.feed
        if feed.store.exclusive:
            return ()
        key = f"{keys.ROOT}ranges/customresourcenames/{group}"
        try:
            kv, _ = await feed.store.get(key)
        except StoreUnavailable as error:
            raise StorageFailed(error) from error
        revision = kv.mod_revision if kv is not None else 0
        await feed.reached(revision)
        return (Put(key, b"", revision),)

    def _all(self) -> list[Object]:
        return [entry.decode() for entry in self._cacher.entries.values()]

    async def _finalize(self, crd: Object) -> bool:
        """Delete every object; let go of the definition when none is left."""
        name = crd["metadata"]["name"]
        cacher = self.server.custom.cacher(crd)
        if cacher is not None and cacher.entries:
            await self._say(name, IN_PROGRESS)
            await self._delete_objects(crd)
            if cacher.entries:
                return True
        await self._say(name, COMPLETED if is_established(crd) else NEVER)

        async def produce(current: Object) -> Object:
            metadata = dict(current["metadata"])
            metadata["finalizers"] = [one for one in metadata.get("finalizers") or () if one != FINALIZER]
            return {**current, "metadata": metadata}

        await self._write(name, "", produce)
        return False

    async def _delete_objects(self, crd: Object) -> None:
        spec, table = crd["spec"], self.server.table
        served = next(
            (
                one
                for one in table.served.values()
                if (one.group, one.resource) == (spec["group"], spec["names"]["plural"])
            ),
            None,
        )
        if served is None:
            return
        for entry in list(served.storage.entries.values()):
            if entry.decode()["metadata"].get("deletionTimestamp"):
                continue
            request = Request(self.server, APISERVER, "delete", served, entry.namespace, entry.name)
            with allowing(404):
                await delete(request, DeleteOptions())

    async def _say(self, name: str, terminating: tuple[str, str, str]) -> None:
        async def produce(current: Object) -> Object:
            said = conditions(current, {"Terminating": terminating}, self.server.clock.now())
            return {**current, "status": {**(current.get("status") or {}), "conditions": said}}

        await self._write(name, "status", produce)

    async def _write(self, name: str, subresource: str, produce: Any, along: tuple[Write, ...] = ()) -> None:
        served = self.server.table.find(GROUP, VERSION, RESOURCE)
        request = Request(
            self.server,
            APISERVER,
            "update",
            served,
            "",
            name,
            subresource=subresource,
            field_manager=MANAGER,
            along=along,
        )
        with allowing(404):
            await change(request, produce)
