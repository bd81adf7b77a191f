"""GET of objects and lists: in the plain case stored bytes go from the apiserver to the client undecoded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import orjson

from kybern.gateway import answers
from kybern.gateway.api import Api, behind, timeout
from kybern.gateway.core import options, views
from kybern.gateway.core.held_lists import LARGEST, HeldList
from kybern.gateway.core.negotiation import OFFERED_LISTS, MediaType
from kybern.gateway.core.resources import Served
from kybern.gateway.core.views import TableView
from kybern.gateway.handlers import protobuf_list, streamed_list
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request, Response
from kybern.kube import field, recognize
from kybern.kube.meta import Object
from kybern.kube.status import bad_request, status_error
from kybern.kube.tables.table import CUSTOM_SCALE, SCALE
from kybern.protos.api.v1.objects_pb2 import GetRequest, ListRequest, ListResponse

NO_EXPORT = "the export parameter, deprecated since v1.14, is no longer supported"
_INCLUDED = "must be 'Metadata', 'Object', 'None', or empty"


def table_view(request: Request, media: MediaType, served: Served, subresource: str = "") -> TableView | None:
    """How to print tables, if that is what was asked for. Raises StatusError (400)."""
    if not media.table:
        return None
    include = views.include_object(request.parameter("includeObject"))
    if include is None:
        wrong = field.invalid("includeObject", request.parameter("includeObject"), _INCLUDED)
        raise bad_request(f"Unable to convert to Table as requested: {wrong}")
    printing = served.printing
    if subresource == "scale":
        printing = CUSTOM_SCALE if served.custom else SCALE
    return TableView(printing, include, media.version, served.kind, served.api_version)


def check_view(media: MediaType, served: Served, subresource: str = "", *, of_list: bool) -> None:
    """Refuse one object in the form of a list, and a list in that of one object. Raises StatusError (406)."""
    if media.view == ("PartialObjectMetadata" if of_list else "PartialObjectMetadataList"):
        if served.custom and not of_list and subresource != "scale":
            raise status_error(400, "", "content is not a list")
        kind = "Scale" if subresource == "scale" else served.kind
        what = f"a list (*{_in_go(served, kind, 'List')})" if of_list else f"not a list (*{_in_go(served, kind)})"
        message = f"you requested {media.view}, but the requested object is {what}"
        raise status_error(406, "NotAcceptable", message)


def _in_go(served: Served, kind: str, suffix: str = "") -> str:
    if served.custom:
        return "v1.Scale" if kind == "Scale" else f"unstructured.Unstructured{suffix}"
    return f"{recognize.package(served.group)}.{kind}{suffix}"


async def get(api: Api, request: Request, target: Target, traceparent: str) -> Response:
    media = answers.media_type(request, target.served)
    wanted = GetRequest(resource=target.resource(), name=target.path.name)
    if request.raw_query:
        wanted.resource_version = request.parameter("resourceVersion")
        if "export" in request.query and options.optional_boolean(request.query, "export"):
            raise bad_request(NO_EXPORT)
    reply = await api.calls.call(wanted, **behind(api, request), traceparent=traceparent, timeout=timeout(api, request))
    body = reply.object
    if not media.plain:
        check_view(media, target.served, target.path.subresource, of_list=False)
        tables = table_view(request, media, target.served, target.path.subresource)
        body = views.view(body, media, tables, api.env.clock.now())
    return await answers.answer(request, body, media)


def list_request(request: Request, target: Target) -> ListRequest:
    query = request.query
    options.integer(query, "timeoutSeconds")
    return ListRequest(
        resource=target.resource(),
        label_selector=options.first(query, "labelSelector"),
        field_selector=options.first(query, "fieldSelector"),
        limit=options.integer(query, "limit") or 0,
        continue_token=options.first(query, "continue"),
        resource_version=options.first(query, "resourceVersion"),
        resource_version_match=options.first(query, "resourceVersionMatch"),
        send_initial_events=options.optional_boolean(query, "sendInitialEvents"),
    )


async def list_objects(api: Api, request: Request, target: Target, traceparent: str) -> Response | None:
    media = answers.media_type(request, target.served, OFFERED_LISTS)
    tables = table_view(request, media, target.served)
    asked = list_request(request, target)
    key = _held_key(request, media, asked)
    held = api.lists.find(key)
    if held is not None:
        asked.known_etag = held.etag
        asked.known_parts.extend(held.numbers)
    chunks = api.streams.stream(
        asked,
        **behind(api, request),
        traceparent=traceparent,
        timeout=timeout(api, request),
    )
    async with aclosing(chunks):  # type: ignore[type-var]  # an async generator
        first: ListResponse = await anext(chunks)
        check_view(media, target.served, of_list=True)
        shown = _custom_metadata if target.served.custom else _metadata
        if media.protobuf:
            return await _protobuf(api, request, target, media, key, held, first, chunks)
        if first.unchanged and held is not None:
            await streamed_list.send_held(request, target.served, held, shown(first))
            return None
        if not media.plain:
            return await _converted(api, request, target, media, tables, first, chunks)
        if first.last or answers.indents(request) or request.method == "HEAD":
            items = await _all_items(first, chunks, shown)
            document = views.list_document(target.served.list_kind, target.served.api_version, *items)
            return await answers.answer(request, document, media)
        if first.parts and not answers.wants_gzip(request) and (held is not None or first.size <= LARGEST):
            held, first = await streamed_list.gather(held, first, chunks)
            api.lists.put(key, held)
            await streamed_list.send_held(request, target.served, held, shown(first))
            return None
        api.lists.drop(key)
        sent = await streamed_list.send(request, target.served, first, chunks, shown)
        if sent is not None:
            api.lists.put(key, sent)
        return None


def _held_key(request: Request, media: MediaType, asked: ListRequest) -> object:
    """What a list is held by; None for those that are never held."""
    if media.protobuf:
        return asked.SerializeToString(), media.view, media.version
    if not media.plain or answers.indents(request):
        return None
    return asked.SerializeToString(), answers.wants_gzip(request)


async def _protobuf(
    api: Api,
    request: Request,
    target: Target,
    media: MediaType,
    key: object,
    held: HeldList | None,
    first: ListResponse,
    chunks: AsyncIterator[ListResponse],
) -> Response:
    encoder = protobuf_list.encoder_of(target.served, media)
    if first.unchanged and held is not None:
        encoder.items = list(held.parts)
        return await protobuf_list.respond(request, media, encoder, _metadata(first))
    api.lists.drop(key)
    last, made = await protobuf_list.collect(encoder, media, first, chunks)
    if made is not None:
        api.lists.put(key, made)
    return await protobuf_list.respond(request, media, encoder, _metadata(last))


def _metadata(chunk: ListResponse) -> Object:
    remaining = chunk.remaining_item_count if chunk.HasField("remaining_item_count") else None
    return views.list_metadata(chunk.resource_version, chunk.continue_token, remaining)


def _custom_metadata(chunk: ListResponse) -> Object:
    """Lists of custom resources always say how to go on."""
    return {"continue": "", **_metadata(chunk)}


async def _all_items(
    first: ListResponse, chunks: AsyncIterator[ListResponse], shown: Callable[[ListResponse], Object]
) -> tuple[bytes, Object]:
    parts, chunk = [first.items] if first.items else [], first
    while not chunk.last:
        chunk = await anext(chunks)
        if chunk.items:
            parts.append(chunk.items)
    return b",".join(parts), shown(chunk)


async def _converted(
    api: Api,
    request: Request,
    target: Target,
    media: MediaType,
    tables: TableView | None,
    chunk: ListResponse,
    chunks: AsyncIterator[ListResponse],
) -> Response:
    """A list as a Table, PartialObjectMetadata or YAML; decoded chunk by chunk, with turns for the loop between."""
    now = api.env.clock.now()
    if media.yaml and not media.view:
        items = await _all_items(chunk, chunks, _custom_metadata if target.served.custom else _metadata)
        document = views.list_document(target.served.list_kind, target.served.api_version, *items)
        return await answers.answer(request, document, media)
    found: list[Object] = []
    while True:
        decoded = views.split_items(chunk.items)
        if tables is not None:
            found += tables.rows(decoded, now)
        else:
            found += ({"metadata": item.get("metadata") or {}} for item in decoded)
        if chunk.last:
            break
        await asyncio.sleep(0)
        chunk = await anext(chunks)
    if tables is not None:
        document = orjson.dumps(tables.table([], _metadata(chunk), now) | {"rows": found})
    else:
        document = orjson.dumps(views.partial_list(found, _metadata(chunk), media.version))
    return await answers.answer(request, document, media)
