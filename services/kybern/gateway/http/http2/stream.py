"""One stream: a request as it comes, its body within a window of its own, and the way of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kybern.gateway.core.patience import State
from kybern.gateway.http.body import IncomingBody
from kybern.gateway.http.http2.blocks import CONTINUE, audit_field, head_block, length_field
from kybern.gateway.http.http2.body import Body
from kybern.gateway.http.http2.fields import Fields
from kybern.gateway.http.http2.violations import Code, StreamViolation
from kybern.gateway.http.message import MAX_BODY, NOSNIFF, TEXT, Request, Response
from kybern.gateway.http.reply import Head, Reply, all_headers
from kybern.rpc.exchange.eager import start

if TYPE_CHECKING:
    from kybern.gateway.http.http2.connection import Connection

WINDOW = 1 << 18  # bytes of a body that the client may send ahead, as kube-apiserver says
REPEATED = 64 << 10  # bytes of a body that may go the short way
HTML = b"text/html; charset=utf-8"
BODILESS = frozenset((204, 304))


class Stream(Reply):
    """`heard`: the client sends no more; `closed`: neither does this end; `room`: bytes that the client takes;
    `parting`: this is the connection's last request."""

    __slots__ = ("_asked", "_body", "_fields", "_in_room", "_incoming", "_owed", "_pieces", "_size", "body", "client",
                 "closed", "endless", "heard", "number", "parting", "room", "task")  # fmt: skip

    def __init__(self, client: Connection, number: int, fields: Fields, parting: bool = False) -> None:
        self.client: Connection = client
        self.number = number
        self.parting = parting
        self.room = client.outlet.first_room
        self.heard = self.closed = self.endless = False
        self.body: Body | None = None  # of the answer
        self.task: asyncio.Task[None] | None = None
        self._fields = fields
        self._asked = False  # the request is in the handler's hands
        self._incoming: IncomingBody | None = None
        self._pieces: list[bytes] = []
        self._size = self._owed = 0  # bytes that came, and those of them that the window is not open for again
        self._in_room = WINDOW

    # The client's side

    def open(self, ends: bool) -> None:
        """The headers are here. Raises StreamViolation."""
        fields = self._fields
        if ends and fields.length > 0:
            raise StreamViolation(self.number, Code.PROTOCOL_ERROR)
        self.heard = ends
        if fields.refused is not None:
            self._refuse_fields(*fields.refused)
        elif ends:
            self._begin(b"")
        elif self.client.handler.passes_on(fields.target):
            self._invite()
            request = self._request(b"")
            request.incoming = self._incoming = IncomingBody(self)
            self._handle(request)
        else:
            self._invite()

    def data(self, payload: bytes, ends: bool, size: int) -> None:
        """A part of the body; `size`: what it counts in the window. Raises StreamViolation."""
        self._in_room -= size
        if self._in_room < 0:
            raise StreamViolation(self.number, Code.FLOW_CONTROL_ERROR)
        self._size += len(payload)
        self._owed += size
        if self._incoming is not None:
            self._incoming.feed(payload)
        elif self._size > MAX_BODY:
            self._refuse(413)
            return
        elif self._fields.length <= MAX_BODY:
            self._pieces.append(payload)
        if ends:
            self.end()
        else:
            self._open_window()

    def trailers(self, plain: bool, ends: bool) -> None:
        """Headers after the body, which nobody looks at; `plain`: no pseudo header fields. Raises StreamViolation."""
        if self.heard:
            raise StreamViolation(self.number, Code.STREAM_CLOSED)
        if not ends or not plain:
            raise StreamViolation(self.number, Code.PROTOCOL_ERROR)
        self.end()

    def end(self) -> None:
        """The body is whole. Raises StreamViolation."""
        if self._fields.length >= 0 and self._fields.length != self._size:
            raise StreamViolation(self.number, Code.PROTOCOL_ERROR)
        self.heard = True
        if self._incoming is not None:
            self._incoming.end()
        elif not self._asked:
            pieces, self._pieces = self._pieces, []
            self._begin(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def wider(self, more: int) -> None:
        """The client takes more bytes, or fewer."""
        self.room += more
        if self.body is not None:
            self.body.go_on()

    def lost(self) -> None:
        """The client has given the stream up: so does whoever works for it."""
        if self.closed:
            return
        self.closed = True
        self.client.forget(self)
        if self.body is not None:
            self.body.drop()
        if self.task is not None:
            self.task.cancel()

    def hold(self) -> None:
        """The window stays as narrow as it is."""

    def go_on(self) -> None:
        self._open_window()

    def cut_off(self) -> None:
        self.abort()

    def _open_window(self) -> None:
        held = self._incoming is not None and self._incoming.paused
        if self._owed >= WINDOW // 2 and not held and not self.heard and not self.closed:
            self.client.open_window(self.number, self._owed)
            self._in_room += self._owed
            self._owed = 0

    # The handler's side

    def _begin(self, body: bytes) -> None:
        fields, handler = self._fields, self.client.handler
        self._asked = True
        said = fields.said if len(body) <= REPEATED and (body or fields.method != "POST") else None
        if said is not None:
            if fields.method == "GET":
                if handler.get_again(self, *said):
                    return
            elif fields.method == "POST" and handler.create_again(self, said.head, body):
                return
        request = self._request(body)
        if not handler.begin(request, said):
            self._handle(request)

    def _request(self, body: bytes) -> Request:
        fields = self._fields
        request = Request(self, fields.method, fields.target, fields.headers, fields.repeated, body)
        request.started = self.client.loop.time()
        return request

    def _handle(self, request: Request) -> None:
        self._asked = True
        self.answer_later(request, lambda: self.client.handler.handle(request))

    def _invite(self) -> None:
        if self._fields.headers.get(b"expect", b"").lower() == b"100-continue":
            self.client.outlet.headers(self.number, CONTINUE)

    def _refuse(self, code: int) -> None:
        self._asked = True
        request = self._request(b"")
        self.answer(request, self.client.handler.refuse(request, code))

    def _refuse_fields(self, code: int, why: str) -> None:
        """Answered in upstream's words; what is no HTTP/2 then ends as RFC 9113 has it, too."""
        self._asked = True
        if code == 431:
            self.answer(self._request(b""), Response(why.encode(), code, HTML))
            return
        self.heard = True
        self.answer(self._request(b""), Response(why.encode(), code, TEXT, NOSNIFF))
        raise StreamViolation(self.number, Code.PROTOCOL_ERROR)

    # The answer

    def answer(self, request: Request, response: Response) -> None:
        if self.closed:
            return
        if self.body is not None:  # another has begun already
            self.abort()
            return
        body = response.body
        block = head_block(response.status, all_headers(request, response.content_type, response.headers))
        if response.status not in BODILESS:
            block += length_field(len(body))
        self._whole(block, body if request.method != "HEAD" and response.status not in BODILESS else b"")

    def answer_plainly(self, body: bytes, keep_alive: bool, flow: str, status: int = 200) -> None:
        if self.closed:
            return
        handler = self.client.handler
        head = handler.plain_head(flow, status, head_block)
        self._whole(b"%b%b%b" % (head, audit_field(handler.audit_id()), length_field(len(body) + 1)), body + b"\n")

    def _whole(self, block: bytes, body: bytes) -> None:
        outlet = self.client.outlet
        outlet.headers(self.number, block, ends=not body)
        if not body:
            self.complete()
        elif len(body) <= self.room and outlet.takes(len(body)):
            outlet.data(self.number, body, ends=True)
            self.complete()
        else:
            self.body = Body(self, outlet)
            self.body.push(body, ends=True)
        if self.parting:
            self.client.part()

    def answer_later(self, request: Request, make: Callable[[], Awaitable[Response | None]]) -> None:
        if not self.closed:
            self.task = start(self.client.loop, self._serve(request, make()))

    async def _serve(self, request: Request, answer: Awaitable[Response | None]) -> None:
        try:
            response = await answer
            if response is not None:
                self.answer(request, response)
            elif self.body is None or not self.body.ended:
                self.abort()
        finally:
            self.task = None
            self.client.leaving.discard(self)

    def begin(self, request: Request, head: Head, *, endless: bool = False) -> Body:
        block = head_block(head.status, head.headers)
        if head.length:
            block += length_field(int(head.length))
        if not self.closed:
            self.client.outlet.headers(self.number, block)
            if self.parting:
                self.client.part()
        self.endless = endless
        self.body = Body(self, self.client.outlet)
        return self.body

    def complete(self) -> None:
        """The answer is out; what the client still wants to say is not heard."""
        self.client.answered += 1
        if not self.heard:
            self.client.end_later(self.number)
        self.closed = True
        self.client.forget(self)
        if self.body is not None:
            self.body.release()

    def abort(self) -> None:
        """Break the answer off."""
        if not self.closed:
            self.client.end_stream(self.number, Code.INTERNAL_ERROR)
            self.lost()

    # The server's side

    @property
    def position(self) -> tuple[State, int]:
        """What the client is waited for, and a number that changes when it does what it is waited for."""
        if not self.heard and not (self._incoming is not None and self._incoming.paused):
            return "body", self._size
        if self.body is not None and self.body.ended and self.body.waiting:
            return "body", self.room + self.body.waiting
        return "busy", 0

    def give_up(self) -> None:
        """The client has been silent for too long."""
        if not self._asked:
            request = self._request(b"")
            self.answer(request, Response(b"", 408, b""))
        else:
            self.client.end_stream(self.number, Code.CANCEL)
            self.lost()
