"""The HTTP port of a service: /metrics for Prometheus, /healthz, /livez and /readyz for probes."""

import asyncio

from aiohttp import web
from prometheus_client import generate_latest

from kybern.telemetry import Telemetry


async def serve_metrics(address: str, telemetry: Telemetry) -> None:
    """Serve until cancelled; a taken port is logged and leaves the service alone."""
    host, _, port = address.rpartition(":")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(telemetry.registry), content_type="text/plain", charset="utf-8")

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics)])
    app.add_routes([web.get(path, healthy) for path in ("/healthz", "/livez", "/readyz")])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host or "127.0.0.1", int(port)).start()
        await asyncio.get_running_loop().create_future()
    except OSError as error:
        telemetry.log.error("no metrics: cannot listen on %s: %s", address, error)
    finally:
        await runner.cleanup()
