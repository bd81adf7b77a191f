"""A list too large for one chunk, passed on as it comes, and sent again as it was while it has not changed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable

from kybern.gateway import answers
from kybern.gateway.core import views
from kybern.gateway.core.frames import chunk_data, http_chunk
from kybern.gateway.core.held_lists import LARGEST, HeldList
from kybern.gateway.core.resources import Served
from kybern.gateway.http.message import Request
from kybern.gateway.http.reply import ResponseStream
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import ListResponse


async def send(
    request: Request,
    served: Served,
    chunk: ListResponse,
    chunks: AsyncIterator[ListResponse],
    metadata: Callable[[ListResponse], Object],
) -> HeldList | None:
    """Send all chunks; the list to hold, if it may be held."""
    compress = answers.wants_gzip(request)
    packer = zlib.compressobj(answers.GZIP_LEVEL, zlib.DEFLATED, 31) if compress else None
    stream = _begin(request, compress)
    etag, parts, size = chunk.etag, [], 0
    try:
        part = _open(served) + chunk.items
        while True:
            out = packer.compress(part) if packer is not None else part
            size += len(out)
            if etag and size <= LARGEST:
                parts.append(out)
            await stream.write(out)
            if chunk.last:
                break
            chunk = await anext(chunks)
            items = chunk.items
            part = b"," + items if items else b""
        held = HeldList(etag, tuple(parts), packer) if etag and size <= LARGEST else None
        await _end(stream, packer, metadata(chunk))
        return held
    except StatusError:
        stream.abort()
        return None


async def gather(
    held: HeldList | None, chunk: ListResponse, chunks: AsyncIterator[ListResponse]
) -> tuple[HeldList, ListResponse]:
    """A list of parts, put together from those that are held and those that come; and the last chunk."""
    known = dict(zip(held.numbers, held.parts, strict=True)) if held is not None else {}
    etag, numbers, parts = chunk.etag, tuple(chunk.parts), []
    for number in numbers:
        part = known.get(number)
        if part is None:
            part = http_chunk(b",", chunk.items)
            chunk = await anext(chunks)
        parts.append(part)
    while not chunk.last:
        chunk = await anext(chunks)
    return HeldList(etag, tuple(parts), numbers=numbers), chunk


async def send_held(request: Request, served: Served, held: HeldList, metadata: Object) -> None:
    """Send a list whose items are those held, at its present revision."""
    stream = _begin(request, held.packer is not None)
    parts = held.parts
    if held.numbers:
        await stream.write(_open(served) + chunk_data(parts[0])[1:])
        for part in parts[1:]:
            await stream.write_framed(part)
    else:
        for part in parts:
            await stream.write(part)
    await _end(stream, held.packer, metadata)


def _open(served: Served) -> bytes:
    return views.list_open(served.list_kind, served.api_version)


def _begin(request: Request, compress: bool) -> ResponseStream:
    headers = ((b"Content-Encoding", b"gzip"), *answers.VARY) if compress else ()
    return request.reply.stream(request, 200, b"application/json", headers)


async def _end(stream: ResponseStream, packer: zlib._Compress | None, metadata: Object) -> None:
    tail = views.list_close(metadata)
    if packer is not None:
        last = packer.copy()
        tail = last.compress(tail) + last.flush()
    await stream.write(tail)
    stream.end()
