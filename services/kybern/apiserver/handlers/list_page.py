"""Pages of a list: at which revision, from which key on, which entries, and where the next page starts.

A page that is full says how to go on as long as any object of the list comes after it, whether it would be selected
or not: nobody has looked. Deletions of collections go by the same pages.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from kybern.apiserver.core import list_options
from kybern.apiserver.core.continue_token import ContinueToken, after, decode, too_old
from kybern.apiserver.core.revision import revision_of
from kybern.apiserver.registry import unreadable
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.selection import Selection
from kybern.kube.status import bad_request, expired
from kybern.protos.api.v1.objects_pb2 import DeleteCollectionRequest, ListRequest
from kybern.store.errors import CompactedError, FutureRevisionError

READ = 501  # keys read from the store at a time


@dataclass(frozen=True, slots=True)
class Place:
    """The revision shown, the key to start with below the resource, whether it must be exactly that revision."""

    revision: int
    start: str
    exact: bool

    def past(self, request: Request) -> bool:
        """Whether the cache may show something newer."""
        cacher = request.served.storage
        return self.exact and self.revision < request.server.feed.revision and self.revision < cacher.changed


@dataclass(frozen=True, slots=True)
class Page:
    """Selected entries; the token of the next page ("" = none); how many are left, if that is known."""

    entries: list[Entry]
    token: str = ""
    remaining: int | None = None


async def find_place(request: Request, message: ListRequest | DeleteCollectionRequest, chosen: Selection) -> Place:
    """A limit asks for exactly a revision, but where `chosen` is one object. Raises StatusError (400, 410, 504)."""
    feed = request.server.feed
    version, match = message.resource_version, message.resource_version_match
    if message.continue_token:
        token = decode(message.continue_token)
        if version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        start = _below(request) + token.start
        if token.revision < 0:
            return Place(await feed.fresh(), start, False)
        if token.revision < feed.compacted:  # even if the cache could still tell: tokens have their time
            raise too_old(token)
        await feed.reached(token.revision)
        return Place(token.revision, start, True)
    if not version:
        return Place(await feed.fresh(), "", False)
    wanted = revision_of(version)
    if wanted == 0:
        return Place(feed.revision, "", False)
    await feed.reached(wanted)
    pages = message.limit > 0 and not match and not _is_one(request, chosen)
    if match == list_options.EXACT or pages:
        return Place(wanted, "", True)
    return Place(feed.revision, "", False)


def page_size(message: ListRequest | DeleteCollectionRequest) -> int:
    """0 for everything; version "0" takes what is here, in one piece."""
    ignored = message.resource_version == "0" and not message.continue_token
    return 0 if ignored else max(0, message.limit)


async def find_page(request: Request, chosen: Selection, place: Place, limit: int) -> Page:
    """Raises StatusError (400, 410, 500)."""
    if place.past(request):
        found, left = await _from_store(request, chosen, place.start, limit, place.revision)
    else:
        found, left = _from_cache(request, chosen, place.start, limit)
    if not left:
        return Page(found)
    token = after(place.revision, found[-1].key[len(_below(request)) :]).encode()
    return Page(found, token, left if chosen.plain else None)


def _from_cache(request: Request, chosen: Selection, start: str, limit: int) -> tuple[list[Entry], int]:
    cacher = request.served.storage
    present: Iterable[Entry] = cacher.select(chosen, start[:-1])
    if start and not start.endswith("\0"):  # no server of ours has made such a token
        present = (entry for entry in present if entry.key >= start)
    if not limit:
        return list(present), 0
    found = list(islice(present, limit))
    if len(found) < limit or _is_one(request, chosen):
        return found, 0
    return found, cacher.count(_namespace(request, chosen), found[-1].key)


async def _from_store(
    request: Request, chosen: Selection, first: str, limit: int, revision: int
) -> tuple[list[Entry], int]:
    """Entries as they were, and how many more there are after a full page. Raises StatusError (410)."""
    cacher = request.served.storage
    namespace = _namespace(request, chosen)
    prefix = cacher.prefix + (f"{namespace}/" if namespace else "")
    found: list[Entry] = []
    start = cacher.prefix + first[:-1] if first else ""
    size = min(READ, limit + 1) if limit and chosen.plain else READ
    while True:
        try:
            page = await request.server.feed.store.range(prefix, start_after=start, limit=size, revision=revision)
        except CompactedError:
            if first:
                raise too_old(ContinueToken(revision, first[len(_below(request)) :])) from None
            raise expired(f"The resourceVersion for the provided list is too old: {revision}") from None
        except FutureRevisionError as error:
            raise bad_request(str(error)) from None
        for at, kv in enumerate(page.items, 1):
            key = kv.key[len(cacher.prefix) :]
            if key < first:
                continue
            if kv.unreadable:
                raise unreadable.corrupt(kv.key, kv.unreadable)
            known = cacher.entries.get(key)
            entry = known if known is not None and known.revision == kv.mod_revision else cacher.entry(kv)
            if chosen.matches(entry):
                found.append(entry)
                if len(found) == limit:
                    return found, 0 if _is_one(request, chosen) else page.count - at
        if not page.more:
            return found, 0
        start = page.items[-1].key


def _below(request: Request) -> str:
    """What the keys of a list begin with, below the prefix of the resource."""
    return f"{request.namespace}/" if request.namespace and request.served.storage.namespaced else ""


def _namespace(request: Request, chosen: Selection) -> str:
    """The one namespace that a list is about; a field selector may name it."""
    if not request.served.storage.namespaced:
        return ""
    return chosen.namespace or chosen.fields.exact("metadata.namespace") or ""


def _is_one(request: Request, chosen: Selection) -> bool:
    """Whether the selection names one object, after which there is nothing to look for."""
    named = chosen.pinned("metadata.name") is not None
    return named and (bool(_namespace(request, chosen)) or not request.served.storage.namespaced)
