"""The service proxy's shell: informers in, nftables out, and the Proxy contract."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from prometheus_client import Counter

from kybern.client.informer import SharedInformer, SharedInformerFactory, each
from kybern.client.objects import Client
from kybern.client.resources import ENDPOINT_SLICES, SERVICE_CIDRS, SERVICES
from kybern.kube import meta
from kybern.protos.proxy.v1 import proxy_pb2, proxy_pb2_grpc
from kybern.proxy import conntrack
from kybern.proxy.core.conntrack import Frontends, compute_frontends
from kybern.proxy.core.health_check import HealthCheck, compute_health_check
from kybern.proxy.core.ports import SERVICE_NAME, Object, ServicePort, compute_service_ports
from kybern.proxy.core.rules import TABLE, Fragment, cidr_fragment, compute_fragment
from kybern.proxy.core.transaction import REMOVE, Table
from kybern.proxy.health_checks import HealthChecks
from kybern.proxy.nftables import Nftables, NftablesError
from kybern.proxy.syncer import Syncer
from kybern.rpc.transport import Policy
from kybern.runtime.main import ServiceFailure
from kybern.runtime.service import Env, Service
from kybern.telemetry import Telemetry

BY_SERVICE = "service"
ALL_CIDRS = "servicecidrs"  # beside the keys of Services, which have a slash
POLICY = Policy({"/kybern.proxy.v1.Proxy/": frozenset({"system:kybern:gateway"})})


def service_of(endpoint_slice: Object) -> tuple[str, ...]:
    """The key of the Service that a slice belongs to, as an index."""
    name = meta.labels(endpoint_slice).get(SERVICE_NAME, "")
    return (f"{meta.namespace(endpoint_slice)}/{name}",) if name else ()


class Desired:
    """What the informers say the rules of a Service should be."""

    def __init__(self, services: SharedInformer, slices: SharedInformer, cidrs: SharedInformer, node_name: str) -> None:
        self._services, self._slices, self._cidrs, self._node = services, slices, cidrs, node_name

    def ports(self, key: str) -> list[ServicePort]:
        """The ports of one Service now."""
        service = self._services.get(key)
        if service is None:
            return []
        return compute_service_ports(service, self._slices.store.by_index(BY_SERVICE, key), self._node)

    def health_check(self, key: str) -> HealthCheck | None:
        """What load balancers are told of one Service."""
        service = self._services.get(key)
        if service is None:
            return None
        return compute_health_check(service, self._slices.store.by_index(BY_SERVICE, key), self._node)

    def fragment(self, key: str) -> Fragment:
        """The rules of one Service now, or those that concern the addresses of all."""
        if key == ALL_CIDRS:
            return cidr_fragment(self._cidrs.store.list())
        return compute_fragment(self.ports(key))

    def frontends(self, keys: Iterable[str]) -> Frontends:
        """Where these Services are reached over UDP."""
        return compute_frontends(port for key in keys for port in self.ports(key))


class Proxy(proxy_pb2_grpc.ProxyServicer):
    """The Proxy contract."""

    def __init__(self, syncer: Syncer, nftables: Nftables) -> None:
        self._syncer, self._nftables = syncer, nftables

    async def GetRules(self, request: proxy_pb2.GetRulesRequest, context: Any) -> proxy_pb2.GetRulesResponse:
        rules = await asyncio.to_thread(self._nftables.run, f"list table ip {TABLE}")
        fragments = self._syncer.table.fragments
        endpoints = sum(len([e for e in f.elements if e[0] == "hairpin"]) for f in fragments.values())
        return proxy_pb2.GetRulesResponse(
            rules=rules, services=len(fragments.keys() - {ALL_CIDRS}), endpoints=endpoints
        )

    async def Sync(self, request: proxy_pb2.SyncRequest, context: Any) -> proxy_pb2.SyncResponse:
        loop = asyncio.get_running_loop()
        began = loop.time()
        commands = await self._syncer.sync(whole=True)
        return proxy_pb2.SyncResponse(commands=commands, seconds=loop.time() - began)


def add_flags(parser: ArgumentParser) -> None:
    """Flags beyond the shared ones."""
    parser.add_argument("--node-name", required=True, help="the node whose rules these are")
    parser.add_argument("--cluster-cidr", default="10.244.0.0/16", help="the pod network")
    parser.add_argument("--cleanup-on-exit", action="store_true", help="remove the rules when the proxy stops")


async def run(options: Namespace, env: Env) -> None:
    """Keep the node's rules right until cancelled. The rules stay when the proxy stops, so that traffic goes on."""
    try:
        nftables = Nftables()
    except NftablesError as error:
        raise ServiceFailure(str(error)) from None
    async with Client(env.transport.channel(options.apiserver, "apiserver.kybern")) as client:
        informers = SharedInformerFactory(client, env.random, env.telemetry)
        services = informers.informer(SERVICES)
        slices = informers.informer(ENDPOINT_SLICES, indexers={BY_SERVICE: service_of})
        cidrs = informers.informer(SERVICE_CIDRS)
        desired = Desired(services, slices, cidrs, options.node_name)
        syncer = Syncer(
            Table(options.cluster_cidr), nftables, desired.fragment, env.telemetry, forgetting(desired, env.telemetry)
        )

        checks = HealthChecks(desired.health_check, env.telemetry)

        def mark(key: str) -> None:
            syncer.mark(key)
            checks.mark(key)

        def mark_service(endpoint_slice: Object) -> None:
            for key in service_of(endpoint_slice):
                mark(key)

        services.add_handler(each(lambda service: mark(meta.key(service))))
        slices.add_handler(each(mark_service))
        cidrs.add_handler(each(lambda _: syncer.mark(ALL_CIDRS)))
        server = env.transport.server(options.address, POLICY)
        proxy_pb2_grpc.add_ProxyServicer_to_server(Proxy(syncer, nftables), server)  # type: ignore[arg-type]  # any transport's server
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(informers.run())
                await informers.wait_for_sync()
                await sync_first(syncer)
                tasks.create_task(syncer.run())
                tasks.create_task(checks.run())
                await server.start()
                env.ready()
        finally:
            await server.stop(1.0)
            if options.cleanup_on_exit:
                nftables.run(REMOVE)


def forgetting(desired: Desired, telemetry: Telemetry) -> Callable[[set[str]], Awaitable[None]]:
    """What ends UDP flows to endpoints that Services no longer have."""
    name, help_text = "kubeproxy_conntrack_reconciler_deleted_entries", "Flows forgotten"
    deleted = Counter(name, help_text, registry=telemetry.registry)

    async def forget(keys: set[str]) -> None:
        frontends = desired.frontends(keys)
        if not frontends:
            return
        try:
            deleted.inc(await asyncio.to_thread(conntrack.clean, frontends))
        except OSError as error:
            telemetry.log.error("old flows were not forgotten", extra={"error": str(error)})

    return forget


async def sync_first(syncer: Syncer) -> None:
    """The first whole table; a host that cannot have one ends the service with the reason."""
    try:
        await syncer.sync(whole=True)
    except NftablesError as error:
        raise ServiceFailure(f"nftables refuses the rules (root and nf_tables are needed): {error}") from None


SERVICE = Service(
    name="proxy", user="system:kube-proxy", help="Services as nftables rules of a node.", add_flags=add_flags, run=run
)
