"""Documents about the API itself: discovery, OpenAPI, /version and /."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import grpc
import orjson

from kybern.gateway import answers
from kybern.gateway.api import DEFAULT_TIMEOUT, Api
from kybern.gateway.core import discovery
from kybern.gateway.core.bodies import indent
from kybern.gateway.core.conditional import PRECONDITION_FAILED, decide_unsent
from kybern.gateway.core.negotiation import JSON, OFFERED, MediaType, is_routed, negotiate_discovery, negotiate_openapi
from kybern.gateway.core.router import GroupPath
from kybern.gateway.core.version import VERSION
from kybern.gateway.handlers.health import NOT_FOUND, PATHS
from kybern.gateway.handlers.target import not_allowed
from kybern.gateway.http.message import TEXT, Headers, Request, Response
from kybern.kube.openapi import protobuf
from kybern.kube.status import not_acceptable, unknown_resource
from kybern.protos.api.v1.discovery_pb2 import GetOpenAPIRequest, GroupInfo
from kybern.rpc.errors import status_error

VERSION_BODY = orjson.dumps(VERSION)

OTHER_PATHS = (
    *PATHS, "/.well-known/openid-configuration", "/apis/", "/flagz", "/metrics", "/metrics/slis", "/openapi/v2",
    "/openapi/v3", "/openapi/v3/", "/openid/v1/jwks", "/statusz", "/version",
)  # fmt: skip

VARY, VARY_V2 = ((b"Vary", b"Accept"),), ((b"Vary", b"Accept-Encoding, Accept"),)
KEPT = timedelta(days=365)  # what is asked for by its hash never changes


def _etag(found_hash: str) -> tuple[bytes, bytes]:
    return b"ETag", f'"{found_hash}"'.encode()


def _validators(found_hash: str, since: datetime, vary: Headers) -> Headers:
    """By what clients ask again for a document."""
    modified = format_datetime(since, usegmt=True).encode()
    return _etag(found_hash), (b"Last-Modified", modified), *vary


def _unsent(request: Request, found_hash: str, since: datetime, vary: Headers) -> Response | None:
    """The answer to who need not, or must not, be sent the document."""
    name, etag = _etag(found_hash)
    status = decide_unsent(request.headers, etag, since)
    if status == PRECONDITION_FAILED:
        return Response(b"", status, JSON.encode(), _validators(found_hash, since, vary))
    return None if status is None else Response(b"", status, b"", ((name, etag), *vary))


def only_get(request: Request) -> None:
    """Documents that are read and nothing else. Raises StatusError (405)."""
    if request.method != "GET":
        raise not_allowed()


class Documents:
    """Discovery documents are made once per resource table, OpenAPI documents fetched once per hash."""

    def __init__(self, api: Api, server_address: str) -> None:
        self._api = api
        self._server_address = server_address
        self._etag = ""
        self._made: dict[tuple[str, ...], bytes] = {}
        self._openapi: dict[tuple[str, str, str, str], tuple[bytes, str, datetime]] = {}

    def _present(self) -> str:
        """The etag of the resource table; what was made of another one is forgotten."""
        etag = self._api.resources.table.etag
        if etag != self._etag:
            self._etag, self._made = etag, {}
            self._openapi.clear()
        return etag

    def _document(self, key: tuple[str, ...], make: Callable[[], Any]) -> bytes:
        self._present()
        if key not in self._made:
            self._made[key] = orjson.dumps(make())
        return self._made[key]

    async def groups(self, request: Request, path: GroupPath) -> Response:
        """/api, /apis and what is below them, down to a group-version."""
        accept, top = request.header(b"accept"), not path.group and not path.version
        if accept and not is_routed(accept) and (path.legacy or path.version):
            raise answers.not_routed(OFFERED)
        media = negotiate_discovery(accept, aggregated=top and request.path != "/apis/")
        if media is None:
            raise not_acceptable(OFFERED)
        table = self._api.resources.table
        if top:
            return await self._root(request, path.legacy, media)
        group = next((g for g in table.groups if g.name == path.group), None)
        if group is None:
            return NOT_FOUND
        if not path.version:
            body = self._document(("group", group.name), lambda: discovery.api_group(group))
            return await answers.answer(request, body, media)
        return await self._group_version(request, group, path.version, media)

    async def _root(self, request: Request, legacy: bool, media: MediaType) -> Response:
        table = self._api.resources.table
        if media.view == "APIGroupDiscoveryList":
            key = ("aggregated", str(legacy), media.version)
            body = self._document(key, lambda: discovery.aggregated(table, legacy, media.version))
            etag = f'"{table.etag}"'.encode()
            headers = ((b"ETag", etag), (b"Vary", b"Accept"), (b"Cache-Control", b"public"))
            if request.headers.get(b"if-none-match") == etag:
                return Response(b"", 304, b"", headers)
            return await answers.answer(request, body, media, headers=headers)
        if legacy:
            only_get(request)
            body = self._document(("api",), lambda: discovery.api_versions(table, self._server_address))
        else:
            body = self._document(("apis",), lambda: discovery.api_group_list(table))
        return await answers.answer(request, body, media)

    async def _group_version(self, request: Request, group: GroupInfo, name: str, media: MediaType) -> Response:
        version = next((v for v in group.versions if v.version == name), None)
        if version is None:
            if group.name and group.name not in self._api.resources.own_groups:
                return NOT_FOUND
            raise unknown_resource()
        only_get(request)
        key = ("version", group.name, version.version)
        body = self._document(key, lambda: discovery.api_resource_list(group.name, version))
        return await answers.answer(request, body, media)

    async def root(self, request: Request) -> Response:
        table = self._api.resources.table
        body = self._document(("root",), lambda: discovery.root_paths(table, OTHER_PATHS))
        return await answers.answer(request, indent(body), end=b"")

    async def version(self, request: Request) -> Response:
        """Raises StatusError (406) where JSON will not do."""
        answers.check_type(request, JSON)
        return await answers.answer(request, indent(VERSION_BODY), end=b"")

    async def openapi_v2(self, request: Request) -> Response:
        """The document of everything; in protobuf for clients that cannot read another form, such as kubectl."""
        if not any(name in request.header(b"accept") for name in (protobuf.MEDIA_TYPE, protobuf.CONTENT_TYPE)):
            return await self._openapi_document(request, "", "", "v2", "")
        document, found_hash, since = await self._fetch("", "", "v2", "")
        key = ("openapi", "v2", "protobuf", found_hash)
        if key not in self._made:
            self._made[key] = await asyncio.to_thread(lambda: protobuf.encode(orjson.loads(document)))
        if (unsent := _unsent(request, found_hash, since, VARY_V2)) is not None:
            return unsent
        headers = _validators(found_hash, since, VARY_V2)
        return Response(self._made[key], 200, protobuf.CONTENT_TYPE.encode(), headers)

    async def openapi_v3(self, request: Request, path: str) -> Response:
        """The index, or one group-version's document."""
        table = self._api.resources.table
        if not path:
            body = self._document(("openapi",), lambda: discovery.openapi_v3_index(table))
            return Response(body, 200, TEXT)
        for group in table.groups:
            for version in group.versions:
                if "/" + discovery.gv_path(group.name, version.version) == path and version.openapi_hash:
                    return await self._openapi_document(
                        request, group.name, version.version, "v3", version.openapi_hash
                    )
        return Response(b"", 404, b"")

    async def _openapi_document(
        self, request: Request, group: str, version: str, openapi: str, known_hash: str
    ) -> Response:
        accept, vary = request.header(b"accept"), VARY_V2 if openapi == "v2" else VARY
        if accept and negotiate_openapi(accept) is None:
            return Response(b"", 406, b"", vary)
        document, found_hash, since = await self._fetch(group, version, openapi, known_hash)
        wanted = request.parameter("hash") if openapi == "v3" else ""
        if wanted not in ("", found_hash):
            there = f"{request.path}?hash={found_hash}".encode()
            return Response(b"", 301, JSON.encode(), (_etag(found_hash), (b"Location", there), *vary))
        if (unsent := _unsent(request, found_hash, since, vary)) is not None:
            return unsent
        headers = _validators(found_hash, since, vary)
        if wanted:
            expires = format_datetime(self._api.env.clock.now() + KEPT, usegmt=True).encode()
            headers = (*headers, (b"Cache-Control", b"public, immutable"), (b"Expires", expires))
        return await answers.answer(request, document, headers=headers, end=b"")

    async def _fetch(self, group: str, version: str, openapi: str, known_hash: str) -> tuple[bytes, str, datetime]:
        """A document, its hash, since when it is as it is; from the apiserver the first time. Raises StatusError."""
        key = (group, version, openapi, self._present())
        if key not in self._openapi:
            wanted = GetOpenAPIRequest(group=group, version=version, openapi_version=openapi)
            try:
                reply = await self._api.discovery.GetOpenAPI(wanted, timeout=DEFAULT_TIMEOUT)
            except grpc.aio.AioRpcError as error:
                raise status_error(error) from error
            since = self._api.env.clock.now().replace(microsecond=0)
            self._openapi[key] = (reply.document, known_hash or reply.hash, since)
        return self._openapi[key]
