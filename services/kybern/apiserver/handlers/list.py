"""List: encoded entries joined by commas, in chunks of about 1 MB; the list's metadata rides in the last.

A first page shows the present and pins its revision; further pages show that same revision, from the cache while
nothing of the resource has changed since, else from the store's history.
"""

from collections.abc import AsyncGenerator, Iterable

import orjson

from kybern.apiserver.core import encoding
from kybern.apiserver.core.continue_token import ContinueToken, decode, too_old
from kybern.apiserver.core.revision import revision_of
from kybern.apiserver.crd.late_selection import late_selection
from kybern.apiserver.handlers.begin import begin, pinned_name, selection
from kybern.apiserver.handlers.list_chunks import chunks, etag_of, in_parts, is_large, joined
from kybern.apiserver.registry import component_status, unreadable
from kybern.apiserver.registry.request import Request
from kybern.apiserver.server import ApiServer
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.selection import Selection
from kybern.kube.status import bad_request, expired
from kybern.protos.api.v1.objects_pb2 import ListRequest, ListResponse
from kybern.rpc.exchange.context import CallContext
from kybern.store.errors import CompactedError, FutureRevisionError

PAGE = 501  # keys read from the store at a time: a page of 500, and whether there is more


async def list_objects(
    server: ApiServer, message: ListRequest, call: CallContext
) -> AsyncGenerator[ListResponse, None]:
    """The chunks of one list."""
    request = begin(server, call, "list", message.resource, pinned_name(message.field_selector), message, message)
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
    limit = max(0, message.limit) if late is None else 0
    revision, after, exact = await _where(request, message)
    unreadable.check_list(request.served, request.namespace)
    past = exact and revision < server.feed.revision and revision < request.served.cacher.changed
    etag = "" if past or limit or message.continue_token else etag_of(request)
    if etag and message.known_etag == etag:
        yield ListResponse(last=True, resource_version=str(revision), etag=etag, unchanged=True)
        return
    if etag and (parts := in_parts(request, chosen, message)) is not None:
        for part in parts:
            part.etag, etag = etag, ""
            yield part
        yield ListResponse(last=True, resource_version=str(revision))
        return
    if past:
        entries: list[Entry] = await _from_store(request, chosen, after, limit, revision)
    else:
        entries = _take(request.served.cacher.select(chosen, after), limit + 1 if limit else 0)
    token, remaining = "", None
    if limit and len(entries) > limit:
        entries.pop()
        token = ContinueToken(revision, entries[-1].key).encode()
        if chosen.plain and not past:
            remaining = request.served.cacher.count(request.namespace, entries[-1].key)
    if request.served.conversion is not None:
        entries = await request.served.conversion.entries(entries, request.served.info.api_version)
        entries = late.entries(entries) if late is not None else entries
    for chunk in chunks(request, entries):
        chunk.etag, etag = etag, ""
        yield chunk
    last = ListResponse(last=True, resource_version=str(revision), continue_token=token)
    if remaining is not None:
        last.remaining_item_count = remaining
    if len(entries) and not is_large(entries):
        last.items = joined(request, entries)
        last.count = len(entries)
    yield last


async def _where(request: Request, message: ListRequest) -> tuple[int, str, bool]:
    """(revision shown, key to start after, whether it must be exactly that revision)."""
    feed = request.server.feed
    version, match = message.resource_version, message.resource_version_match
    if match not in ("", "Exact", "NotOlderThan"):
        raise bad_request(
            f'resourceVersionMatch: Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"'
        )
    if message.continue_token:
        if version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        if match:
            raise bad_request("resourceVersionMatch is forbidden for continue")
        token = decode(message.continue_token)
        if token.revision < 0:
            return await feed.fresh(), token.after, False
        if token.revision < feed.compacted:  # even if the cache could still tell: tokens have their time
            raise too_old(token)
        return token.revision, token.after, True
    if match and not version:
        raise bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if not version:
        return await feed.fresh(), "", False
    wanted = revision_of(version)
    if wanted == 0:
        if match == "Exact":
            raise bad_request('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
        return feed.revision, "", False
    await feed.reached(wanted)
    if match == "Exact":
        return wanted, "", True
    return feed.revision, "", False


def _take(entries: Iterable[Entry], limit: int) -> list[Entry]:
    if not limit:
        return list(entries)
    found = []
    for entry in entries:
        found.append(entry)
        if len(found) == limit:
            break
    return found


async def _from_store(request: Request, chosen: Selection, after: str, limit: int, revision: int) -> list[Entry]:
    """Entries as they were. Raises StatusError (410) when that is too long ago."""
    cacher = request.served.storage
    prefix = cacher.prefix + (f"{request.namespace}/" if request.namespace and cacher.namespaced else "")
    start, found = (cacher.prefix + after if after else ""), []
    size = min(PAGE, limit + 1) if limit and chosen.plain else PAGE
    while True:
        try:
            page = await request.server.feed.store.range(prefix, start_after=start, limit=size, revision=revision)
        except CompactedError:
            if after:
                raise too_old(ContinueToken(revision, after)) from None
            raise expired(f"The resourceVersion for the provided list is too old: {revision}") from None
        except FutureRevisionError as error:
            raise bad_request(str(error)) from None
        for kv in page.items:
            if kv.unreadable:
                raise unreadable.corrupt(kv.key, kv.unreadable)
            known = cacher.entries.get(kv.key[len(cacher.prefix) :])
            entry = known if known is not None and known.revision == kv.mod_revision else cacher.entry(kv)
            if chosen.matches(entry):
                found.append(entry)
                if limit and len(found) > limit:
                    return found
        if not page.more:
            return found
        start = page.items[-1].key
