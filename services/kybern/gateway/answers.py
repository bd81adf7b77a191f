"""Bodies on their way out: the agreed media type, indentation, compression, Status errors, warnings."""

from __future__ import annotations

import asyncio
import gzip

import orjson

from kybern.gateway.core import bodies
from kybern.gateway.core.negotiation import PLAIN, MediaType, accepts_gzip, negotiate
from kybern.gateway.http.message import Headers, Request, Response
from kybern.kube.status import StatusError, not_acceptable

GZIP_FROM = 128 << 10  # bytes, as upstream
GZIP_LEVEL = 1
OFFERED = ("application/json", "application/yaml")
VARY = ((b"Vary", b"Accept-Encoding"),)


def media_type(request: Request) -> MediaType:
    """The agreed view of objects. Raises StatusError (406)."""
    accept = request.headers.get(b"accept")
    if not accept or accept == b"*/*":
        return PLAIN
    found = negotiate(accept.decode("latin-1"))
    if found is None:
        raise not_acceptable(OFFERED)
    return found


async def answer(
    request: Request, body: bytes, media: MediaType = PLAIN, status: int = 200, headers: Headers = ()
) -> Response:
    """A JSON body in the form the client asked for."""
    if media.yaml:
        body = await asyncio.to_thread(bodies.json_to_yaml, body)
    elif indents(request):
        body = bodies.indent(body)
    if len(body) > GZIP_FROM and b"accept-encoding" in request.headers and wants_gzip(request):
        body = await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL)
        headers = (*headers, (b"Content-Encoding", b"gzip"), *VARY)
    return Response(body, status, media.content_type if media is not PLAIN else b"application/json", headers)


def indents(request: Request) -> bool:
    pretty = request.parameter("pretty") if request.raw_query else ""
    return bodies.wants_indent(pretty, request.header(b"user-agent"))


def wants_gzip(request: Request) -> bool:
    return accepts_gzip(request.header(b"accept-encoding"))


def failure(request: Request, error: StatusError) -> Response:
    """A Status as the response it stands for."""
    body = orjson.dumps(error.status)
    seconds = error.details.get("retryAfterSeconds")
    headers = ((b"Retry-After", str(int(seconds)).encode()),) if seconds else ()
    if indents(request):
        body = bodies.indent(body)
    return Response(body, error.code, headers=headers)


def warning_headers(warnings: list[str]) -> list[tuple[bytes, bytes]]:
    """Warning headers (RFC 7234) with the code of a miscellaneous persistent warning."""
    return [(b"Warning", f'299 - "{_quoted(text)}"'.encode("utf-8", "replace")) for text in warnings]


def _quoted(text: str) -> str:
    flat = " ".join(text.split())
    return flat.replace("\\", "\\\\").replace('"', '\\"')
