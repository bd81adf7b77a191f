"""A real HTTP server for the gateway to carry requests to: it says what it was asked, and more at some paths."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web


def own_address() -> str:
    """An address of this machine that is not loopback's; "" if there is none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""


async def describe(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    assert request.transport is not None
    said = {
        "client": request.transport.get_extra_info("peername")[1],
        "method": request.method,
        "path": request.raw_path,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "size": len(body),
        "scheme": request.scheme,
    }
    return web.Response(text=json.dumps(said), content_type="text/plain", headers={"Access-Control-Allow-Origin": "*"})


async def redirect(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(request.query["to"])


async def page(request: web.Request) -> web.StreamResponse:
    response = web.Response(text='<html><a href="/x">x</a> <a href="y">y</a></html>', content_type="text/html")
    if "gzip" in request.query:
        response.enable_compression(web.ContentCoding.gzip)
    return response


async def count(request: web.Request) -> web.StreamResponse:
    """Lines, one whenever the client has sent a piece of its body."""
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(b"%d\n" % len(piece))
    await response.write_eof()
    return response


async def large(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(20_000_000)})
    await response.prepare(request)
    for _ in range(20):
        await response.write(b"x" * 1_000_000)
    return response


async def broken(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.close()
    return response


async def shout(request: web.Request) -> web.StreamResponse:
    ws = web.WebSocketResponse(protocols=("loud",))
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data.upper())
    return ws


async def status(request: web.Request) -> web.StreamResponse:
    return web.Response(status=int(request.match_info["code"]), reason="Of My Own")


@asynccontextmanager
async def backend(
    host: str, tls: ssl.SSLContext | None = None, app: web.Application | None = None
) -> AsyncIterator[int]:
    """The port of a running server."""
    if app is None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_get("/redirect", redirect)
        app.router.add_get("/page", page)
        app.router.add_post("/count", count)
        app.router.add_get("/large", large)
        app.router.add_get("/broken", broken)
        app.router.add_get("/shout", shout)
        app.router.add_get("/status/{code}", status)
        app.router.add_route("*", "/{rest:.*}", describe)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    try:
        server: Any = site._server
        yield server.sockets[0].getsockname()[1]
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
