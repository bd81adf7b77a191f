"""What every handler needs: the exchange with the apiserver, the resource table, and how a request names its user."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import orjson

from kybern.gateway.core import options
from kybern.gateway.core.encoded import Encoded
from kybern.gateway.core.frames import Frames
from kybern.gateway.core.header_text import as_text, extra_key
from kybern.gateway.core.held_lists import HeldLists
from kybern.gateway.core.resources import Resources
from kybern.gateway.forward.pool import Pool
from kybern.gateway.http.message import Headers, Request
from kybern.gateway.metrics import Sizes
from kybern.kube.duration import parse_go
from kybern.kube.status import bad_request
from kybern.pki.client_tls import ClientTls
from kybern.protos.api.v1.objects_pb2 import (
    CheckAccessRequest,
    CheckAccessResponse,
    ExtraValues,
    Origin,
    Requester,
    Resource,
)
from kybern.rpc.exchange.client import ExchangeClient
from kybern.runtime.service import Env

DEFAULT_TIMEOUT = 60.0  # seconds a request may take, as upstream
NAMES, GROUP, EXTRA_PREFIX = (b"impersonate-user", b"impersonate-uid"), b"impersonate-group", b"impersonate-extra-"
SPACED = (b"Bearer  ", b"bearer  ")
SPACED_WARNING = "the provided Authorization header contains extra space before the bearer token, and is ignored"
_REQUESTER = "requester"


@dataclass
class Api:
    """`calls` carries requests with one reply; `streams` lists and watches, whose bulk must not hold up the others."""

    env: Env
    calls: ExchangeClient
    streams: ExchangeClient
    discovery: Any  # a DiscoveryStub
    request_timeout: float = DEFAULT_TIMEOUT
    resources: Resources = field(default_factory=Resources)
    loaded: asyncio.Event = field(default_factory=asyncio.Event)  # the resource table has been received
    frames: Frames = field(default_factory=Frames)
    sizes: Sizes = field(default_factory=Sizes)
    lists: HeldLists = field(default_factory=HeldLists)
    encoded: Encoded = field(default_factory=Encoded)
    channels: dict[tuple[str, str], Any] = field(default_factory=dict)  # to node agents
    pool: Pool = field(default_factory=Pool)  # connections to other servers
    client_tls: ClientTls = field(default_factory=lambda: ClientTls(None))  # to extension API servers
    headers: Headers = ()  # of every answer, as flags say

    async def check_access(self, request: Request, **more: Any) -> CheckAccessResponse:
        """Authenticate and authorize a request for a path that is no resource; `more` fields. Raises StatusError."""
        check = CheckAccessRequest(verb=request.method.lower(), path=request.path, **more)
        return await self._check_access(request, check)

    async def check_resource_access(
        self, request: Request, resource: Resource, name: str, verb: str, answer: dict[str, Any]
    ) -> None:
        """The same for a resource that the API has not, or not with this verb; `answer` is for those who may ask."""
        refusal = orjson.dumps(answer) if self.resources.table.audited else b""
        await self._check_access(request, CheckAccessRequest(verb=verb, resource=resource, name=name, refusal=refusal))

    async def _check_access(self, request: Request, check: CheckAccessRequest) -> CheckAccessResponse:
        found: CheckAccessResponse = await self.calls.call(check, **behind(self, request), timeout=self.request_timeout)
        return found

    def node_channel(self, target: str, server_name: str) -> Any:
        """The channel to a node agent; one per agent for the life of the gateway."""
        key = (target, server_name)
        if key not in self.channels:
            self.channels[key] = self.env.transport.channel(target, server_name)
        return self.channels[key]


def behind(api: Api, request: Request) -> dict[str, Any]:
    """What every call says of the request behind it, and where its flow is noted."""
    return {"requester": requester(request), "note": request.note, "origin": origin(api, request)}


def origin(api: Api, request: Request) -> Origin | None:
    """The request as the audit log names it, if there is one."""
    if not api.resources.table.audited:
        return None
    if not request.audit_id:
        bits = api.env.random.getrandbits(128)
        request.audit_id = request.header(b"audit-id") or str(UUID(int=bits, version=4))
    uri = request.target.decode("latin-1")
    return Origin(audit_id=request.audit_id, request_uri=uri, source_ips=source_ips(request))


def source_ips(request: Request) -> list[str]:
    """Where a request says that it comes from, hop by hop, and where it does come from."""
    said = [*request.header(b"x-forwarded-for").split(","), request.header(b"x-real-ip")]
    found = [text for one in said if is_ip(text := one.strip())]
    return list(dict.fromkeys([*found, request.client.peer_address]))


def is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def requester(request: Request) -> Requester:
    """On whose behalf a call is made: the client certificate's user, or whoever a token names; kept per connection."""
    headers = request.headers
    client = request.client
    authorization, agent = headers.get(b"authorization"), headers.get(b"user-agent")
    impersonates = impersonating(headers)
    if authorization is not None and authorization.startswith(SPACED):
        request.warning = SPACED_WARNING
    known = client.memory.get(_REQUESTER)
    if known is not None and not impersonates and known[0] == (authorization, agent):
        kept: Requester = known[1]
        return kept
    identity, proxy = client.identity, client.front_proxy
    found = Requester(
        user=identity.user,
        groups=identity.groups,
        user_agent=request.header(b"user-agent"),
        source_ip=client.peer_address,
        credential_id=client.credential_id,
        not_anonymous=client.stranger,
    )
    if proxy is not None:
        _named(found, proxy.user(request))
    _authorize(found, request.header(b"authorization"))
    if impersonates:
        _impersonate(found, request)
    elif proxy is None:
        client.memory[_REQUESTER] = ((authorization, agent), found)
    return found


def _named(found: Requester, said: dict[str, Any] | None) -> None:
    """The user that a front proxy speaks for."""
    if said is not None:
        found.user, found.uid = said["user"], said["uid"]
        found.groups.extend(said["groups"])
        for key, values in said["extra"].items():
            found.extra[key].CopyFrom(ExtraValues(values=values))


def _authorize(found: Requester, authorization: str) -> None:
    """A certificate wins over a token, as upstream tries X.509 first."""
    scheme, _, credentials = authorization.partition(" ")
    if found.user or not credentials:
        return
    if scheme.lower() == "bearer":
        found.bearer_token = "" if credentials.startswith(" ") else credentials.split(" ")[0]
    elif scheme.lower() == "basic":
        found.basic_auth = credentials.strip()


def impersonating(headers: dict[bytes, bytes]) -> bool:
    """Whether headers ask for a part of another identity; an empty group or fact is one, an empty name or uid none."""
    for name, value in headers.items():
        if name.startswith(b"impersonate-") and (
            (name in NAMES and value) or name == GROUP or name.startswith(EXTRA_PREFIX)
        ):
            return True
    return False


def _impersonate(found: Requester, request: Request) -> None:
    wanted = found.impersonation
    wanted.SetInParent()
    wanted.user = request.header(b"impersonate-user")
    wanted.uid = request.header(b"impersonate-uid")
    wanted.groups.extend(request.all_headers(GROUP))
    for name in request.headers:
        if name.startswith(EXTRA_PREFIX):
            key = extra_key(as_text(name.removeprefix(EXTRA_PREFIX)))
            wanted.extra[key].values.extend(request.all_headers(name))


def timeout(api: Api, request: Request) -> float:
    """Seconds this request may take: its `timeout` parameter, at most the server's. Raises StatusError (400)."""
    text = options.first(request.query, "timeout") if request.raw_query else ""
    if not text:
        return api.request_timeout
    try:
        seconds = parse_go(text).total_seconds()
    except ValueError as error:
        raise bad_request(f"invalid timeout specified in the request URL - {error}") from None
    return min(seconds, api.request_timeout) if seconds > 0 else api.request_timeout
