"""Probe handlers against real servers on loopback."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest
from aiohttp import web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from kybern.node.handlers import Outcome, Target, run_handler


def target(**ports: int) -> Target:
    runtime: Any = None
    named = [{"name": name, "containerPort": port} for name, port in ports.items()]
    return Target(runtime, "id", {"name": "c", "ports": named}, "127.0.0.1")


@pytest.fixture
async def http_port() -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await asyncio.sleep(0.5)
        assert request.headers["User-Agent"].startswith("kube-probe/")
        if request.path == "/round":
            raise web.HTTPFound(f"/round?{len(request.query_string) * 'x'}x")
        if request.path == "/moved":
            raise web.HTTPFound(request.query["to"])
        return web.Response(status=int(request.headers.get("X-Status", "200")))

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.mark.parametrize(("status", "good"), [("200", True), ("399", True), ("404", False), ("500", False)])
async def test_http(http_port: int, status: str, good: bool) -> None:
    headers = [{"name": "X-Status", "value": status}]
    outcome = await run_handler(
        {"httpGet": {"port": "web", "path": "x", "httpHeaders": headers}}, target(web=http_port), 5
    )
    assert outcome.success == good
    assert good or outcome.message == f"HTTP probe failed with statuscode: {status}"


@pytest.mark.parametrize(
    ("to", "good", "message"),
    [
        pytest.param("/there", True, "", id="on the same host"),
        pytest.param("/moved?to=/there", True, "", id="twice"),
        pytest.param("http://localhost:1/", True, "302: Found", id="to another host, which is not asked"),
        pytest.param("http://127.0.0.1:1/", False, "connection refused", id="to another port, which is"),
        pytest.param("/moved?to=/moved%3Fto%3D/there%26again", True, "", id="three times"),
    ],
)
async def test_http_redirects(http_port: int, to: str, good: bool, message: str) -> None:
    path = f"/moved?{urlencode({'to': to})}"
    outcome = await run_handler({"httpGet": {"port": http_port, "path": path}}, target(), 5)
    assert (outcome.success, outcome.message.endswith(message)) == (good, True)
    assert outcome.wary == (good and bool(message))
    assert not outcome.wary or outcome.message == f"Probe terminated redirects, Response body: {message}"


async def test_http_redirects_without_end(http_port: int) -> None:
    outcome = await run_handler({"httpGet": {"port": http_port, "path": "/round"}}, target(), 5)
    assert outcome.message.endswith("stopped after 10 redirects")


async def test_http_times_out(http_port: int) -> None:
    outcome = await run_handler({"httpGet": {"port": http_port, "path": "/slow"}}, target(), 0.1)
    assert "context deadline exceeded" in outcome.message


async def test_nobody_listens() -> None:
    for handler in ({"httpGet": {"port": 1}}, {"tcpSocket": {"port": 1}}):
        outcome = await run_handler(handler, target(), 1)
        assert not outcome.success
        assert outcome.message.endswith("dial tcp 127.0.0.1:1: connect: connection refused")


async def test_tcp(http_port: int) -> None:
    assert await run_handler({"tcpSocket": {"port": http_port}}, target(), 1) == Outcome(True)


async def test_unknown_port_name() -> None:
    outcome = await run_handler({"httpGet": {"port": "nope"}}, target(), 1)
    assert outcome.message == 'couldn\'t find port: "nope" in container c'


async def test_grpc() -> None:
    server = grpc.aio.server()
    library: Any = health
    servicer = library.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await servicer.set("up", health_pb2.HealthCheckResponse.SERVING)
    await servicer.set("down", health_pb2.HealthCheckResponse.NOT_SERVING)
    try:
        assert (await run_handler({"grpc": {"port": port, "service": "up"}}, target(), 2)).success
        outcome = await run_handler({"grpc": {"port": port, "service": "down"}}, target(), 2)
        assert outcome.message == 'service unhealthy (responded with "NOT_SERVING")'
    finally:
        await server.stop(None)
