"""More processes behind one port: each worker is a gateway of its own, started again when it ends.

They share the port by SO_REUSEPORT, so the kernel spreads connections; a worker ends with the process that started it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import Namespace
from collections.abc import Iterator

from kybern.gateway.http.front_proxy import FLAGS
from kybern.runtime.service import Env

SAME = (
    "request_timeout",
    "idle_timeout",
    "read_header_timeout",
    "read_body_timeout",
    "http2_max_streams_per_connection",
    "strict_transport_security_directives",
    "goaway_chance",
    "profiling",
)
FIRST_BACKOFF, LAST_BACKOFF = 0.2, 10.0  # seconds before a worker that ended is started again
STEADY_SECONDS = 30.0  # that a worker must have run for its back-off to start over
STOP_SECONDS = 5.0  # that a worker may take to drain


def worker_address(address: str, index: int) -> str:
    """Where a worker's gRPC server listens: a socket beside the first one's, or any free port of the same host."""
    if address.startswith("unix:"):
        return f"{address}.{index}"
    return f"{address.rpartition(':')[0]}:0"


def worker_arguments(options: Namespace, index: int) -> list[str]:
    """The flags of the worker with this index; metrics are the first process's own."""

    def flags() -> Iterator[str]:
        yield from ("--address", worker_address(options.address, index), "--pki", options.pki)
        yield from ("--apiserver", options.apiserver, "--log-level", options.log_level)
        yield from ("--bind-address", options.bind_address, "--secure-port", str(options.secure_port))
        yield from ("--worker", str(os.getpid()))
        if options.traces:
            yield from ("--traces", options.traces)
        for name in (*SAME, *FLAGS):
            yield from (f"--{name.replace('_', '-')}", str(getattr(options, name)))
        if options.disable_http2_serving:
            yield "--disable-http2-serving"
        if options.logs_dir:
            yield from ("--logs-dir", options.logs_dir)
        if options.proxy_client:
            yield from ("--proxy-client", options.proxy_client)
        if options.external_address:
            yield from ("--external-address", options.external_address)

    return list(flags())


async def keep_worker(options: Namespace, index: int, env: Env) -> None:
    """Run one worker until cancelled."""
    loop, backoff = asyncio.get_running_loop(), FIRST_BACKOFF
    while True:
        started = loop.time()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kybern.gateway", *worker_arguments(options, index), stdin=asyncio.subprocess.DEVNULL
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await _stop(process)
            raise
        if loop.time() - started > STEADY_SECONDS:
            backoff = FIRST_BACKOFF
        env.telemetry.log.warning("a worker ended and is started again", extra={"worker": index, "status": code})
        await asyncio.sleep(backoff)
        backoff = min(backoff * 2, LAST_BACKOFF)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
