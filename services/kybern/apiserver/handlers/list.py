"""List: encoded entries joined by commas, in chunks of about 1 MB; the list's metadata rides in the last.

A first page shows the present and pins its revision; further pages show that same revision, from the cache while
nothing of the resource has changed since, else from the store's history.
"""

from collections.abc import AsyncGenerator, Iterable

import orjson

from kybern.apiserver.core import encoding, list_options
from kybern.apiserver.core.continue_token import ContinueToken, after, decode, too_old
from kybern.apiserver.core.revision import revision_of
from kybern.apiserver.crd.late_selection import late_selection
from kybern.apiserver.handlers.begin import begin, selection
from kybern.apiserver.handlers.list_chunks import chunks, etag_of, in_parts, is_large, joined
from kybern.apiserver.registry import component_status, unreadable
from kybern.apiserver.registry.request import Request, pinned_name
from kybern.apiserver.server import ApiServer
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.selection import Selection
from kybern.kube.status import bad_request, expired
from kybern.protos.api.v1.objects_pb2 import DeleteCollectionRequest, ListRequest, ListResponse
from kybern.rpc.exchange.context import CallContext
from kybern.store.errors import CompactedError, FutureRevisionError

PAGE = 501  # keys read from the store at a time: a page of 500, and whether there is more


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
    revision, start, exact = await _where(request, message)
    ignores = message.resource_version == "0" and not message.continue_token  # what is here, in one piece
    limit = max(0, message.limit) if late is None and not ignores else 0
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
        entries, left = await _from_store(request, chosen, start, limit, revision)
    else:
        present: Iterable[Entry] = request.served.cacher.select(chosen, start[:-1])
        if start and not start.endswith("\0"):  # no server of ours has made such a token
            present = (entry for entry in present if entry.key >= start)
        entries, left = _take(present, limit + 1 if limit else 0), 0
    token, remaining = "", None
    if limit and len(entries) > limit:
        entries.pop()
        token = after(revision, entries[-1].key[len(_below(request)) :]).encode()
        if chosen.plain:
            remaining = left if past else request.served.cacher.count(request.namespace, entries[-1].key)
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


def check(message: ListRequest | DeleteCollectionRequest) -> None:
    """Raises StatusError (422) for options that do not go together."""
    initial = message.send_initial_events if message.HasField("send_initial_events") else None
    version, match = message.resource_version, message.resource_version_match
    list_options.check_list(version, match, message.continue_token, initial)


async def _where(request: Request, message: ListRequest) -> tuple[int, str, bool]:
    """(revision shown, key to start with, whether it must be exactly that revision)."""
    feed = request.server.feed
    version, match = message.resource_version, message.resource_version_match
    if message.continue_token:
        token = decode(message.continue_token)
        if version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        start = _below(request) + token.start
        if token.revision < 0:
            return await feed.fresh(), start, False
        if token.revision < feed.compacted:  # even if the cache could still tell: tokens have their time
            raise too_old(token)
        await feed.reached(token.revision)
        return token.revision, start, True
    if not version:
        return await feed.fresh(), "", False
    wanted = revision_of(version)
    if wanted == 0:
        return feed.revision, "", False
    await feed.reached(wanted)
    if match == list_options.EXACT or (message.limit > 0 and not match):
        return wanted, "", True
    return feed.revision, "", False


def _below(request: Request) -> str:
    """What the keys of a list begin with, below the prefix of the resource."""
    return f"{request.namespace}/" if request.namespace and request.served.storage.namespaced else ""


def _take(entries: Iterable[Entry], limit: int) -> list[Entry]:
    if not limit:
        return list(entries)
    found = []
    for entry in entries:
        found.append(entry)
        if len(found) == limit:
            break
    return found


async def _from_store(
    request: Request, chosen: Selection, first: str, limit: int, revision: int
) -> tuple[list[Entry], int]:
    """Entries as they were, and how many more there are after a page. Raises StatusError (410)."""
    cacher = request.served.storage
    prefix = cacher.prefix + _below(request)
    found: list[Entry] = []
    start = cacher.prefix + first[:-1] if first else ""
    size = min(PAGE, limit + 1) if limit and chosen.plain else PAGE
    while True:
        try:
            page = await request.server.feed.store.range(prefix, start_after=start, limit=size, revision=revision)
        except CompactedError:
            if first:
                raise too_old(ContinueToken(revision, first[len(_below(request)) :])) from None
            raise expired(f"The resourceVersion for the provided list is too old: {revision}") from None
        except FutureRevisionError as error:
            raise bad_request(str(error)) from None
        for at, kv in enumerate(page.items):
            key = kv.key[len(cacher.prefix) :]
            if key < first:
                continue
            if kv.unreadable:
                raise unreadable.corrupt(kv.key, kv.unreadable)
            known = cacher.entries.get(key)
            entry = known if known is not None and known.revision == kv.mod_revision else cacher.entry(kv)
            if chosen.matches(entry):
                found.append(entry)
                if limit and len(found) > limit:
                    return found, page.count - at
        if not page.more:
            return found, 0
        start = page.items[-1].key
