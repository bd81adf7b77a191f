"""The HTTP port of a service: /metrics for Prometheus, /healthz, /livez and /readyz for probes.

A few lines on asyncio's streams: one GET a connection is all that scrapers and probes need, and a web framework would
be the largest import of most services.
"""

import asyncio

from kybern.telemetry import Telemetry
from kybern.telemetry.exposition import CONTENT_TYPE, exposition

PATIENCE = 5.0  # seconds for a client to send its request
HEALTH = ("/healthz", "/livez", "/readyz")


def answer(request_line: str, telemetry: Telemetry) -> tuple[str, str, bytes]:
    """Status, content type and body for a request line such as `GET /metrics HTTP/1.1`."""
    method, _, rest = request_line.partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    if method not in ("GET", "HEAD"):
        return "405 Method Not Allowed", "text/plain", b"only GET\n"
    if path == "/metrics":
        return "200 OK", CONTENT_TYPE, exposition(telemetry.registry)
    if path in HEALTH:
        return "200 OK", "text/plain", b"ok"
    return "404 Not Found", "text/plain", b"try /metrics or /healthz\n"


async def serve_metrics(address: str, telemetry: Telemetry) -> None:
    """Serve until cancelled; a taken port is logged and leaves the service alone."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
            status, kind, body = answer(head.split(b"\r\n", 1)[0].decode("latin-1"), telemetry)
            fields = f"content-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close"
            writer.write(f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n".encode() + body)
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    host, _, port = address.rpartition(":")
    try:
        server = await asyncio.start_server(handle, host or "127.0.0.1", int(port))
    except OSError as error:
        telemetry.log.error("no metrics: cannot listen on %s: %s", address, error)
        return
    async with server:
        await server.serve_forever()
