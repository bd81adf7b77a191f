"""ResourceQuota: a write that uses a namespace's quota is counted there before it is made, or refused.

Writes that wait for the same namespace are judged together, one after the other, and the quotas' new status is written
once for all of them, under the revision it was read at; so creations at the same moment never exceed a quota, in
however many apiservers they happen. What a quota counts is trusted while this server wrote it last. After anybody
else's write (the controller counts from caches that are a moment old) all of the namespace is counted again here first.
What was counted and then not made is given back by the controller, when it counts the next time.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.registry import commit
from kybern.apiserver.registry.commit import Stale
from kybern.apiserver.registry.field_managers import track_update
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.selection import Selection
from kybern.kube.quota.amounts import Amounts, add, largest, mask, read, write
from kybern.kube.quota.charge import LimitedResource, QuotaRefusal, Write, decide_charge, matches
from kybern.kube.quota.evaluators import IGNORED, evaluator
from kybern.kube.quota.total import total_usage
from kybern.kube.status import StatusError, conflict, forbidden

ATTEMPTS = 20
MANAGER = "kube-apiserver"


@dataclass
class Waiting:
    """A write on its way through admission."""

    request: Request
    write: Write
    counts: bool = True  # else it is judged alone: nothing will be written
    decided: bool = False
    error: StatusError | None = None


@dataclass
class Namespace:
    """What this server remembers of a namespace with quotas."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[Waiting] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)  # quota → revision of our own last write
    coming: dict[str, Write] = field(default_factory=dict)  # uid → counted, perhaps not stored yet

    def expect(self, waiting: Waiting) -> None:
        """Remember a write that has been counted until it is made, or has failed."""
        uid = waiting.write.new["metadata"]["uid"]
        self.coming[uid] = waiting.write

        def forget() -> None:
            self.coming.pop(uid, None)

        waiting.request.on_settled.append(forget)


class ResourceQuota(Plugin):
    """See the module's docstring. `limited`: what may be used only where a quota covers it."""

    name = "ResourceQuota"

    def __init__(self, limited: tuple[LimitedResource, ...] = ()) -> None:
        self._limited = limited
        self._namespaces: dict[str, Namespace] = {}

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        served = request.served
        kind = (served.stored.group, served.stored.resource)
        if (
            new is None
            or not request.namespace
            or served.cacher is None
            or not served.info.namespaced
            or kind in IGNORED
        ):
            return
        known = evaluator(*kind)
        if not known.handles(operation, request.subresource, new, old):
            return
        if not self._limited and next(_quotas(request), None) is None:
            self._namespaces.pop(request.namespace, None)
            return
        taken = served.storage.get(request.namespace, request.name) is not None
        taken = taken and operation == CREATE and not new["metadata"].get("generateName")
        before = old if operation != CREATE else None
        write = Write(known, new, before, request.subresource)
        await self._decide(Waiting(request, write, counts=not (request.dry_run or taken)))
        if taken:
            raise commit.exists(request)

    async def _decide(self, mine: Waiting) -> None:
        """Whoever gets the lock first decides for all that wait. Raises StatusError."""
        namespace = self._namespaces.setdefault(mine.request.namespace, Namespace())
        namespace.waiting.append(mine)
        try:
            async with namespace.lock:
                if not mine.decided:
                    await asyncio.sleep(0)  # let others that came in the same moment join
                    await self._decide_all(namespace, mine.request)
        finally:
            if not mine.decided:
                namespace.waiting.remove(mine)
        if mine.error is not None:
            raise mine.error

    async def _decide_all(self, namespace: Namespace, request: Request) -> None:
        batch = [*namespace.waiting]
        for _ in range(ATTEMPTS):
            try:
                await self._attempt(namespace, request, batch)
            except Stale:
                continue
            break
        else:
            for waiting in batch:
                waiting.error = conflict("", "resourcequotas", "")
        for waiting in batch:
            waiting.decided = True
            namespace.waiting.remove(waiting)

    async def _attempt(self, namespace: Namespace, request: Request, batch: list[Waiting]) -> None:
        """Judge the batch by the quotas as they are, and write what they count then. Raises Stale."""
        entries = {entry.name: entry for entry in _quotas(request)}
        quotas = {name: entry.decode() for name, entry in entries.items()}
        for name, entry in entries.items():
            if namespace.written.get(name) != entry.revision:
                _count_again(namespace, request, quotas[name])
        changed: dict[str, None] = {}
        for waiting in batch:
            waiting.error = None
            try:
                charged = decide_charge([*quotas.values()], waiting.write, request.now, self._limited)
            except QuotaRefusal as refusal:
                of = waiting.request
                waiting.error = forbidden(of.group, of.resource, of.name, str(refusal))
                continue
            if not waiting.counts:
                continue
            for name, used in charged.items():
                quotas[name]["status"]["used"] = write(used)
                changed[name] = None
        for name in changed:
            revision = await _put(request, quotas[name], entries[name])
            namespace.written[name] = revision
        self._remember(namespace, batch)

    def _remember(self, namespace: Namespace, batch: list[Waiting]) -> None:
        for waiting in batch:
            if waiting.error is None and waiting.counts:
                namespace.expect(waiting)


def _quotas(request: Request) -> Iterator[Entry]:
    cacher = request.server.table.cacher("", "resourcequotas")
    return cacher.select(Selection(request.namespace)) if cacher.entries else iter(())


async def _put(request: Request, quota: Object, entry: Entry) -> int:
    """Write the status; its revision. Raises Stale."""
    served = request.server.table.find("", "v1", "resourcequotas")
    name = quota["metadata"]["name"]
    writing = Request(request.server, request.user, "update", served, request.namespace, name, "status")
    writing.field_manager = MANAGER
    track_update(writing, quota, entry.decode())
    quota["metadata"].pop("resourceVersion", None)
    stored = orjson.loads(await commit.put(writing, quota, entry.revision))
    return int(stored["metadata"]["resourceVersion"])  # the cache may hold somebody else's newer one


def _count_again(namespace: Namespace, request: Request, quota: Object) -> None:
    """Let the quota count at least what is in the caches and what is on its way there."""
    status = quota.get("status") or {}
    hard = read(status.get("hard"))
    if not hard:
        return
    table = request.server.table

    def objects(group: str, resource: str) -> list[Object] | None:
        cacher = table.cachers.get((group, resource))
        if cacher is None:
            return None
        return [entry.decode() for entry in cacher.select(Selection(request.namespace))]

    counted = total_usage(
        {**quota, "spec": {**(quota.get("spec") or {}), "hard": status["hard"]}}, objects, request.now
    )
    for uid, made in namespace.coming.items():
        cacher = table.cachers.get((made.evaluator.group, made.evaluator.resource))
        entry = cacher.get(request.namespace, made.new["metadata"]["name"]) if cacher is not None else None
        if (entry is None or entry.uid != uid) and matches(quota, hard, made.evaluator, made.new):
            counted = add(counted, _usage(made, hard, request.now))
    used = read(status.get("used"))
    status["used"] = write(largest(used, mask(counted, used)))


def _usage(made: Write, hard: Amounts, now: datetime) -> Amounts:
    return mask(made.evaluator.usage(made.new, now), hard)
