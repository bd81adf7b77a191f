"""Watches: one chunk per batch of events, each event a line of JSON, until the client or the apiserver ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson

from kybern.gateway import answers
from kybern.gateway.api import Api, behind
from kybern.gateway.core import options, views
from kybern.gateway.core.frames import NAMES
from kybern.gateway.core.negotiation import OFFERED_LISTS, OFFERED_STREAMS, MediaType
from kybern.gateway.core.views import TableView
from kybern.gateway.handlers.ahead import Ahead
from kybern.gateway.handlers.protobuf_list import AT_ONCE
from kybern.gateway.handlers.read import table_view
from kybern.gateway.handlers.target import Target
from kybern.gateway.handlers.watch_sink import WatchSink
from kybern.gateway.http.message import Request
from kybern.kube import protobuf
from kybern.kube.status import StatusError, not_acceptable
from kybern.protos.api.v1.objects_pb2 import (
    EVENT_TYPE_ERROR,
    WatchEvent,
    WatchRequest,
    WatchResponse,
)
from kybern.telemetry.observations import Observations

PATIENCE = 15.0  # seconds for the apiserver to say that a watch stands; a refusal after them is an ERROR event
TOLD_LATE = frozenset({410, 504})  # a resourceVersion too old or too large is an ERROR event, not a refusal


def watch_request(request: Request, target: Target) -> WatchRequest:
    query = request.query
    options.integer(query, "limit")  # says nothing, but has to be one
    return WatchRequest(
        resource=target.resource(),
        name=target.path.name,
        label_selector=options.first(query, "labelSelector"),
        field_selector=options.first(query, "fieldSelector"),
        resource_version=options.first(query, "resourceVersion"),
        resource_version_match=options.first(query, "resourceVersionMatch"),
        allow_bookmarks=options.boolean(query, "allowWatchBookmarks"),
        send_initial_events=options.optional_boolean(query, "sendInitialEvents"),
        timeout_seconds=options.integer(query, "timeoutSeconds") or 0,
        continue_token=options.first(query, "continue"),
        shared=True,
    )


async def watch(api: Api, request: Request, target: Target, traceparent: str) -> None:
    """Serve one watch. Raises StatusError when it is refused before it began, save for what is told late."""
    media = answers.media_type(request, target.served, OFFERED_LISTS)
    wanted = watch_request(request, target)
    if media.yaml:
        raise not_acceptable(OFFERED_STREAMS)
    if media.plain:
        await _plain(api, request, target, wanted, traceparent)
        return
    writer = FrameWriter(api, media, table_view(request, media, target.served), api.sizes.of_events(target.path))
    events: Ahead[WatchResponse] = Ahead(api.streams.stream(wanted, **behind(api, request), traceparent=traceparent))
    try:
        begun = True
        try:
            begun = await events.peek(PATIENCE)
        except StatusError as error:
            if error.code not in TOLD_LATE:
                raise
        stream = request.reply.stream(request, 200, media.stream_type, endless=True)
        try:
            async for batch in events:
                begun = True
                async for frames in writer.parts(batch):
                    await stream.write(frames)
        except StatusError as error:
            if error.code in TOLD_LATE or not begun:
                await stream.write(writer.frame(WatchEvent(type=EVENT_TYPE_ERROR, object=orjson.dumps(error.status))))
        stream.end()
    finally:
        await events.close()


async def _plain(api: Api, request: Request, target: Target, wanted: WatchRequest, traceparent: str) -> None:
    """Events as they come from the apiserver, written by the Exchange's callback."""
    given = behind(api, request)
    sink = WatchSink(api.frames, api.sizes.of_events(target.path), given.pop("note"))
    call_id = await api.streams.start(sink, wanted, traceparent=traceparent, **given)
    try:
        try:
            await sink.begun(PATIENCE)
        except StatusError as error:
            if error.code not in TOLD_LATE:
                raise
        stream = request.reply.stream(request, 200, b"application/json", endless=True)
        try:
            await sink.follow(stream)
        except StatusError as error:
            if error.code in TOLD_LATE or not sink.stands:
                await stream.write(views.frame("ERROR", orjson.dumps(error.status)))
        stream.end()
    finally:
        api.streams.cancel(call_id)


class FrameWriter:
    """Events as lines of JSON or frames of protobuf, in the view that was agreed on."""

    def __init__(self, api: Api, media: MediaType, tables: TableView | None, sizes: Observations) -> None:
        self._api = api
        self._sizes = sizes
        self._media = media
        self._tables = tables

    async def parts(self, batch: WatchResponse) -> AsyncIterator[bytes]:
        """The frames of a batch; those that take work come a few at a time, with turns for the loop between."""
        events = batch.events
        for start in range(0, len(events), AT_ONCE):
            frames = [self.frame(event) for event in events[start : start + AT_ONCE]]
            self._sizes.observe_all(map(len, frames))
            yield b"".join(frames)
            await asyncio.sleep(0)

    def frame(self, event: WatchEvent) -> bytes:
        if not self._media.protobuf:
            return views.frame(NAMES[event.type], self._view(event) if self._media.view else event.object)
        metadata_of = self._media.version if self._media.view and event.type != EVENT_TYPE_ERROR else ""
        return protobuf.frame(NAMES[event.type], self._api.encoded.body(event.object, metadata_of))

    def _view(self, event: WatchEvent) -> bytes:
        if event.type == EVENT_TYPE_ERROR:
            return event.object
        if self._tables is not None:
            return orjson.dumps(self._tables.event(orjson.loads(event.object), self._api.env.clock.now()))
        return orjson.dumps(views.partial(orjson.loads(event.object), self._media.version))
