"""Requests per second of unary calls and of Exchange: two processes, one Unix socket, mutual TLS.

    python bench/exchange.py [--seconds 3] [--callers 256] [--bytes 1500] [--asyncio]

The server answers a GET-like request from memory. Prints one line per way of calling, and their ratio.
"""

import argparse
import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.source import FixedCertificateSource, KeyPair

NAME = "apiserver.kybern"


def make_pair(folder: Path) -> KeyPair:
    """A certificate for both sides."""
    now = datetime.now(UTC)
    return issue(create_ca(folder / "pki", now), Identity("bench", (), (NAME,)), timedelta(hours=1), now)


async def serve(pair: KeyPair, address: str, size: int) -> None:
    from kybern.protos.api.v1.objects_pb2 import GetRequest, GetResponse
    from kybern.rpc.exchange.context import CallContext
    from kybern.rpc.exchange.servicer import add_objects_to_server
    from kybern.rpc.grpc_transport import GrpcTransport
    from kybern.rpc.transport import ANYONE, Policy
    from kybern.telemetry import Telemetry

    answer = GetResponse(object=bytes(size))

    async def get(request: GetRequest, context: CallContext) -> GetResponse:
        return answer

    telemetry = Telemetry("bench")
    transport = GrpcTransport(FixedCertificateSource(pair), telemetry)
    server = transport.server(address, Policy({"/kybern.api.v1.Objects/": frozenset({ANYONE})}))
    add_objects_to_server({"get": get}, server, telemetry.log)
    await server.start()
    await server.wait_for_termination()


async def measure(call: Callable[[], Awaitable[Any]], callers: int, seconds: float) -> tuple[float, float, float]:
    """Requests per second, and the median and 99th percentile of the latency in milliseconds."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def caller() -> None:
        while (started := time.perf_counter()) < end:
            await call()
            latencies.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    rate = len(latencies) / (time.perf_counter() - started)
    latencies.sort()
    return rate, latencies[len(latencies) // 2] * 1000, latencies[len(latencies) * 99 // 100] * 1000


async def client(pair: KeyPair, address: str, options: argparse.Namespace) -> None:
    from kybern.protos.api.v1.objects_pb2 import GetRequest, Requester, Resource
    from kybern.protos.api.v1.objects_pb2_grpc import ObjectsStub
    from kybern.rpc.exchange.client import ExchangeClient
    from kybern.rpc.grpc_transport import GrpcTransport
    from kybern.telemetry import Telemetry

    transport = GrpcTransport(FixedCertificateSource(pair), Telemetry("bench"))
    channel = transport.channel(address, NAME)
    request = GetRequest(resource=Resource(version="v1", resource="pods", namespace="default"), name="pod-1")
    requester = Requester(user="alice", groups=["system:authenticated"], user_agent="bench")
    stub = ObjectsStub(channel)  # type: ignore[call-overload]  # our channel is not grpc's own
    await stub.Get(request, wait_for_ready=True, timeout=10)
    rates = {}
    async with ExchangeClient(channel) as exchange:
        ways: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("unary", lambda: stub.Get(request)),
            ("exchange", lambda: exchange.call(request, requester=requester)),
        ]
        for name, call in ways:
            await measure(call, options.callers, options.seconds / 5)
            rates[name], middle, tail = await measure(call, options.callers, options.seconds)
            print(f"{name:9} {rates[name]:9,.0f} requests/s   median {middle:6.2f} ms   p99 {tail:6.2f} ms")
        print(f"ratio     {rates['exchange'] / rates['unary']:9.1f}")
    await transport.close()


def run(coroutine: Any, plain: bool) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=None if plain else uvloop.new_event_loop) as runner:
        runner.run(coroutine)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--callers", type=int, default=256)
    parser.add_argument("--bytes", type=int, default=1500)
    parser.add_argument("--asyncio", action="store_true", help="asyncio's own loop instead of uvloop")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pair = make_pair(Path(folder))
        address = f"unix:{folder}/bench.sock"
        server = os.fork()
        if server == 0:
            run(serve(pair, address, options.bytes), options.asyncio)
        try:
            run(client(pair, address, options), options.asyncio)
        finally:
            os.kill(server, signal.SIGKILL)
            os.waitpid(server, 0)


if __name__ == "__main__":
    main()
