"""The DNS service's shell: informers feed the zone, sockets and the Dns contract ask it."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from ipaddress import ip_address
from pathlib import Path

from kybern.client.informer import SharedInformerFactory
from kybern.client.objects import Client
from kybern.client.resources import ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES
from kybern.dns.core.resolv_conf import Address, nameservers, parse_address
from kybern.dns.core.zone import POD_MODES, Zone
from kybern.dns.forward import Forwarder
from kybern.dns.publish import publish
from kybern.dns.resolver import Resolver
from kybern.dns.server import Listener
from kybern.dns.servicer import DnsServicer
from kybern.dns.watching import (
    slim_namespace,
    slim_pod,
    slim_service,
    slim_slice,
    watch_namespaces,
    watch_pods,
    watch_services,
    watch_slices,
)
from kybern.protos.dns.v1 import dns_pb2_grpc
from kybern.rpc.transport import Policy
from kybern.runtime.main import ServiceFailure
from kybern.runtime.service import Env, Service

POLICY = Policy({"/kybern.dns.v1.Dns/": frozenset({"system:kybern:gateway"})})
RESOLV_CONF = "/etc/resolv.conf"
NOWHERE = "none"


def add_flags(parser: ArgumentParser) -> None:
    """Flags beyond the shared ones."""
    parser.add_argument(
        "--listen",
        action="append",
        default=[],
        type=_address,
        metavar="ADDRESS[:PORT]",
        help="answer DNS here over UDP and TCP; may be repeated; port 53 unless said",
    )
    parser.add_argument("--cluster-domain", default="cluster.local", metavar="DOMAIN", help="the zone of the cluster")
    parser.add_argument(
        "--forward",
        action="append",
        default=[],
        metavar="ADDRESS[:PORT]|FILE|none",
        help=f"ask this resolver, or those in this resolv.conf, for other names (default {RESOLV_CONF})",
    )
    parser.add_argument("--ttl", type=int, default=5, help="seconds that clients may keep answers about the cluster")
    parser.add_argument(
        "--publish",
        default="",
        metavar="CLUSTER-IP",
        help="make the Service kube-dns with this address; the first --listen is its endpoint, unless a loopback one",
    )
    parser.add_argument("--pods", choices=POD_MODES, default="insecure", help="names like 10-0-0-1.NAMESPACE.pod")


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


async def upstreams_of(forward: list[str], own: list[Address]) -> list[Address]:
    """The resolvers that the flags name, without ourselves. Raises ValueError and OSError."""
    found: list[Address] = []
    for each in forward or [RESOLV_CONF]:
        if each == NOWHERE:
            continue
        if "/" in each:
            found += nameservers(await asyncio.to_thread(Path(each).read_text))
        else:
            found.append(parse_address(each))
    return [address for address in dict.fromkeys(found) if address not in own]


async def run(options: Namespace, env: Env) -> None:
    """Answer until cancelled."""
    zone = Zone(options.cluster_domain, options.ttl, options.pods)
    log = env.telemetry.log
    try:
        upstreams = await upstreams_of(options.forward, options.listen)
    except (OSError, ValueError) as error:
        raise ServiceFailure(f"--forward: {error}") from error
    forwarder = Forwarder(upstreams, env.random, log) if upstreams else None
    resolver = Resolver(zone, forwarder, env.telemetry.registry, log)
    server = env.transport.server(options.address, POLICY)
    dns_pb2_grpc.add_DnsServicer_to_server(DnsServicer(resolver), server)  # type: ignore[arg-type]  # any transport's server
    async with Client(env.transport.channel(options.apiserver, "apiserver.kybern")) as client:
        informers = SharedInformerFactory(client, env.random, env.telemetry)
        _feed(zone, informers, options.pods)
        listeners: list[Listener] = []
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(informers.run())
                await informers.wait_for_sync()
                await server.start()  # answers, and is healthy, only now
                for host, port in options.listen:
                    listeners.append(Listener(resolver, tasks))
                    await _start(listeners[-1], host, port)
                if options.publish:
                    await publish(client, options.publish, reachable(options.listen), log)
                if forwarder is not None:
                    tasks.create_task(forwarder.probe())
                env.ready()
                await asyncio.get_running_loop().create_future()
        finally:
            for listener in listeners:
                await listener.close()
            await server.stop(1.0)


def reachable(listen: list[Address]) -> Address | None:
    """Where pods can ask us."""
    return next((each for each in listen if not ip_address(each[0]).is_loopback), None)


async def _start(listener: Listener, host: str, port: int) -> None:
    try:
        await listener.start(host, port)
    except OSError as error:
        raise ServiceFailure(f"cannot answer DNS on {host} port {port}: {error.strerror or error}") from error


def _feed(zone: Zone, informers: SharedInformerFactory, pods: str) -> None:
    watch_services(informers.informer(SERVICES, transform=slim_service), zone)
    watch_slices(informers.informer(ENDPOINT_SLICES, transform=slim_slice), zone)
    watch_namespaces(informers.informer(NAMESPACES, transform=slim_namespace), zone)
    if pods == "verified":
        watch_pods(informers.informer(PODS, transform=slim_pod), zone)


SERVICE = Service(
    name="dns", user="system:kybern:dns", help="Answers names of Services and pods.", add_flags=add_flags, run=run
)
