"""The apiserver as a service: flags, store, bootstrap, gRPC server."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from kybern.apiserver.admission.configuration import add_admission_flags, read_admission_configuration
from kybern.apiserver.admission.registry import NAMES as PLUGINS
from kybern.apiserver.audit.flags import add_audit_flags, read_audit_settings
from kybern.apiserver.authentication.flags import add_authentication_flags, read_authentication
from kybern.apiserver.authentication.reload import ConfigurationFollower
from kybern.apiserver.authentication.token_file import read_token_file
from kybern.apiserver.authentication.token_flags import add_token_flags, read_issuing
from kybern.apiserver.authorization.reload import AuthorizationFollower
from kybern.apiserver.bootstrap.run import bootstrap, keep
from kybern.apiserver.core.allocator import read_port_range
from kybern.apiserver.core.authentication.jwt_config import Anonymous
from kybern.apiserver.flowcontrol.flags import add_flow_flags, check_flow_flags
from kybern.apiserver.handlers.discovery import Discovery
from kybern.apiserver.handlers.table import handlers
from kybern.apiserver.server import ApiServer, Settings
from kybern.apiserver.storage import opening
from kybern.apiserver.storage.health import CHECK, follow_health, report
from kybern.apiserver.webhooks.flags import add_delegation_flags, read_authorization, read_token_webhook
from kybern.kube.duration import parse_go
from kybern.pki.source import BUNDLE, CertificateUnusable, FileCertificateSource
from kybern.pki.token_keys import TokenKeys
from kybern.protos.api.v1.discovery_pb2_grpc import add_DiscoveryServicer_to_server
from kybern.rpc.exchange.servicer import add_objects_to_server
from kybern.rpc.transport import ANYONE, Policy
from kybern.runtime.flagz import shown
from kybern.runtime.main import ServiceFailure
from kybern.runtime.service import Env, Service
from kybern.store.contract import Store
from kybern.store.errors import StoreError, StoreUnavailable

USER = "system:kybern:apiserver"
EVERYBODY = frozenset({ANYONE})  # what each may do is authorized per request
POLICY = Policy({"/kybern.api.v1.Objects/": EVERYBODY, "/kybern.api.v1.Discovery/": EVERYBODY})
GRACE = 5.0  # seconds for calls under way when the service ends
HISTORY = 300.0  # seconds of history kept in the store


def add_flags(parser: ArgumentParser) -> None:
    """Flags beyond the shared ones."""
    opening.add_flags(parser)
    parser.add_argument("--service-account-key", default="", metavar="FILE", help="private key that signs tokens")
    parser.add_argument(
        "--service-account-key-file",
        action="append",
        default=[],
        metavar="FILE",
        help="further keys that verify tokens: public keys, private ones or certificates; may be repeated",
    )
    parser.add_argument("--service-cluster-ip-range", default="10.96.0.0/16", metavar="CIDR", help="cluster IPs")
    parser.add_argument(
        "--service-node-port-range", default="30000-32767", metavar="FIRST-LAST", help="node ports, also FIRST+MORE"
    )
    parser.add_argument("--event-ttl", default="1h0m0s", metavar="DURATION", help="that Events are kept")
    parser.add_argument("--advertise-address", default="", metavar="HOST:PORT", help="endpoint of `kubernetes`")
    parser.add_argument(
        "--proxy-client", default="", metavar="DIR", help="folder with the certificate shown to extension API servers"
    )
    parser.add_argument("--token-auth-file", default="", metavar="FILE", help="static tokens: token,user,uid,groups")
    parser.add_argument(
        "--anonymous-auth", default="true", choices=["true", "false"], help="accept requests without credentials"
    )
    add_token_flags(parser)
    add_authentication_flags(parser)
    add_delegation_flags(parser)
    add_flow_flags(parser)
    add_audit_flags(parser)
    add_admission_flags(parser)


def read_settings(options: Namespace) -> Settings:
    """Flags and the files they name. Raises ServiceFailure."""
    keys = _read_keys(options) if options.service_account_key else None
    try:
        tokens = read_token_file(Path(options.token_auth_file)) if options.token_auth_file else {}
    except (OSError, ValueError) as error:
        raise ServiceFailure(f"--token-auth-file {options.token_auth_file}: {error}") from error
    try:
        check_flow_flags(options)
        audit = read_audit_settings(options)
        admission = read_admission_configuration(options, PLUGINS)
        authentication, issuing = read_authentication(options), read_issuing(options)
        node_ports, event_ttl = read_port_range(options.service_node_port_range), _event_ttl(options.event_ttl)
        authorization, token_webhook = read_authorization(options), read_token_webhook(options)
    except (OSError, ValueError) as error:
        raise ServiceFailure(str(error)) from error
    if "AlwaysAllow" in authorization.modes and authorization.file is None:  # nobody is not to do everything
        authentication = replace(authentication, anonymous=Anonymous(enabled=False))
    proxy_client = Path(options.proxy_client) if options.proxy_client else None
    try:
        if proxy_client is not None:
            FileCertificateSource(proxy_client)
    except CertificateUnusable as error:
        raise ServiceFailure(f"--proxy-client: {error}") from error
    kind, _, path = options.store.partition(":")
    return Settings(
        flags=shown(options),
        storage_file=Path(path) if kind == "sqlite" and path != ":memory:" else None,
        service_cidr=options.service_cluster_ip_range,
        node_ports=node_ports,
        event_ttl=event_ttl,
        issuing=issuing,
        advertise=options.advertise_address,
        keys=keys,
        tokens=tokens,
        proxy_client=proxy_client / BUNDLE if proxy_client is not None else None,
        authentication=authentication,
        audit=audit,
        admission=admission,
        authorization=authorization,
        token_webhook=token_webhook,
        min_request_timeout=options.min_request_timeout,
        priority_and_fairness=options.enable_priority_and_fairness == "true",
        max_requests_inflight=options.max_requests_inflight,
        max_mutating_requests_inflight=options.max_mutating_requests_inflight,
    )


def _event_ttl(text: str) -> float:
    """Seconds. Raises ValueError with a sentence."""
    try:
        seconds = parse_go(text).total_seconds()
    except ValueError as error:
        raise ValueError(f"--event-ttl: {error}") from error
    if seconds < 0:
        raise ValueError(f"--event-ttl {text}: Events cannot be kept for less than no time")
    return seconds


def _read_keys(options: Namespace) -> TokenKeys:
    """Raises ServiceFailure."""
    flag, file = "--service-account-key", options.service_account_key
    try:
        keys = TokenKeys.read(Path(file))
        flag = "--service-account-key-file"
        for file in options.service_account_key_file:
            keys.trust(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise ServiceFailure(f"{flag} {file}: {error}") from error
    return keys


async def run(options: Namespace, env: Env) -> None:
    """Serve until cancelled."""
    settings = read_settings(options)
    store = await opening.open_storage(options)
    try:
        ca = FileCertificateSource(Path(options.pki)).current().ca.decode()
        async with opening.following(options, store, env.telemetry) as follow:
            await serve(options.address, env, store, settings, ca, lambda server: follow(server.feed))
    finally:
        await store.close()


async def serve(
    address: str,
    env: Env,
    store: Store,
    settings: Settings,
    ca: str = "",
    made: Callable[[ApiServer], None] = lambda server: None,
) -> None:
    """Serve on a store that is open already, until cancelled; `made` is told of the server behind the wire."""
    try:
        server = ApiServer(store, env.clock, env.random, env.telemetry, settings)
    except ValueError as error:
        raise ServiceFailure(f"--service-cluster-ip-range {settings.service_cidr}: {error}") from error
    except OSError as error:
        raise ServiceFailure(f"the authority of an issuer of tokens cannot be read: {error}") from error
    made(server)
    await server.load()
    wire = env.transport.server(address, POLICY)
    add_objects_to_server(handlers(server), wire, env.telemetry.log)
    served: Any = wire
    add_DiscoveryServicer_to_server(Discovery(server), served)
    async with asyncio.TaskGroup() as tasks:
        workers = [tasks.create_task(work) for work in _work(server, store, wire, env)]
        audits = [tasks.create_task(backend.run()) for backend in server.audit.backends] if server.audit else []
        try:
            await server.claim_repair.repair()
            await bootstrap(server, ca)
            workers.append(tasks.create_task(keep(server)))
            workers.append(tasks.create_task(server.token_tracking.run()))
            await wire.start()
            await report(served, CHECK, "")
            env.ready()
            env.telemetry.log.info("serving at revision %d on %s", server.feed.revision, address)
            await asyncio.get_running_loop().create_future()
        finally:
            for cacher in server.table.cachers.values():
                cacher.end_watches()
            await wire.stop(GRACE)
            await ended(audits)
            await server.webhooks.close()
            for worker in workers:
                worker.cancel()


def _work(server: ApiServer, store: Store, wire: Any, env: Env) -> Iterator[Coroutine[Any, Any, None]]:
    """What goes on for as long as the service lives."""
    yield server.feed.run()
    yield compact(server, store)
    yield server.definitions.run()
    yield server.policy_status.run()
    yield server.claim_repair.run()
    yield follow_health(server.feed, wire, env.telemetry)
    yield server.aggregator.run()
    yield server.oidc.run()
    if server.settings.authentication.file is not None:
        yield ConfigurationFollower(server, server.settings.authentication.file).run()
    if server.settings.authorization.file is not None:
        yield AuthorizationFollower(server, server.settings.authorization.file).run()
    if server.flow_controller is not None:
        yield server.flow_controller.run()


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks, and let them do what they do at their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def compact(server: ApiServer, store: Store) -> None:
    """Forget history older than HISTORY seconds, every HISTORY seconds."""
    before = 0
    while True:
        await asyncio.sleep(HISTORY)
        if before:
            await compact_once(server, store, before)
        before = server.feed.revision


async def compact_once(server: ApiServer, store: Store, revision: int) -> bool:
    """Forget history up to a revision; False if it was not done, or by another apiserver."""
    try:
        await store.compact(revision)
    except StoreUnavailable as error:
        server.telemetry.log.warning("cannot compact the store: %s", error)
    except StoreError as error:  # another apiserver was faster
        server.telemetry.log.debug("not compacted: %s", error)
        server.feed.compacted = revision
    else:
        server.feed.compacted = revision
        return True
    return False


SERVICE = Service(
    name="apiserver",
    user=USER,
    help="The object API: every Kubernetes resource over gRPC; the only service that reaches storage.",
    add_flags=add_flags,
    run=run,
)
