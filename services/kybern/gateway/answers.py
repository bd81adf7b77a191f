"""Bodies on their way out: the agreed media type, indentation, compression, Status errors, warnings."""

from __future__ import annotations

import asyncio
import gzip
from html import escape
from itertools import accumulate

import orjson

from kybern.gateway.core import bodies, yaml_output
from kybern.gateway.core.header_text import as_text
from kybern.gateway.core.negotiation import (
    OFFERED,
    PLAIN,
    MediaType,
    accepts_gzip,
    is_routed,
    negotiate,
    negotiate_status,
)
from kybern.gateway.core.resources import Served
from kybern.gateway.http.message import NOSNIFF, TEXT, Headers, Request, Response
from kybern.kube.go_values import quoted
from kybern.kube.status import StatusError, not_acceptable, status_error

GZIP_FROM = 128 << 10  # bytes, as upstream
GZIP_LEVEL = 1
MOST_WARNED, MOST_OF_ONE = 4096, 256  # characters of warnings, as upstream
UNJUDGED = "Internal Server Error: "
OVERLOADED = "Too many requests, please try again later."
VARY = ((b"Vary", b"Accept-Encoding"),)


class Converted(Response):
    """A response whose body was JSON before it was converted."""

    __slots__ = ("stored",)
    stored: bytes


def media_type(request: Request, served: Served, offered: tuple[str, ...] = OFFERED) -> MediaType:
    """The agreed view of a resource's objects. Raises StatusError (406)."""
    accept = request.headers.get(b"accept")
    if not accept or accept == b"*/*":
        return PLAIN
    text = accept.decode("latin-1")
    if not served.custom and not is_routed(text):
        raise not_routed(offered)
    found = negotiate(text, custom=served.custom, tables="get" in served.verbs)
    if found is None:
        raise not_acceptable(OFFERED)
    return found


def check_type(request: Request, *offered: str) -> None:
    """A document in other forms than these is not acceptable. Raises StatusError (406)."""
    accept = request.header(b"accept")
    if accept and not any(entry.partition(";")[0].strip() in ("*/*", *offered) for entry in accept.split(",")):
        raise not_routed(offered)


def not_routed(offered: tuple[str, ...]) -> StatusError:
    """406 of a route that makes nothing of what is accepted."""
    shown = ", ".join(offered)
    error = status_error(406, "NotAcceptable", f"406: Not Acceptable\n\nAvailable representations: {shown}")
    error.status["details"] = {}
    return error


async def answer(
    request: Request,
    body: bytes,
    media: MediaType = PLAIN,
    status: int = 200,
    headers: Headers = (),
    end: bytes = b"\n",
) -> Response:
    """A JSON body in the form the client asked for. As from Go's encoder its line ends, unless it is indented."""
    if media.protobuf:
        return await _protobuf(request, body, media, status, headers)
    if media.yaml:
        body = await asyncio.to_thread(yaml_output.json_to_yaml, body)
    else:
        body = bodies.indent(body) if indents(request) else body + end
    body, headers = await compressed(request, body, headers)
    return Response(body, status, media.content_type if media is not PLAIN else b"application/json", headers)


async def _protobuf(request: Request, stored: bytes, media: MediaType, status: int, headers: Headers) -> Response:
    body, headers = await compressed(request, bodies.json_to_protobuf(stored), headers)
    response = Converted(body, status, media.content_type, headers)
    response.stored = stored
    return response


async def compressed(request: Request, body: bytes, headers: Headers = ()) -> tuple[bytes, Headers]:
    """A body and its headers, gzipped when it is large and the client can read that."""
    if len(body) > GZIP_FROM and b"accept-encoding" in request.headers and wants_gzip(request):
        body = await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL)
        headers = (*headers, (b"Content-Encoding", b"gzip"), *VARY)
    return body, headers


def indents(request: Request) -> bool:
    pretty = request.parameter("pretty") if request.raw_query else ""
    return bodies.wants_indent(pretty, request.header(b"user-agent"))


def wants_gzip(request: Request) -> bool:
    return accepts_gzip(request.header(b"accept-encoding"))


def failure(request: Request, error: StatusError) -> Response:
    """A Status as the response it stands for."""
    if error.code == 429 and error.message == OVERLOADED:
        return _overloaded(error)
    if error.code == 500 and error.message.startswith(UNJUDGED):
        return _unjudged(request, error)
    status = {member: value for member, value in error.status.items() if member != "code"}
    body = orjson.dumps({**status, "code": error.code})  # which comes last
    seconds = error.details.get("retryAfterSeconds")
    headers: Headers = ((b"Retry-After", str(int(seconds)).encode()),) if seconds else ()
    if error.code == 403 and 'forbidden: User "' in error.message:
        headers = (*headers, *NOSNIFF)
    if error.warnings:
        headers = (*headers, *warning_headers(list(error.warnings)))
    media = negotiate_status(request.header(b"accept")) if b"accept" in request.headers else PLAIN
    if media.protobuf:
        body = bodies.json_to_protobuf(body)
    elif media.yaml:
        body = yaml_output.json_to_yaml(body)
    else:
        body = bodies.indent(body) if indents(request) else body + b"\n"
    return Response(body, error.code, media.content_type, headers)


def _overloaded(error: StatusError) -> Response:
    """What priority and fairness, and the limits without it, refuse: upstream says so in plain text."""
    seconds = str(int(error.details.get("retryAfterSeconds") or 1)).encode()
    headers = ((b"Retry-After", seconds), *NOSNIFF)
    return Response(OVERLOADED.encode() + b"\n", 429, TEXT, headers)


def _unjudged(request: Request, error: StatusError) -> Response:
    """Nobody could say whether this is allowed: upstream tells that in plain text."""
    said = f"{UNJUDGED}{quoted(as_text(request.target))}: {error.message.removeprefix(UNJUDGED)}"
    return Response(escape(said, quote=False).encode() + b"\n", 500, TEXT, NOSNIFF)


def warning_headers(warnings: list[str]) -> list[tuple[bytes, bytes]]:
    """Warning headers (RFC 7234) with the code of a miscellaneous persistent warning."""
    return [(b"Warning", f'299 - "{_quoted(text)}"'.encode("utf-8", "replace")) for text in _shortened(warnings)]


def _shortened(warnings: list[str]) -> list[str]:
    """Warnings that are too long together are cut, and left out once there are enough."""
    if sum(map(len, warnings)) <= MOST_WARNED:
        return warnings
    cut = [text[:MOST_OF_ONE] for text in warnings]
    before = accumulate(map(len, cut), initial=0)
    return [text for text, total in zip(cut, before, strict=False) if total < MOST_WARNED]


def _quoted(text: str) -> str:
    flat = " ".join(text.splitlines())
    return flat.replace("\\", "\\\\").replace('"', '\\"')
