"""…/proxy of pods, services and nodes: the request goes on to what the apiserver says, the answer comes back.

HTTP of any method, bodies of any size both ways, and every upgrade. Redirects and links in HTML pages are brought below
the proxy's own path. A node's own agent answers over its contract: see `node_proxy`.
"""

from __future__ import annotations

import ssl
from functools import cache, partial
from urllib.parse import urlencode

from kybern.gateway.api import Api, behind, timeout
from kybern.gateway.core.forwarding import escaped, place, rewrite_url
from kybern.gateway.forward.relay import Job, relay
from kybern.gateway.forward.upstream import Destination, UpstreamError
from kybern.gateway.handlers.node_proxy import node_proxy
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request, Response
from kybern.kube.status import service_unavailable
from kybern.protos.api.v1.objects_pb2 import ConnectRequest, ConnectResponse

MOVED = 301


async def proxy(api: Api, request: Request, target: Target) -> Response | None:
    """Raises StatusError."""
    wanted = ConnectRequest(
        resource=target.resource(),
        name=target.path.name,
        verb=target.verb or request.method.lower(),
        query=_options(request, target),
    )
    found: ConnectResponse = await api.calls.call(wanted, **behind(api, request), timeout=timeout(api, request))
    at = place(request.path, target.path.rest)
    query = f"?{request.raw_query.decode('latin-1')}" if request.raw_query else ""
    if not at.path and request.method in ("GET", "HEAD"):
        return Response(b"", MOVED, b"", ((b"Location", f"{escaped(request.path)}/{query}".encode("latin-1")),))
    if not found.address:
        return await node_proxy(api, request, found, at.path or "/")
    host, port = _split(found.address)
    to = Destination(host, port, unchecked() if found.scheme == "https" else None)
    client_host = request.header(b"host")
    job = Job(
        to,
        (escaped(at.path) or "/") + query,
        client_host or to.address,
        ((b"x-forwarded-uri", escaped(at.prepend + at.path).encode()),),
        rewrite=partial(rewrite_url, at=at, address=to.address, host=client_host),
    )
    try:
        return await relay(request, job, api.pool)
    except UpstreamError as error:
        raise service_unavailable(f"error trying to reach service: {error}") from None


def _options(request: Request, target: Target) -> str:
    """What the apiserver has to know of the query."""
    given = {"path": target.path.rest} if target.path.rest else {}
    if b"dryRun" in request.raw_query and "dryRun" in request.query:
        given["dryRun"] = request.parameter("dryRun")
    return urlencode(given)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


@cache
def unchecked() -> ssl.SSLContext:
    """TLS to an address: upstream does not check whose certificate a pod shows either."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
