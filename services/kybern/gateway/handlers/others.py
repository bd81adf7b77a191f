"""Paths that name no resource: health, metrics, documents, logs. Who may ask is the apiserver's to say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from kybern.gateway import answers
from kybern.gateway.api import Api, timeout
from kybern.gateway.core.router import group_path
from kybern.gateway.handlers import aggregated, debug, host_logs, zpages
from kybern.gateway.handlers.documents import Documents, only_get
from kybern.gateway.handlers.health import ENDPOINTS, NOT_FOUND, Health, Readiness
from kybern.gateway.health_metrics import HealthMetrics
from kybern.gateway.http.message import JSON, TEXT, Request, Response
from kybern.telemetry.exposition import CONTENT_TYPE, exposition, joined

DUMPS = "/debug/api_priority_and_fairness/"
OPENAPI_V3 = "/openapi/v3"
KEPT = ((b"Cache-Control", b"public, max-age=3600"),)
DOCUMENT_TYPES = {"/.well-known/openid-configuration": JSON, "/openid/v1/jwks": b"application/jwk-set+json"}
EXPOSITION = CONTENT_TYPE.encode()
REQUESTS = frozenset(  # which the apiserver counts in its own way, too
    (b"apiserver_request_total", b"apiserver_request_duration_seconds", b"apiserver_longrunning_requests")
)


@dataclass(frozen=True)
class GatewayOptions:
    """What flags decide: the folder behind /logs (None: off); the flags themselves, for /flagz; profiles."""

    logs_dir: Path | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    profiling: bool = True  # whether there is anything below /debug/pprof and /debug/flags


class Others:
    """Health is open to everybody, the version too while nobody can be asked."""

    def __init__(self, api: Api, front: Readiness, server_address: str, options: GatewayOptions) -> None:
        self._api = api
        self._documents = Documents(api, server_address)
        self._started = api.env.clock.now()
        started = self._started.timestamp()
        self._slis = HealthMetrics(started)
        self._since = ((b"Process-Start-Time-Unix", str(int(started)).encode()),)
        self._health = Health(front, self._slis)
        self._ready = front.ready
        self._logs_dir, self._flags = options.logs_dir, options.flags
        self._profiles = debug.Profiles(api) if options.profiling else None

    async def handle(self, request: Request) -> Response | None:
        """Answer one. Raises StatusError."""
        timeout(self._api, request)
        path = request.path
        if path.startswith(ENDPOINTS) and path.strip("/").partition("/")[0] in ("healthz", "livez", "readyz"):
            if self._ready():
                await self._api.check_access(request)
            return self._health.handle(request)
        if path in ("/version", "/version/"):
            if self._ready():
                await self._api.check_access(request)
            only_get(request)
            return await self._documents.version(request)
        if debug.is_debug(path):
            return await self._debug(request)
        if path.startswith(DUMPS):
            access = await self._api.check_access(request, query=request.raw_query.decode())
        else:
            access = await self._api.check_access(request)
        if path == "/flagz":
            return await zpages.flagz(request, {**orjson.loads(access.document or b"{}"), **self._flags})
        if path in ("/metrics", "/metrics/slis"):
            return await self._metrics(path, access.document)
        if access.HasField("document"):
            kind = DOCUMENT_TYPES.get(path.rstrip("/"))
            if kind:
                only_get(request)
                answers.check_type(request, kind.decode())
            return Response(access.document, 200, kind or TEXT, KEPT if kind else ())
        if path in ("/", "/index.html"):
            return await self._documents.root(request)
        if path == "/statusz":
            return await zpages.statusz(request, self._started, self._api.env.clock.now())
        if path == "/logs" or path.startswith("/logs/"):
            return await host_logs.host_logs(request, self._logs_dir)
        return await self._described(request, path)

    async def _debug(self, request: Request) -> Response:
        if self._profiles is None:
            await self._api.check_access(request)
            return NOT_FOUND
        if not request.path.startswith(debug.FLAGS[:-1]):
            return await self._profiles.handle(request)
        wanted = debug.verbosity(request)
        await self._api.check_access(request, verbosity=wanted if isinstance(wanted, int) else None)
        return debug.flags(request, wanted)

    async def _metrics(self, path: str, apiservers: bytes) -> Response:
        """Our own and the apiserver's; or what health checks have found."""
        if path == "/metrics/slis":
            return Response(exposition(self._slis.registry), 200, EXPOSITION, self._since)
        own = await asyncio.to_thread(exposition, self._api.env.telemetry.registry)
        return Response(joined(own, apiservers, REQUESTS), 200, EXPOSITION, self._since)

    async def _described(self, request: Request, path: str) -> Response | None:
        """OpenAPI and discovery documents."""
        if path == "/openapi/v2":
            return await self._documents.openapi_v2(request)
        if path == OPENAPI_V3 or path.startswith(OPENAPI_V3 + "/"):
            return await self._documents.openapi_v3(request, path.removeprefix(OPENAPI_V3))
        group = group_path(path)
        if group is not None and (group.group, group.version) in self._api.resources.remote:
            return await aggregated.aggregated_document(self._api, request, group.group, group.version)
        if group is None:
            return NOT_FOUND
        return await self._documents.groups(request, group)
