"""EventRecorder: Events about objects, for `kubectl describe` and `kubectl get events`.

Recording never waits and never fails: happenings go into a bounded queue, and what the correlator makes of them is
written in the background. When the apiserver is away for long, the oldest happenings are dropped.
"""

import asyncio
from collections import deque

from kybern.client.event_correlation import Correlator, Happening, Record
from kybern.client.objects import Client
from kybern.client.resources import EVENTS
from kybern.clock import Clock
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.telemetry import Telemetry
from kybern.telemetry.telemetry import nanoseconds

NORMAL, WARNING = "Normal", "Warning"
MAX_WAITING = 4096
MAX_MESSAGE = 1024
TRIES = 12
AT_ONCE = 64  # Events written at the same time
RETRY_SECONDS = 10.0


class EventRecorder:
    """Records what one component (`deployment-controller`, …) has to say; `host` is set by node agents."""

    def __init__(self, client: Client, component: str, clock: Clock, telemetry: Telemetry, *, host: str = "") -> None:
        self._client = client
        self._component = component
        self._host = host
        self._clock = clock
        self._log = telemetry.log
        self._correlator = Correlator()
        self._names: dict[tuple[str, ...], str] = {}
        self._waiting: deque[tuple[Happening, str]] = deque(maxlen=MAX_WAITING)
        self._wake = asyncio.Event()
        self._last_number = 0  # in names; no two are the same, however fast events follow each other

    def event(
        self, obj: Object, type_: str, reason: str, message: str, *, action: str = "", field_path: str = ""
    ) -> None:
        """Report something about an object."""
        reference = (
            meta.api_version(obj),
            meta.kind(obj),
            meta.namespace(obj),
            meta.name(obj),
            meta.uid(obj),
            meta.resource_version(obj),
            field_path,
        )
        happening = Happening(meta.namespace(obj) or "default", reference, type_, reason, message[:MAX_MESSAGE], action)
        self._waiting.append((happening, meta.format_time(self._clock.now())))
        self._wake.set()

    async def run(self) -> None:
        """Write Events until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                async with asyncio.TaskGroup() as tasks:
                    for row in self._take().values():
                        tasks.create_task(self._write_row(row))

    def _take(self) -> dict[tuple[str, ...], list[tuple[Happening, Record, str]]]:
        """The oldest that wait, by what they are about: rows are written at the same time, a row in its order."""
        rows: dict[tuple[str, ...], list[tuple[Happening, Record, str]]] = {}
        now = asyncio.get_running_loop().time()
        for _ in range(min(AT_ONCE, len(self._waiting))):
            happening, time = self._waiting.popleft()
            record = self._correlator.observe(happening, now)
            if record is not None:
                rows.setdefault(record.key, []).append((happening, record, time))
        return rows

    async def _write_row(self, row: list[tuple[Happening, Record, str]]) -> None:
        for happening, record, time in row:
            await self._write(happening, record, time)

    async def _write(self, happening: Happening, record: Record, time: str) -> None:
        for attempt in range(TRIES):
            try:
                await self._write_once(happening, record, time)
                return
            except StatusError as error:
                if error.code < 500 and error.code != 429:
                    self._correlator.forget(record.key)
                    self._log.info("event %s about %s was refused: %s", happening.reason, happening.object[3], error)
                    return
                if attempt == TRIES - 1:
                    self._log.warning("event %s about %s is lost: %s", happening.reason, happening.object[3], error)
                    return
            await asyncio.sleep(RETRY_SECONDS)

    async def _write_once(self, happening: Happening, record: Record, time: str) -> None:
        name = self._names.get(record.key) if record.count > 1 else None
        if name is not None:
            patch: Object = {"count": record.count, "lastTimestamp": time, "message": record.message}
            try:
                await self._client.patch(EVENTS, name, happening.namespace, patch=patch)
                return
            except StatusError as error:
                if error.code != 404:
                    raise
        self._last_number = max(self._last_number + 1, nanoseconds(self._clock.now()))
        name = f"{happening.object[3]}.{self._last_number:x}"
        await self._client.create(EVENTS, self._event(happening, record, name, time))
        self._names.pop(record.key, None)
        self._names[record.key] = name
        if len(self._names) > 4096:
            self._names.pop(next(iter(self._names)))

    def _event(self, happening: Happening, record: Record, name: str, time: str) -> Object:
        fields = ("apiVersion", "kind", "namespace", "name", "uid", "resourceVersion", "fieldPath")
        source = {"component": self._component, "host": self._host}
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": happening.namespace},
            "involvedObject": {key: value for key, value in zip(fields, happening.object, strict=True) if value},
            "type": happening.type,
            "reason": happening.reason,
            "message": record.message,
            "source": {key: value for key, value in source.items() if value},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": record.count,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
        if happening.action:
            event["action"] = happening.action
        return event
