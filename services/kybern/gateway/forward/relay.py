"""One request and its answer between a client and another server: bodies stream both ways, upgrades become tunnels."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from kybern.gateway.core import forwarding
from kybern.gateway.core.forwarding import Header
from kybern.gateway.core.html_links import HtmlRewriter
from kybern.gateway.core.sniffed import sniffed
from kybern.gateway.forward.pool import Pool
from kybern.gateway.forward.upstream import Destination, Head, Upstream, UpstreamError
from kybern.gateway.http.message import Request, Response
from kybern.gateway.http.reply import UNCACHED
from kybern.gateway.http.reply import Head as AnswerHead

CHUNK = 64 << 10
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})  # on a kept connection, which may be dead by now


@dataclass(frozen=True)
class Job:
    """What to ask the other server, and how its answer is treated."""

    to: Destination
    path: str  # with the query, as sent
    host: str  # the Host header
    headers: tuple[Header, ...] = ()  # further request headers
    rewrite: Callable[[str], str] | None = None  # links and redirects, as the client has to follow them
    redirects: bool = True  # whether redirects are passed on at all
    answer_seconds: float | None = None  # that the head of the answer may take
    endless: bool = False  # the answer is whole at any point, as a watch's


async def relay(request: Request, job: Job, pool: Pool) -> Response | None:
    """Carry out a request at another server. Raises UpstreamError while the client has not been told anything."""
    upgrade = forwarding.is_upgrade(request.headers)
    kept = pool.take(job.to) if request.method in REPEATABLE and request.incoming is None and not upgrade else None
    if kept is not None:
        try:
            return await _exchange(request, job, kept, pool, upgrade=False)
        except UpstreamError:
            if request.answered:
                raise
    return await _exchange(request, job, await Upstream.open(job.to), pool, upgrade=upgrade)


async def _exchange(request: Request, job: Job, upstream: Upstream, pool: Pool, *, upgrade: bool) -> Response | None:
    """One request and its answer on one connection, which goes to the pool if it can be used again."""
    headers = forwarding.request_headers(
        request.headers, request.repeated, request.client.peer_address, upgrade=upgrade
    )
    ours = {name.lower() for name, _ in job.headers}
    headers = [one for one in headers if one[0] not in ours]
    sender: asyncio.Task[None] | None = None
    try:
        framing = _framing(request)
        await upstream.send(request.method, job.path, job.host, [*headers, *job.headers], framing)
        if framing is not None:
            chunked = framing[0] == b"transfer-encoding"
            sender = asyncio.create_task(upstream.send_body(_body(request), chunked=chunked))
        try:
            async with asyncio.timeout(job.answer_seconds):
                head = await upstream.head()
        except TimeoutError:
            request.answered = 504  # is not tried again
            raise UpstreamError("net/http: timeout awaiting response headers") from None
        request.answered = head.status
        if head.status == 101 and upgrade:
            await _tunnel(request, upstream, head)
            return None
        if not job.redirects and 300 <= head.status < 400 and head.value(b"location"):
            text = b"the backend attempted to redirect this request, which is not permitted"
            return Response(text, 502, b"text/plain; charset=utf-8")
        await Answer(request, job, head).write(upstream.body(head, request.method))
        return None
    finally:
        sent = sender is None or sender.done()
        if sender is not None:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        if upstream.reusable and sent:
            pool.give(job.to, upstream)
        else:
            upstream.close()


def _framing(request: Request) -> Header | None:
    length = request.headers.get(b"content-length")
    if b"transfer-encoding" in request.headers or (length is None and request.incoming is not None):
        return b"transfer-encoding", b"chunked"
    if length is None:
        return (b"content-length", b"0") if request.method in ("POST", "PUT", "PATCH") else None
    return b"content-length", length


async def _body(request: Request) -> AsyncIterator[bytes]:
    if request.incoming is None:
        if request.body:
            yield request.body
        return
    async for piece in request.incoming:
        yield piece


class Answer:
    """The other server's answer on its way to the client."""

    def __init__(self, request: Request, job: Job, head: Head) -> None:
        self._request, self._job, self._head = request, job, head
        self._page = self._html()

    def _html(self) -> bool:
        """Whether links in the body are to be rewritten."""
        if self._job.rewrite is None or self._request.method == "HEAD" or self._head.value(b"location"):
            return False
        kind = self._head.value(b"content-type").split(b";")[0].strip().lower()
        encoding = self._head.value(b"content-encoding").lower()
        return kind == b"text/html" and encoding in (b"", b"gzip", b"deflate")

    async def write(self, body: AsyncIterator[bytes]) -> None:
        """Raises ConnectionResetError when the client is gone; a body that breaks off breaks the connection."""
        request = self._request
        empty = request.method == "HEAD" or self._head.status in (204, 304)
        length = b"" if self._page else self._head.length
        first, broken = b"", False
        if not empty and not self._head.value(b"content-type") and not self._head.value(b"content-encoding"):
            try:
                first = await anext(body, b"")
            except UpstreamError:
                broken = True
        head = AnswerHead(self._head.status, self._headers(first), self._head.reason, length, empty)
        stream = request.reply.begin(request, head, endless=self._job.endless and not empty and not length)
        if broken:
            stream.abort()
            return
        try:
            if first:
                await stream.write(first)
            async for piece in self._rewritten(body) if self._page else body:
                await stream.write(piece)
        except UpstreamError:
            stream.abort()
            return
        stream.end()

    def _headers(self, first: bytes) -> list[Header]:
        """Headers; `first` is the begin of a body that the other server has given no type."""
        found = [*self._request.client.handler.standard_headers(self._request), UNCACHED]
        if first:
            found.append((b"Content-Type", sniffed(first).encode()))
        for name, value in forwarding.response_headers(self._head.headers):
            if name.lower() == b"location" and self._job.rewrite is not None:
                value = self._job.rewrite(value.decode("latin-1")).encode("latin-1", "replace")
            if not self._page or name.lower() != b"content-encoding":
                found.append((name, value))
        return found

    async def _rewritten(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A page with its links brought below the proxy's path; it goes on without compression."""
        assert self._job.rewrite is not None
        page, inflate = HtmlRewriter(self._job.rewrite), _inflater(self._head.value(b"content-encoding").lower())
        try:
            async for piece in body:
                for part in inflate(piece):
                    yield page.feed(part)
        except zlib.error as error:
            raise UpstreamError(f"errors decompressing: {error}") from None
        yield page.end()


def _inflater(encoding: bytes) -> Callable[[bytes], Iterable[bytes]]:
    """Pieces of bounded size, however well they were compressed."""
    if not encoding:
        return lambda data: (data,)
    engine = zlib.decompressobj(31 if encoding == b"gzip" else -15)

    def inflate(data: bytes) -> Iterator[bytes]:
        while data:
            yield engine.decompress(data, CHUNK)
            data = engine.unconsumed_tail

    return inflate


async def _tunnel(request: Request, upstream: Upstream, head: Head) -> None:
    """Bytes both ways until one side ends."""
    lines = [b"HTTP/1.1 101 Switching Protocols"]
    lines += (name + b": " + value for name, value in head.headers if name.lower() not in forwarding.CORS)
    tunnel = request.reply.tunnel(b"\r\n".join((*lines, b"", b"")))

    async def outwards() -> None:
        while data := await tunnel.read():
            await upstream.write(data)

    async def inwards() -> None:
        while data := await upstream.reader.read(CHUNK):
            await tunnel.write(data)

    pumps = {asyncio.create_task(outwards()), asyncio.create_task(inwards())}
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        for result in await asyncio.gather(*pumps, return_exceptions=True):
            with suppress(OSError, UpstreamError, asyncio.CancelledError):
                if isinstance(result, BaseException):
                    raise result
        tunnel.close()
