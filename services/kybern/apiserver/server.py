"""ApiServer: the parts that a request passes through, put together once."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from kybern.apiserver.admission import registry as admission_registry
from kybern.apiserver.admission.chain import Chain
from kybern.apiserver.admission.configuration import AdmissionConfiguration
from kybern.apiserver.admission.policy_status import PolicyStatusController
from kybern.apiserver.admission.times import AdmissionTimes
from kybern.apiserver.aggregation.aggregator import Aggregator
from kybern.apiserver.aggregation.client import ExtensionClient
from kybern.apiserver.audit.flags import AuditSettings
from kybern.apiserver.audit.log import AuditLog
from kybern.apiserver.authentication.authenticator import Authenticator, Verify, for_anybody
from kybern.apiserver.authentication.bootstrap_token import BootstrapTokens
from kybern.apiserver.authentication.flags import AuthenticationSettings
from kybern.apiserver.authentication.legacy_tokens import LegacyTokens
from kybern.apiserver.authentication.oidc import OidcAuthenticator
from kybern.apiserver.authentication.service_account import ServiceAccountTokens
from kybern.apiserver.authentication.token_flags import Issuing
from kybern.apiserver.authentication.webhook import TokenSettings, TokenWebhook
from kybern.apiserver.authorization.authorizer import Authorizer
from kybern.apiserver.authorization.metrics import AuthorizationMetrics
from kybern.apiserver.authorization.modes import AuthorizationSettings
from kybern.apiserver.authorization.webhook import WebhookAuthorizer
from kybern.apiserver.bootstrap.legacy_tokens import TokenTracking, mark_used
from kybern.apiserver.bootstrap.rbac import node_rules
from kybern.apiserver.core.allocator import NODE_PORT_RANGE, PortAllocator
from kybern.apiserver.core.service_addresses import ServiceAddresses
from kybern.apiserver.core.user import User
from kybern.apiserver.crd.controller import DefinitionController
from kybern.apiserver.crd.definition import GROUP, RESOURCE
from kybern.apiserver.crd.served import CustomResources
from kybern.apiserver.flowcontrol.controller import FlowController
from kybern.apiserver.flowcontrol.gate import FlowControl
from kybern.apiserver.flowcontrol.in_flight import InFlight
from kybern.apiserver.flowcontrol.metrics import FlowMetrics
from kybern.apiserver.metrics import NODE_PORTS, SLOW_WATCHERS, WATCH_LISTS, ApiMetrics, StateMetrics
from kybern.apiserver.passages import Passages
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import ResourceTable
from kybern.apiserver.registry.strategies import claims, service_allocations
from kybern.apiserver.registry.strategies.table import EVENT_TTL, strategy_of
from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.feed import Feed
from kybern.apiserver.storage.leases import Leases
from kybern.apiserver.storage.metrics import StorageMetrics
from kybern.apiserver.storage.repair import ClaimRepair
from kybern.apiserver.webhooks.client import WebhookClient
from kybern.apiserver.webhooks.metrics import WebhookMetrics
from kybern.apiserver.webhooks.resolver import Resolver
from kybern.clock import Clock
from kybern.pki.token_keys import TokenKeys
from kybern.store.contract import Store
from kybern.telemetry import Telemetry
from kybern.telemetry.counted import Counts, Timings


@dataclass(frozen=True)
class Settings:
    """What flags decide."""

    service_cidr: str = "10.96.0.0/16"
    node_ports: tuple[int, int] = NODE_PORT_RANGE  # the first and the last
    event_ttl: float = EVENT_TTL  # seconds that Events are kept; 0: for good
    issuing: Issuing = field(default_factory=Issuing)
    advertise: str = ""  # HOST:PORT that clients in the cluster reach the API at
    keys: TokenKeys | None = None
    tokens: dict[str, User] = field(default_factory=dict)
    proxy_client: Path | None = None  # key and certificate shown to extension API servers, and the authority behind it
    authentication: AuthenticationSettings = field(default_factory=AuthenticationSettings)
    audit: AuditSettings | None = None
    authorization: AuthorizationSettings = field(default_factory=AuthorizationSettings)
    token_webhook: TokenSettings | None = None
    min_request_timeout: float = 1800.0  # seconds of a watch that sets none; up to twice as many
    priority_and_fairness: bool = True
    max_requests_inflight: int = 400  # reads; with priority and fairness its sum with the next is shared out
    max_mutating_requests_inflight: int = 200
    admission: AdmissionConfiguration = field(default_factory=AdmissionConfiguration)
    storage_file: Path | None = None  # of the store, if it is in one
    flags: dict[str, str] = field(default_factory=dict)  # as /flagz shows them


class ApiServer:
    """Everything but the wire."""

    def __init__(self, store: Store, clock: Clock, random: Random, telemetry: Telemetry, settings: Settings) -> None:
        self.clock = clock
        self.random = random
        self.epoch = f"{random.getrandbits(64):x}"  # of this process
        self.telemetry = telemetry
        self.settings = settings
        self.passages = Passages(asyncio.get_running_loop().time)
        self.metrics = ApiMetrics(telemetry.registry, lambda: self.authorizer.refused, self.passages)
        self.slow_watchers = Counts(telemetry.registry, *SLOW_WATCHERS)
        self.watch_lists = Timings(telemetry.registry, *WATCH_LISTS)
        self.node_ports_given = Counts(telemetry.registry, *NODE_PORTS)
        self.table = ResourceTable(partial(strategy_of, event_ttl=settings.event_ttl))
        self.table.add_builtin()
        telemetry.registry.register(StorageMetrics(self.table.cachers, settings.storage_file))
        telemetry.registry.register(StateMetrics(self))
        self.feed = Feed(store, telemetry)
        for cacher in self.table.cachers.values():
            self.feed.add(cacher)
        self.custom = CustomResources(self)
        self.definitions = DefinitionController(self)
        self.policy_status = PolicyStatusController(self)
        self.token_tracking = TokenTracking(self)
        self.feed.prelude = (self.table.cacher(GROUP, RESOURCE), self.custom.load)
        self.leases = Leases(store)
        self.resolver = Resolver(self.table.cacher)
        self.webhooks = WebhookClient(self.resolver, WebhookMetrics(telemetry.registry))
        self.aggregator = Aggregator(self, ExtensionClient(self.resolver, settings.proxy_client))
        self.admission: Chain = admission_registry.build(
            settings.admission, self._admission_times(), telemetry.registry
        )
        self.authorization_metrics = AuthorizationMetrics(telemetry.registry)
        judges = self.judges(settings.authorization)
        self.authorizer = Authorizer(node_rules(), self.authorization_metrics, settings.authorization, judges)
        self.addresses = ServiceAddresses(settings.service_cidr)
        self.node_ports = PortAllocator(*settings.node_ports)
        self.claim_repair = ClaimRepair(self)
        tokens: ServiceAccountTokens | None = None
        if settings.keys is not None:
            tokens = ServiceAccountTokens(settings.keys, settings.issuing, self._lookup, telemetry.registry)
        self.service_account_tokens = tokens
        self.audit: AuditLog | None = None
        if settings.audit is not None:
            self.audit = settings.audit.open(clock.now, telemetry.log, telemetry.registry, self.webhooks)
        self.flow, self.flow_controller = self._flow(settings)
        self.oidc = OidcAuthenticator(settings.authentication.issuers, clock.now, telemetry.log)
        self.authenticator = Authenticator(
            telemetry,
            clock.now,
            self.authorizer.check,
            tokens,
            settings.tokens,
            settings.authentication.anonymous,
            self._verifiers(settings),
            settings.authentication.basic,
            settings.issuing.own_audiences,
        )

    def judges(self, settings: AuthorizationSettings) -> list[WebhookAuthorizer]:
        """The webhooks that authorization asks."""
        log, metrics = self.telemetry.log, self.authorization_metrics
        return [WebhookAuthorizer(one, self.webhooks, log, metrics) for one in settings.webhooks]

    def _flow(self, settings: Settings) -> tuple[FlowControl | InFlight, FlowController | None]:
        """How many requests are let in at a time; with priority levels also who follows what objects say of them."""
        reading, mutating = settings.max_requests_inflight, settings.max_mutating_requests_inflight
        if not settings.priority_and_fairness:
            return InFlight(reading, mutating), None
        flow = FlowControl(reading + mutating)
        self.telemetry.registry.register(FlowMetrics(flow))
        return flow, FlowController(self, flow)

    def _admission_times(self) -> AdmissionTimes:
        return AdmissionTimes(asyncio.get_running_loop().time, self.telemetry.registry)

    def _verifiers(self, settings: Settings) -> list[Verify]:
        """Who is asked about a token that is neither static nor a service account's, in order."""
        found: list[Verify] = []
        audiences = settings.issuing.own_audiences
        if settings.keys is not None:
            mark = partial(mark_used, self)
            registry = self.telemetry.registry
            found.append(LegacyTokens(settings.keys, audiences, self._lookup, self.clock.now, mark, registry).verify)
        if settings.authentication.bootstrap_tokens:
            found.append(for_anybody(BootstrapTokens(self._lookup, self.clock.now).verify, audiences))
        if settings.authentication.issuers or settings.authentication.file is not None:
            found.append(for_anybody(self.oidc.verify, audiences))
        if settings.token_webhook is not None:
            found.append(TokenWebhook(settings.token_webhook, self.webhooks, audiences).verify)
        return found

    async def load(self) -> None:
        """Fill the caches and everything that is derived from them."""
        await self.feed.load()
        self.authorizer.follow(self.table.cacher)
        if self.flow_controller is not None:
            self.flow_controller.follow()
        for entry in self.table.cacher("", "services").entries.values():
            service_allocations.adopt(self, entry.decode())
        addresses = self.table.cacher(*claims.ADDRESSES)
        self.addresses.taken |= {entry.name for entry in addresses.entries.values()}
        addresses.listeners.append(lambda event: service_allocations.follow_addresses(self, event))
        service_allocations.follow_ranges(self)
        self.claim_repair.follow()
        if not self.feed.store.exclusive:
            self.table.cacher("", "services").listeners.append(lambda event: service_allocations.follow(self, event))

    def _lookup(self, resource: str, namespace: str, name: str) -> Entry | None:
        return self.table.cacher("", resource).get(namespace, name)

    def gone(self, request: Request, obj: dict[str, Any]) -> None:
        """An object has been removed."""
        released = request.served.strategy.released
        if released is not None:
            released(request, obj)
