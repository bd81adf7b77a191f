"""Aggregator: keeps the APIServices of local group versions, and follows the servers of the others.

Local ones are managed: made for every built-in group version (`onstart`) and every established definition's (`true`),
made again when they are deleted, and removed with the group version; those of definitions are put back when they are
changed, the others at the start. One without the label is somebody's own.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from kybern.apiserver.aggregation.client import ExtensionClient
from kybern.apiserver.aggregation.endpoints import SERVICE_NAME, SLICES
from kybern.apiserver.aggregation.follower import Follower
from kybern.apiserver.aggregation.metrics import AvailabilityMetrics
from kybern.apiserver.aggregation.remotes import Remotes
from kybern.apiserver.core import api_services
from kybern.apiserver.core.api_services import ALWAYS, CUSTOM, GROUP, LOCAL, MANAGED, ON_START, RESOURCE, VERSION, Said
from kybern.apiserver.core.user import MASTERS, User
from kybern.apiserver.crd import definition as crd
from kybern.apiserver.reconciler import Reconciler
from kybern.apiserver.registry.create import create_object
from kybern.apiserver.registry.delete import DeleteOptions, delete
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.update import change
from kybern.apiserver.storage.entry import CacheEvent
from kybern.kube.defaults import apply_defaults
from kybern.kube.status import StatusError, allowing

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

Object = dict[str, Any]
SELF = User("system:kube-aggregator", (MASTERS,))
MANAGER = "kube-apiserver"


class Aggregator(Reconciler):
    """See the module's docstring."""

    def __init__(self, server: "ApiServer", client: ExtensionClient) -> None:
        super().__init__(server, server.table.cacher(GROUP, RESOURCE))
        self.client = client
        self.remotes = Remotes(server)
        self._metrics = AvailabilityMetrics(server.telemetry.registry, lambda: list(self._cacher.entries))
        self._built_in = server.table.groups
        self._followers: dict[str, tuple[Follower, asyncio.Task[None]]] = {}
        self._seen: set[str] = set()
        self._tasks: asyncio.TaskGroup
        server.table.cacher("", "services").listeners.append(self._service_changed)
        server.table.cacher(*SLICES).listeners.append(self._service_changed)

    def _service_changed(self, event: CacheEvent) -> None:
        """Look again at the extension API servers behind a Service."""
        if self._followers:
            entry = event.entry
            names = (entry.name, entry.labels.get(SERVICE_NAME, ""))
            for follower, _ in self._followers.values():
                service = follower.backend.service
                if service.namespace == entry.namespace and service.name in names:
                    follower.wake()

    def locals(self) -> dict[str, Object]:
        """The APIServices that local group versions should have, by name."""
        built_in = {(group.name, version) for group in self._built_in for version in group.versions}
        found = {}
        for group in self.server.table.groups:
            for version in group.versions if group.name != GROUP else ():
                at = (group.name, version)
                if at in built_in:
                    made = api_services.local(*at, api_services.built_in_priority(*at), ON_START)
                else:
                    made = api_services.local(*at, CUSTOM, ALWAYS)
                found[made["metadata"]["name"]] = made
        return found

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._follow_table())
            await super().run()

    async def _follow_table(self) -> None:
        """Look at those of local group versions that come and go with the table."""
        known: set[str] = set()
        while True:
            seen = self.server.table.etag
            wanted = self.locals().keys()
            for name in wanted ^ known:
                self.add(name)
            known = set(wanted)
            await self.server.table.changed(seen)

    async def reconcile(self, name: str) -> bool:
        """Bring an APIService to what it should be. Raises StatusError."""
        entry = self._cacher.get("", name)
        wanted = self.locals().get(name)
        obj = entry.decode() if entry is not None else None
        self._follow_server(name, obj or {"spec": {}})
        if obj is None:
            if wanted is not None:
                await self._create(wanted)
            return False
        managed = bool((obj["metadata"].get("labels") or {}).get(MANAGED))
        if managed and wanted is None:
            if self.server.table.cacher(crd.GROUP, crd.RESOURCE).unreadable:
                return True  # its definition may be one of those
            await self._delete(name)
        elif managed and wanted is not None and obj["spec"] != wanted["spec"] and self._is_put_back(wanted, obj):
            await self._put_back(wanted)
        elif not obj["spec"].get("service") and not api_services.is_available(obj):
            await self.say(name, LOCAL)
        self._seen.add(name)
        return False

    def _is_put_back(self, wanted: Object, obj: Object) -> bool:
        """One of a built-in group version is at the start only, and when it names a server."""
        name = wanted["metadata"]["name"]
        always = wanted["metadata"]["labels"][MANAGED] == ALWAYS
        return always or name not in self._seen or bool(obj["spec"].get("service"))

    def follower(self, name: str) -> Follower | None:
        """Who follows the server of an APIService, if it has one."""
        found = self._followers.get(name)
        return found[0] if found is not None else None

    def _follow_server(self, name: str, obj: Object) -> None:
        """Exactly one follower for an APIService with a server of its own."""
        known, spec = self._followers.get(name), obj["spec"]
        if known is not None and known[0].spec == spec:
            return
        if known is not None:
            known[1].cancel()
            self._metrics.forget(name)
            del self._followers[name]
            if not spec.get("service"):
                self.remotes.drop(known[0].at)
        if spec.get("service"):
            follower = Follower(self, name, spec, api_services.is_available(obj))
            self._followers[name] = (follower, self._tasks.create_task(follower.run()))

    async def say(self, name: str, said: Said) -> None:
        """Write what is known of availability, if that is news."""
        self._metrics.record(name, said)
        entry = self._cacher.get("", name)
        if entry is None:
            return
        now = self.server.clock.now()
        obj = entry.decode()
        if obj.get("status") == api_services.decide_status(obj, said, now):
            return

        async def produce(current: Object) -> Object:
            return {**current, "status": api_services.decide_status(current, said, now)}

        await self._change(name, "status", produce)

    async def _put_back(self, wanted: Object) -> None:
        async def produce(current: Object) -> Object:
            metadata = dict(current["metadata"])
            metadata["labels"] = {**(metadata.get("labels") or {}), **wanted["metadata"]["labels"]}
            return {**current, "metadata": metadata, "spec": wanted["spec"]}

        await self._change(wanted["metadata"]["name"], "", produce)

    async def _change(self, name: str, subresource: str, produce: Any) -> None:
        with allowing(404):
            await change(self._request("update", name, subresource), produce)

    async def _create(self, wanted: Object) -> None:
        request = self._request("create", wanted["metadata"]["name"])
        apply_defaults(request.served.info, wanted)
        try:
            await create_object(request, wanted)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise

    async def _delete(self, name: str) -> None:
        with allowing(404):
            await delete(self._request("delete", name), DeleteOptions())

    def _request(self, verb: str, name: str, subresource: str = "") -> Request:
        served = self.server.table.find(GROUP, VERSION, RESOURCE)
        return Request(self.server, SELF, verb, served, "", name, subresource=subresource, field_manager=MANAGER)
