"""The gateway's shell: the HTTPS port, the streams to the apiserver, the resource table, certificates, draining."""

from __future__ import annotations

import asyncio
import errno
import os
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from kybern.gateway.api import Api
from kybern.gateway.client_metrics import ClientMetrics, Connections
from kybern.gateway.core.patience import Limits, Patience
from kybern.gateway.core.resources import Resources
from kybern.gateway.dispatch import Gateway
from kybern.gateway.handlers.others import GatewayOptions
from kybern.gateway.http.client import Client
from kybern.gateway.http.front_proxy import add_request_header_flags, read_front_proxies
from kybern.gateway.http.message import Headers
from kybern.gateway.http.negotiated import Negotiated
from kybern.gateway.http.tls import server_context
from kybern.gateway.workers import keep_worker
from kybern.kube.duration import parse_go
from kybern.pki.client_tls import ClientTls
from kybern.pki.source import BUNDLE, CertificateUnusable, FileCertificateSource
from kybern.protos.api.v1.discovery_pb2 import WatchResourcesRequest
from kybern.protos.api.v1.discovery_pb2_grpc import DiscoveryStub
from kybern.rpc.exchange.client import ExchangeClient
from kybern.rpc.transport import Policy
from kybern.runtime.flagz import shown
from kybern.runtime.service import Env, Service
from kybern.runtime.spawn import die_with_parent

ALLOWED = "max-age=expireTime, includeSubDomains, preload"
APISERVER = "apiserver.kybern"
BACKLOG = 1024
MOST_PART = 0.02  # of requests after which connections end
LOOK_SECONDS = 1.0  # between looks at silent connections
POLL_SECONDS = 2.0  # between looks at the certificate
RETRY_SECONDS = 0.1  # between attempts to get the resource table
DRAIN_SECONDS = 2.0  # that requests under way may still take at the end


def add_flags(parser: ArgumentParser) -> None:
    """Flags beyond the shared ones."""
    parser.add_argument("--bind-address", default="0.0.0.0", help="address of the HTTPS port")
    parser.add_argument("--secure-port", type=int, default=6443, help="the HTTPS port")
    parser.add_argument(
        "--proxy-client", default="", metavar="DIR", help="folder with the certificate shown to extension API servers"
    )
    parser.add_argument("--logs-dir", default="", metavar="DIR", help="what /logs shows to whoever may; none: off")
    parser.add_argument("--request-timeout", default="1m0s", metavar="DURATION", help="that a request may take at most")
    parser.add_argument("--idle-timeout", type=float, default=90.0, help="seconds that an idle connection is kept")
    parser.add_argument("--read-header-timeout", type=float, default=32.0, help="seconds for a request's headers")
    parser.add_argument("--read-body-timeout", type=float, default=60.0, help="seconds without a byte of a body")
    parser.add_argument(
        "--disable-http2-serving", action=BooleanOptionalAction, default=False, help="speak HTTP/1.1 alone"
    )
    parser.add_argument(
        "--http2-max-streams-per-connection", type=int, default=0, metavar="N", help="requests at once; 0: 100"
    )
    parser.add_argument(
        "--goaway-chance",
        type=float,
        default=0.0,
        metavar="PART",
        help="of requests over HTTP/2 after which the client is told to connect anew; at most 0.02; default 0: none",
    )
    parser.add_argument(
        "--profiling", default="true", choices=["true", "false"], help="serve /debug/pprof and /debug/flags"
    )
    parser.add_argument(
        "--strict-transport-security-directives", default="", metavar="LIST", help="for browsers: max-age=3600,preload"
    )
    add_request_header_flags(parser)
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share the port")
    parser.add_argument("--worker", type=int, default=0, help=SUPPRESS)  # the pid of a gateway with --workers
    parser.add_argument(
        "--external-address", default="", help="host:port that /api tells clients; default: the port's own"
    )


CHECKS = ("etcd", "kms-providers")


class Front:
    """Readiness as the health checks see it."""

    def __init__(self) -> None:
        self.connected = False
        self.checks = {"etcd": False}  # what the apiserver checks: its store, its KMS plugins; not known yet

    def ready(self) -> bool:
        return self.connected


async def follow_check(channel: Any, front: Front, name: str) -> None:
    """Keep the state of a check that the apiserver makes; forgotten while there is no such check."""
    health: Any = HealthStub(channel)
    while True:
        try:
            async for response in health.Watch(HealthCheckRequest(service=name)):
                if response.status == HealthCheckResponse.SERVICE_UNKNOWN:
                    front.checks.pop(name, None)
                else:
                    front.checks[name] = response.status == HealthCheckResponse.SERVING
        except grpc.aio.AioRpcError:
            front.checks.pop(name, None)  # the check of the apiserver itself fails
        await asyncio.sleep(RETRY_SECONDS)


async def follow_resources(api: Api, front: Front) -> None:
    """Keep the resource table: the apiserver sends it again after each change."""
    while True:
        try:
            async for response in api.discovery.WatchResources(WatchResourcesRequest()):
                api.resources = Resources(response.table)
                front.connected = True
                api.loaded.set()
        except grpc.aio.AioRpcError as error:
            if front.connected:
                api.env.telemetry.log.warning("the apiserver is away: %s", error.details())
        front.connected = False
        await asyncio.sleep(RETRY_SECONDS)


async def close_idle(connections: set[Client], limits: Limits) -> None:
    """Close connections whose client is silent for too long."""
    loop, watch = asyncio.get_running_loop(), Patience(limits)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        silent = [one for connection in connections for one in connection.silent()]
        for one in watch.overdue(silent, loop.time()):
            one.give_up()


async def follow_certificate(source: FileCertificateSource, env: Env) -> None:
    while True:
        await asyncio.sleep(POLL_SECONDS)
        if source.poll():
            env.telemetry.log.info("the certificate was rotated")


def client_tls(folder: str) -> ClientTls:
    """How extension API servers are shown who asks. Raises ServiceFailure."""
    from kybern.runtime.main import ServiceFailure

    if not folder:
        return ClientTls(None)
    try:
        FileCertificateSource(Path(folder))
    except CertificateUnusable as error:
        raise ServiceFailure(f"--proxy-client: {error}") from error
    return ClientTls(Path(folder) / BUNDLE)


async def listen(
    options: Namespace,
    gateway: Gateway,
    connections: Connections,
    source: FileCertificateSource,
    parts: Callable[[], bool] | None = None,
) -> asyncio.Server:
    """Open the HTTPS port; `parts`: see Connection of HTTP/2. Raises ServiceFailure when it cannot be had."""
    from kybern.runtime.main import ServiceFailure

    try:
        proxies = read_front_proxies(options)
    except (OSError, ValueError) as error:
        raise ServiceFailure(
            f"--requestheader-client-ca-file {options.requestheader_client_ca_file}: {error}"
        ) from error
    context = server_context(
        source, proxies.pem if proxies is not None else "", http2=not options.disable_http2_serving
    )
    connections.handshakes.watch(context)
    try:
        return await asyncio.get_running_loop().create_server(
            lambda: Negotiated(gateway, connections, proxies, options.http2_max_streams_per_connection, parts),
            options.bind_address,
            options.secure_port,
            ssl=context,
            backlog=BACKLOG,
            ssl_handshake_timeout=options.read_header_timeout or None,
            reuse_port=True if options.worker or options.workers > 1 else None,
        )
    except OSError as error:
        where = f"{options.bind_address}:{options.secure_port}"
        if error.errno == errno.EADDRINUSE:
            raise ServiceFailure(
                f"port {where} is in use: stop what listens there, or choose another --secure-port"
            ) from error
        raise ServiceFailure(f"cannot listen on {where}: {os.strerror(error.errno or 0)}") from error


async def drain(connections: set[Client]) -> None:
    """Let requests under way end, then close what is left."""
    for connection in list(connections):
        connection.stop()
    deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
    while connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 — a set has no event
        await asyncio.sleep(0.02)
    for connection in list(connections):
        connection.transport.abort()


def request_timeout(text: str) -> float:
    """The flag in seconds. Raises ServiceFailure."""
    from kybern.runtime.main import ServiceFailure

    try:
        seconds = parse_go(text).total_seconds()
    except ValueError as error:
        raise ServiceFailure(f"--request-timeout: {error}") from None
    if seconds <= 0:
        raise ServiceFailure("--request-timeout must be more than 0s")
    return seconds


def parting(chance: float, random: Random) -> Callable[[], bool] | None:
    """Whether a request is its connection's last, by chance; None: never. Raises ServiceFailure."""
    from kybern.runtime.main import ServiceFailure

    if not 0 <= chance <= MOST_PART:
        raise ServiceFailure(f"--goaway-chance can not be less than 0 or greater than {MOST_PART}")
    return (lambda: random.random() < chance) if chance else None


def transport_security(directives: str) -> Headers:
    """The header that has browsers use HTTPS alone, if a flag names what it says. Raises ServiceFailure."""
    from kybern.runtime.main import ServiceFailure

    said = [part.strip() for part in directives.split(",") if part.strip()]
    for part in said:
        if not (part.startswith("max-age=") or part in ("includeSubDomains", "preload")):
            problem = f"--strict-transport-security-directives invalid, allowed values: {ALLOWED}"
            raise ServiceFailure(f"{problem}. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information")
    return ((b"Strict-Transport-Security", "; ".join(said).encode()),) if said else ()


async def run(options: Namespace, env: Env) -> None:
    """Serve until cancelled."""
    if options.worker:
        die_with_parent(options.worker)
    seconds = request_timeout(options.request_timeout)
    parts = parting(options.goaway_chance, env.random)
    source = FileCertificateSource(Path(options.pki))
    channel = env.transport.channel(options.apiserver, APISERVER)
    grpc_server = env.transport.server(options.address, Policy())
    front, connections = Front(), Connections(lambda: env.clock.now().timestamp())
    ClientMetrics(connections, env.telemetry.registry)
    address = options.external_address or f"{options.bind_address}:{options.secure_port}"
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(ExchangeClient(channel))
        streams = await stack.enter_async_context(ExchangeClient(channel))
        discovery: Any = DiscoveryStub(channel)
        api = Api(env, calls, streams, discovery, client_tls=client_tls(options.proxy_client))
        api.request_timeout, api.headers = seconds, transport_security(options.strict_transport_security_directives)
        logs_dir = Path(options.logs_dir) if options.logs_dir else None
        gateway = Gateway(api, front, address, GatewayOptions(logs_dir, shown(options), options.profiling == "true"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow_resources(api, front))
            for check in CHECKS:
                tasks.create_task(follow_check(channel, front, check))
            tasks.create_task(follow_certificate(source, env))
            tasks.create_task(gateway.gets.sweep())
            tasks.create_task(gateway.creates.sweep())
            limits = Limits(options.idle_timeout, options.read_header_timeout, options.read_body_timeout)
            tasks.create_task(close_idle(connections, limits))
            await grpc_server.start()
            server = await listen(options, gateway, connections, source, parts)
            try:
                for index in range(1, options.workers):
                    tasks.create_task(keep_worker(options, index, env))
                await api.loaded.wait()
                env.ready()
                await asyncio.get_running_loop().create_future()
            finally:
                server.close()
                await drain(connections)
                api.pool.close()
                await grpc_server.stop(1.0)


SERVICE = Service(
    name="gateway",
    user="system:kybern:gateway",
    help="Kubernetes' REST API on one HTTPS port.",
    add_flags=add_flags,
    run=run,
)
