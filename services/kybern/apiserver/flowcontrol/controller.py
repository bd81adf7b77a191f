"""Keeps flow control as the stored objects say, and the stored objects as the defaults and their levels say."""

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from kybern.apiserver.bootstrap.objects import FLOW, FLOW_MANAGER, flow_objects
from kybern.apiserver.core.flowcontrol.configuration import configuration, maintained, needs_condition
from kybern.apiserver.core.flowcontrol.limits import PERIOD
from kybern.apiserver.core.user import APISERVER
from kybern.apiserver.flowcontrol.gate import FlowControl
from kybern.apiserver.registry.apply import apply
from kybern.apiserver.registry.create import create_object
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.update import change
from kybern.apiserver.storage.entry import CacheEvent
from kybern.kube import meta
from kybern.kube.defaults import apply_defaults
from kybern.kube.status import StatusError

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

Object = dict[str, Any]
STATUS_MANAGER = "api-priority-and-fairness-config-consumer-v1"
LOOK = 0.05  # seconds between looks at a busy event loop
SAMPLES = 20  # of demand between adjustments
MAINTAIN = 60.0  # seconds between looks at the default objects
SCHEMAS, LEVELS = "flowschemas", "prioritylevelconfigurations"
RESOURCES = {"FlowSchema": SCHEMAS, "PriorityLevelConfiguration": LEVELS}


class FlowController:
    """`follow` once, then `run` for the life of the server."""

    def __init__(self, server: "ApiServer", flow: FlowControl) -> None:
        self._server = server
        self._flow = flow
        self._changed = asyncio.Event()

    def follow(self) -> None:
        """Take what is stored, and keep up with it."""
        for resource in (SCHEMAS, LEVELS):
            self._server.table.cacher(FLOW, resource).listeners.append(self._listen)
        self.reload()

    def _listen(self, event: CacheEvent) -> None:
        if event.prev is None or event.deleted or _generation(event.entry.decode()) != _generation(event.prev.decode()):
            self.reload()

    def reload(self) -> None:
        """Read the whole configuration: it is small, and changes rarely."""
        schemas, levels = self._stored(SCHEMAS), self._stored(LEVELS)
        self._flow.configure(configuration(schemas, levels, [obj for _, _, obj in flow_objects()]))
        self._changed.set()

    def _stored(self, resource: str) -> list[Object]:
        return [entry.decode() for entry in self._server.table.cacher(FLOW, resource).entries.values()]

    async def run(self) -> None:
        """Adjust limits, maintain defaults, tell of dangling schemas."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._adjust())
            tasks.create_task(self._maintain())
            tasks.create_task(self._conditions())

    async def _adjust(self) -> None:
        while True:
            for _ in range(SAMPLES):
                await self._watch_the_loop(PERIOD / SAMPLES)
                self._flow.sample()
            self._flow.adjust()

    async def _watch_the_loop(self, seconds: float) -> None:
        """Let time pass; see how late the loop is, more often while there is much to do."""
        time = asyncio.get_running_loop().time
        end = time() + seconds
        while (now := time()) < end:
            pause = min(LOOK, end - now) if self._flow.busy or self._flow.share < 1.0 else end - now
            await asyncio.sleep(pause)
            self._flow.press(time() - now - pause)

    async def _maintain(self) -> None:
        while True:
            await asyncio.sleep(MAINTAIN)
            for _, _, wanted in flow_objects():
                await self._carefully(wanted, self._restore)
            self._changed.set()  # look again at conditions that could not be written

    async def _conditions(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for obj in self._stored(SCHEMAS):
                if needs_condition(obj, self._flow.levels) is not None:
                    await self._carefully(obj, self._condition)

    async def _carefully(self, obj: Object, step: Any) -> None:
        try:
            await step(obj)
        except StatusError as error:  # somebody else was faster, or the store is away: the next round sees to it
            name = f"{obj['kind']} {obj['metadata']['name']}"
            self._server.telemetry.log.info("flow control left %s as it is: %s", name, error)

    async def _restore(self, wanted: Object) -> None:
        """Make a default object, or bring it back to what it should be."""
        request = self._request(wanted, "create", FLOW_MANAGER)
        apply_defaults(request.served.info, wanted)
        entry = request.served.storage.get("", request.name)
        if entry is None:
            await create_object(request, wanted)
        elif maintained(entry.decode(), wanted) is not None:

            async def produce(current: Object) -> Object:
                return maintained(current, wanted) or current

            await change(request, produce)

    async def _condition(self, obj: Object) -> None:
        condition = needs_condition(obj, self._flow.levels)
        if condition is None:
            return
        request = self._request(obj, "patch", STATUS_MANAGER)
        request.subresource = "status"
        condition["lastTransitionTime"] = meta.format_time(request.now)
        about = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": {"name": request.name}}
        await apply(request, orjson.dumps({**about, "status": {"conditions": [condition]}}), True)

    def _request(self, obj: Object, verb: str, manager: str) -> Request:
        served = self._server.table.find(FLOW, "v1", RESOURCES[obj["kind"]])
        return Request(self._server, APISERVER, verb, served, "", obj["metadata"]["name"], field_manager=manager)


def _generation(obj: Object) -> int:
    return obj["metadata"].get("generation") or 0
