"""Chunks of a list: encoded entries joined by commas, about 1 MB each; of a large plain list, its parts.

Which objects a list shows is settled when the first chunk is asked for; their bytes are joined as the chunks are taken.
"""

from collections.abc import Iterable, Iterator

from kybern.apiserver.core import encoding
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.list_parts import Part
from kybern.apiserver.storage.selection import Selection
from kybern.protos.api.v1.objects_pb2 import ListRequest, ListResponse

CHUNK = 1 << 20  # bytes


def in_parts(request: Request, chosen: Selection, message: ListRequest) -> Iterator[ListResponse] | None:
    """All chunks but the last of a list that is large and shows objects as they are stored; else None."""
    served, cacher = request.served, request.served.storage
    if not chosen.plain or served.conversion is not None or served.converter is not None:
        return None
    kept = cacher.parts(chosen.namespace)
    if kept is None:
        if not is_large(cacher.select(chosen)):
            return None
        kept = cacher.parts(chosen.namespace, make=True)
        assert kept is not None
    family, _, _ = message.known_etag.rpartition("-")
    known = frozenset(message.known_parts if family == _family(request) else ())
    parts = kept.listed(cacher.keys.between, cacher.entries, known)
    if kept.size <= CHUNK:
        cacher.forget_parts()
        return None
    return _missing(request, parts, kept.size)


def etag_of(request: Request) -> str:
    """Another one whenever an object of the resource or what the API serves has changed, or another process answers."""
    return f"{_family(request)}-{request.served.storage.changed}"


def _family(request: Request) -> str:
    """Numbers of parts mean the same as long as this is the same."""
    return f"{request.server.epoch}-{request.server.table.etag}"


def _missing(request: Request, parts: list[Part], size: int) -> Iterator[ListResponse]:
    """What the list consists of, with the first of the parts that the client does not hold; then the others."""
    about = ListResponse(parts=[part.number for part in parts], size=size)
    for part in parts:
        if part.entries is not None:
            about.items, about.count = joined(request, part.entries), len(part.entries)
            yield about
            about = ListResponse()
    if about.parts:
        yield about


def is_large(entries: Iterable[Entry]) -> bool:
    """Whether the list is too large for one chunk."""
    size = 0
    for entry in entries:
        size += len(entry.data)
        if size > CHUNK:
            return True
    return False


def joined(request: Request, entries: list[Entry]) -> bytes:
    """Entries as elements of a list; custom resources keep kind and apiVersion."""
    present, head = request.served.converter, request.served.head
    if present is None:
        if request.served.custom is not None:
            return b",".join([entry.data for entry in entries])
        cut = len(head)
        return b",".join([b"{" + entry.data[cut:] for entry in entries])
    info = request.served.info
    head = b"{" if request.served.custom else encoding.head(info.kind, info.api_version)
    return b",".join([encoding.item(present(entry.data), head) for entry in entries])


def chunks(request: Request, entries: list[Entry]) -> Iterator[ListResponse]:
    """All chunks but the last; none for a list that fits in one."""
    if not is_large(entries):
        return
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.data)
        if size >= CHUNK:
            yield ListResponse(items=joined(request, batch), count=len(batch))
            batch, size = [], 0
    if batch:
        yield ListResponse(items=joined(request, batch), count=len(batch))
