"""Silent clients of the HTTPS port are given up; limits are short here by a gateway of the test's own."""

import asyncio
from collections.abc import Hashable
from typing import Any

from kybern.gateway.core.patience import Limits
from kybern.gateway.http.client import Client
from kybern.gateway.http.handler import Render, Said
from kybern.gateway.http.http1.connection import Connection
from kybern.gateway.http.message import Headers, Request, Response
from kybern.gateway.http.reply import Reply
from kybern.gateway.service import close_idle


class Plain:
    """Answers at once."""

    def get_again(self, reply: Reply, line: bytes, head: Hashable) -> bool:
        return False

    def create_again(self, reply: Reply, head: Hashable, body: bytes) -> bool:
        return False

    def begin(self, request: Request, said: Said | None) -> bool:
        return False

    async def handle(self, request: Request) -> Response | None:
        return Response(b"ok")

    def passes_on(self, target: bytes) -> bool:
        return False

    def refuse(self, request: Request, code: int) -> Response:
        return Response(b"", code)

    def standard_headers(self, request: Request) -> Headers:
        return ()

    def plain_head(self, flow: str, status: int, render: Render) -> bytes:
        return render(status, ())

    def audit_id(self) -> bytes:
        return b"a"


async def test_silent_clients_are_given_up(monkeypatch: Any) -> None:
    monkeypatch.setattr("kybern.gateway.service.LOOK_SECONDS", 0.02)
    connections: set[Client] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(Plain(), connections), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    watcher = asyncio.create_task(close_idle(connections, Limits(idle=0.2, head=0.2, body=0.2)))
    for sent, answer in (
        (b"", b""),
        (b"GET / HT", b""),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", b"HTTP/1.1 408 Request Timeout"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"HTTP/1.1 200 OK"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(2):
            assert (await reader.read()).split(b"\r\n")[0] == answer
        writer.close()
        await writer.wait_closed()
    watcher.cancel()
    server.close()
    await asyncio.gather(watcher, return_exceptions=True)
