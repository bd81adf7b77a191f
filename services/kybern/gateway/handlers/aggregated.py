"""Requests that an extension API server answers: authorized by the apiserver, sent on with the user's name in headers.

The server believes those headers because the gateway shows it the front proxy's certificate.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from operator import itemgetter
from urllib.parse import parse_qsl, urlencode

from kybern.gateway.api import DEFAULT_TIMEOUT, Api, behind
from kybern.gateway.core.forwarding import Header, is_upgrade
from kybern.gateway.core.router import ResourcePath, verb
from kybern.gateway.forward.relay import Job, relay
from kybern.gateway.forward.upstream import Destination, UpstreamError
from kybern.gateway.handlers.target import resource_of, watches
from kybern.gateway.http.message import NOSNIFF, TEXT, Request, Response
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import ForwardRequest, ForwardResponse, Requester, Resource

UNAVAILABLE = Response(b"service unavailable\n", 503, TEXT, NOSNIFF)


def verb_of(request: Request, path: ResourcePath) -> str:
    """As authorization names it; "" for a method that is no verb."""
    if path.watch:
        return "watch"
    return verb(request.method, path, watches(request, path))


async def aggregated(api: Api, request: Request, path: ResourcePath) -> Response | None:
    """A request for a resource. Raises StatusError."""
    wanted = ForwardRequest(resource=resource_of(path), name=path.name, verb=verb_of(request, path))
    return await _forward(api, request, wanted, long_running=wanted.verb == "watch")


async def aggregated_document(api: Api, request: Request, group: str, version: str) -> Response | None:
    """A request for the group version itself, its discovery document. Raises StatusError."""
    wanted = ForwardRequest(
        resource=Resource(group=group, version=version), verb=request.method.lower(), path=request.path
    )
    return await _forward(api, request, wanted, long_running=False)


async def _forward(api: Api, request: Request, wanted: ForwardRequest, *, long_running: bool) -> Response | None:
    try:
        found: ForwardResponse = await api.calls.call(wanted, **behind(api, request), timeout=api.request_timeout)
    except StatusError as error:
        if error.code == 503:
            return UNAVAILABLE
        raise
    host, _, port = found.address.rpartition(":")
    try:
        tls = api.client_tls.context(found.ca_bundle, insecure=found.insecure)
    except (OSError, ssl.SSLError, ValueError) as error:
        return Response(f"unable to load root certificates: {error}\n".encode(), 500, TEXT, NOSNIFF)
    to = Destination(host.strip("[]"), int(port), tls, found.server_name)
    patient = long_running or is_upgrade(request.headers)
    path, _, query = request.target.decode("latin-1").partition("?")
    forwarded = ((b"X-Forwarded-Host", to.address), (b"X-Forwarded-Proto", "https"), (b"X-Forwarded-Uri", path))
    job = Job(
        to,
        f"{path}?{encoded_again(query)}" if query else path,
        to.address,
        (*user_headers(found.user), *((name, value.encode("latin-1")) for name, value in forwarded)),
        redirects=False,
        answer_seconds=None if patient else DEFAULT_TIMEOUT,
        endless=long_running,
    )
    try:
        return await relay(request, job, api.pool)
    except UpstreamError as error:
        return Response(f"error trying to reach service: {error}\n".encode(), 503, TEXT, NOSNIFF)


def encoded_again(query: str) -> str:
    """A query as Go writes it once it has read it: in the order of the names."""
    pairs = sorted(parse_qsl(query, keep_blank_values=True, encoding="latin-1"), key=itemgetter(0))
    return urlencode(pairs, encoding="latin-1")


def user_headers(user: Requester) -> list[Header]:
    """How an extension API server learns who asks; keys of extra values are percent-encoded as upstream does."""
    found = [(b"X-Remote-User", user.user)]
    if user.uid:
        found.append((b"X-Remote-Uid", user.uid))
    found += ((b"X-Remote-Group", group) for group in user.groups)
    for key, values in sorted(user.extra.items()):
        name = b"X-Remote-Extra-" + _escaped(key)
        found += ((name, value) for value in values.values)
    return [(name, value.encode("utf-8", "replace").replace(b"\r", b" ").replace(b"\n", b" ")) for name, value in found]


_TOKEN = frozenset(b"!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@lru_cache(maxsize=256)
def _escaped(key: str) -> bytes:
    return b"".join(b"%c" % byte if byte in _TOKEN else b"%%%02X" % byte for byte in key.encode())
