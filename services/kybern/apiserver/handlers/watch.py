"""Watch: events in batches, from the present or resumed from a revision, with bookmarks while nothing happens."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator

from kybern.apiserver.core import encoding, list_options
from kybern.apiserver.core.revision import revision_of
from kybern.apiserver.crd.late_selection import LateSelection, late_selection
from kybern.apiserver.handlers.begin import begin, selection, selectors_first
from kybern.apiserver.registry import unreadable
from kybern.apiserver.registry.request import Request, pinned_name
from kybern.apiserver.server import ApiServer
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.watcher import Watcher, batches
from kybern.kube import schema
from kybern.protos.api.v1.objects_pb2 import EventType, WatchEvent, WatchRequest, WatchResponse
from kybern.rpc.exchange.context import CallContext

BOOKMARK_SECONDS = 60.0


async def watch(server: ApiServer, message: WatchRequest, call: CallContext) -> AsyncGenerator[WatchResponse, None]:
    """Batches until the client, its timeout, or a full queue ends the stream."""
    resource = message.resource
    request = begin(server, call, "watch", resource, message.name or pinned_name(message.field_selector), None, message)
    initial_events = message.send_initial_events if message.HasField("send_initial_events") else None
    with selectors_first(message):
        list_options.check_watch(message.resource_version_match, message.continue_token, initial_events)
    cacher = request.served.storage
    chosen = selection(request.served, request.namespace, message.label_selector, message.field_selector, message.name)
    late = late_selection(request.served, chosen)
    if late is not None:
        chosen = late.early
    since, initial = await _start(server, message)
    if initial:
        unreadable.check_list(request.served, request.namespace)
    began = asyncio.get_running_loop().time()
    watcher = cacher.watch(chosen, since, request.served.converter)
    gauge = server.metrics.watchers.labels("WATCH", request.group, request.resource)
    gauge.inc()
    try:
        present = list(cacher.select(chosen)) if initial or late is not None else []
        yield WatchResponse()  # the watch stands
        if request.served.conversion is not None and present:
            present = await request.served.conversion.entries(present, request.served.info.api_version)
            present = late.entries(present) if late is not None else present
        if initial:
            cacher.lists.initial += len(present)
            for response in batches(_added(request, present)):
                yield response
                await asyncio.sleep(0)
            if message.allow_bookmarks:
                yield WatchResponse(events=[_bookmark(request, since, True)])
            if initial_events:
                _time_of(request, message.name, asyncio.get_running_loop().time() - began)
        if call.seat is not None:  # a watch that stands needs no seat
            server.flow.leave(call, 0.0, stands=True)
        if request.served.conversion is None:
            watcher.direct = call.push
        async for response in _follow(server, request, watcher, message, since, late):
            yield response
    finally:
        if watcher.slow:
            server.slow_watchers.add(request.group, request.resource)
        watcher.stop()
        gauge.dec()


def _time_of(request: Request, name: str, seconds: float) -> None:
    """A client that wanted the present state first has it after so many seconds."""
    scope = "resource" if name else "namespace" if request.namespace else "cluster"
    about = (request.group, request.served.info.version, request.resource, scope)
    request.server.watch_lists.of(*about).observe(seconds)


async def _start(server: ApiServer, message: WatchRequest) -> tuple[int, bool]:
    """(revision after which events are sent, whether the present state comes first)."""
    version = message.resource_version
    given = message.send_initial_events if message.HasField("send_initial_events") else None
    feed = server.feed
    wanted = revision_of(version, "") if version else 0
    if given or (given is None and not wanted):
        if not version:
            await feed.fresh()
        elif wanted:
            await feed.reached(wanted)
        return feed.revision, True
    if not wanted:
        return await feed.fresh() if not version else feed.revision, False
    if wanted > feed.revision:
        await feed.reached(wanted)
    return wanted, False


async def _follow(
    server: ApiServer, request: Request, watcher: Watcher, message: WatchRequest, since: int, late: LateSelection | None
) -> AsyncGenerator[WatchResponse, None]:
    loop = asyncio.get_running_loop()
    seconds = float(message.timeout_seconds) or server.settings.min_request_timeout * server.random.uniform(1, 2)
    deadline = loop.time() + seconds
    bookmark_at = loop.time() + BOOKMARK_SECONDS
    while not watcher.cut_off:
        left = min(deadline, bookmark_at) - loop.time()
        events = await watcher.wait(left) if left > 0 else []
        if events and request.served.conversion is not None:
            events = await request.served.conversion.events(events, request.served.info.api_version)
            events = late.events(events) if late is not None else events
        for response in watcher.audience.responses(events):
            yield response
        if events:
            continue
        now = loop.time()
        if message.allow_bookmarks and (now >= bookmark_at or now >= deadline):
            watcher.audience.tell()
            if not watcher.queue:
                yield WatchResponse(events=[_bookmark(request, max(server.feed.revision, since), False)])
        if now >= deadline:
            return
        if now >= bookmark_at:
            bookmark_at = now + BOOKMARK_SECONDS


def _added(request: Request, entries: Iterable[Entry]) -> Iterator[WatchEvent]:
    present = request.served.present
    for entry in entries:
        yield WatchEvent(type=EventType.EVENT_TYPE_ADDED, object=present(entry.data))


def _bookmark(request: Request, revision: int, initial: bool) -> WatchEvent:
    empty = schema.empty_object(request.served.info.gvk)
    data = encoding.bookmark(request.served.head, empty, revision, initial)
    return WatchEvent(type=EventType.EVENT_TYPE_BOOKMARK, object=data)
