"""List: encoded entries joined by commas, in chunks of about 1 MB; the list's metadata rides in the last.

A first page shows the present and pins its revision; further pages show that same revision, from the cache while
nothing of the resource has changed since, else from the store's history.
"""

from collections.abc import AsyncGenerator

import orjson

from kybern.apiserver.core import encoding, list_options
from kybern.apiserver.crd.late_selection import late_selection
from kybern.apiserver.handlers.begin import begin, selection, selectors_first
from kybern.apiserver.handlers.list_chunks import chunks, etag_of, in_parts, is_large, joined
from kybern.apiserver.handlers.list_page import find_page, find_place, page_size
from kybern.apiserver.registry import component_status, unreadable
from kybern.apiserver.registry.request import pinned_name
from kybern.apiserver.server import ApiServer
from kybern.protos.api.v1.objects_pb2 import DeleteCollectionRequest, ListRequest, ListResponse
from kybern.rpc.exchange.context import CallContext


async def list_objects(
    server: ApiServer, message: ListRequest, call: CallContext
) -> AsyncGenerator[ListResponse, None]:
    """The chunks of one list."""
    request = begin(server, call, "list", message.resource, pinned_name(message.field_selector), message, message)
    check(message)
    if request.served.cacher is None:
        head = encoding.head("ComponentStatus", "v1")
        found = [orjson.dumps(await component_status.get(server, name)) for name in component_status.NAMES]
        items = b",".join([encoding.item(data, head) for data in found])
        yield ListResponse(items=items, count=len(component_status.NAMES), last=True, resource_version="")
        return
    chosen = selection(request.served, request.namespace, message.label_selector, message.field_selector)
    late = late_selection(request.served, chosen)
    if late is not None:
        chosen = late.early
    place = await find_place(request, message, chosen)
    limit, revision = page_size(message) if late is None else 0, place.revision
    unreadable.check_list(request.served, request.namespace)
    counts = request.served.storage.lists
    counts.began(message)
    etag = "" if limit or message.continue_token or place.past(request) else etag_of(request)
    if etag and message.known_etag == etag:
        yield ListResponse(last=True, resource_version=str(revision), etag=etag, unchanged=True)
        return
    if etag and (parts := in_parts(request, chosen, message)) is not None:
        for part in parts:
            part.etag, etag = etag, ""
            counts.found(part.count)
            yield part
        yield ListResponse(last=True, resource_version=str(revision))
        return
    page = await find_page(request, chosen, place, limit)
    entries = page.entries
    counts.found(len(entries), 0 if limit or chosen.plain else request.served.storage.count(chosen.namespace, ""))
    if request.served.conversion is not None:
        entries = await request.served.conversion.entries(entries, request.served.info.api_version)
        entries = late.entries(entries) if late is not None else entries
    for chunk in chunks(request, entries):
        chunk.etag, etag = etag, ""
        yield chunk
    last = ListResponse(last=True, resource_version=str(revision), continue_token=page.token)
    if page.remaining is not None:
        last.remaining_item_count = page.remaining
    if len(entries) and not is_large(entries):
        last.items = joined(request, entries)
        last.count = len(entries)
    yield last


def check(message: ListRequest | DeleteCollectionRequest) -> None:
    """Raises StatusError (422) for options that do not go together, (400) for selectors beside them that are none."""
    initial = message.send_initial_events if message.HasField("send_initial_events") else None
    version, match = message.resource_version, message.resource_version_match
    with selectors_first(message):
        list_options.check_list(version, match, message.continue_token, initial)
