"""A request's header fields: what they ask for, or what is wrong with them (RFC 9113, section 8).

What is wrong in HTTP's own terms ends the stream; what upstream answers is answered here in its words.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kybern.gateway.http.handler import Said
from kybern.gateway.http.message import BAD_ESCAPE, MAX_HEADERS
from kybern.rpc.http2.decoder import Field

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
REMEMBERED, WORTH = 64, 8 << 10  # heads of one connection, and bytes of one that is worth it
REQUIRED = frozenset((b":method", b":scheme", b":path"))
PSEUDO = REQUIRED | {b":authority"}
OF_CONNECTIONS = {
    name.lower().encode(): name
    for name in ("Connection", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Keep-Alive")
}


class Fields(NamedTuple):
    """`head`: all but the path and length; `said`: its words, if they are worth it; `length`: of the body as announced,
    -1 if it is not; `refused`: why, and the status."""

    method: str
    target: bytes
    headers: dict[bytes, bytes]
    repeated: dict[bytes, list[bytes]]
    head: tuple[Field, ...]
    said: Said | None
    length: int = -1
    refused: tuple[int, str] | None = None


class Malformed(NamedTuple):
    """What is no request."""

    why: str


NO_PSEUDO = Malformed("no pseudo header fields")  # as it has to be after a body


def request_of(fields: list[Field], size: int) -> Fields | Malformed:
    """What header fields mean; `size` is that of their list."""
    pseudo: dict[bytes, bytes] = {}
    headers: dict[bytes, bytes] = {}
    repeated: dict[bytes, list[bytes]] = {}
    head: list[Field] = []
    for field in fields:
        name, value = field
        if not _VALUE.fullmatch(value):
            return Malformed("a header field's value")
        if name[:1] == b":":
            if headers or name in pseudo or name not in PSEUDO:
                return Malformed("pseudo header fields")
            pseudo[name] = value
            if name == b":path":
                continue
        elif not _NAME.fullmatch(name):
            return Malformed("a header field's name")
        elif name in headers:
            repeated.setdefault(name, [headers[name]]).append(value)
        else:
            headers[name] = value
            if name == b"content-length":
                continue
        head.append(field)
    if not pseudo:
        return NO_PSEUDO
    if not pseudo.keys() >= REQUIRED:
        return Malformed("pseudo header fields are missing")
    return _request(pseudo, headers, repeated, tuple(head), size)


def _request(
    pseudo: dict[bytes, bytes],
    headers: dict[bytes, bytes],
    repeated: dict[bytes, list[bytes]],
    head: tuple[Field, ...],
    size: int,
) -> Fields | Malformed:
    method, target = pseudo[b":method"], pseudo[b":path"]
    if method == b"CONNECT" or not _METHOD.fullmatch(method):
        return Malformed("a method")
    if not is_target(target) and not (target == b"*" and method == b"OPTIONS"):
        return Malformed("a path")
    length = headers.get(b"content-length")
    if length is not None and (not length.isdigit() or len(length) > 18 or b"content-length" in repeated):
        return Malformed("a length")
    if b":authority" in pseudo:
        headers[b"host"] = pseudo[b":authority"]
    if b"cookie" in repeated:
        headers[b"cookie"] = b"; ".join(repeated.pop(b"cookie"))
    said = _said(method.decode("latin-1"), target, head, size)
    number = -1 if length is None else int(length)
    return Fields(method.decode("latin-1"), target, headers, repeated, head, said, number, _refusal(headers, size))


def is_target(target: bytes) -> bool:
    """Whether it is a path, and one without malformed escapes or spaces (which others take for its end)."""
    return target.startswith(b"/") and b" " not in target and not (b"%" in target and BAD_ESCAPE.match(target))


def _said(method: str, target: bytes, head: tuple[Field, ...], size: int) -> Said | None:
    if size > WORTH:
        return None
    line = b"%b %b" % (method.encode("latin-1"), target)
    return Said(line, (line, head)) if method == "POST" else Said(line, head)


class Requests:
    """What the header fields of one connection mean. Whoever asks for one thing after the other says all but the path
    in the same words, which are looked up."""

    def __init__(self) -> None:
        self._known: dict[tuple[Field, ...], Fields] = {}

    def of(self, fields: list[Field], size: int) -> Fields | Malformed:
        """`size` is that of the list."""
        names = [name for name, _ in fields]
        if b":path" not in names:
            return request_of(fields, size)
        at = names.index(b":path")
        target = fields[at][1]
        rest = (*fields[:at], *fields[at + 1 :])
        known = self._known.get(rest)
        if known is not None and is_target(target) and _VALUE.fullmatch(target):
            said = _said(known.method, target, known.head, size)
            return known._replace(target=target, said=said)
        found = request_of(fields, size)
        if size <= WORTH and isinstance(found, Fields) and found.refused is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[rest] = found
        return found


def _refusal(headers: dict[bytes, bytes], size: int) -> tuple[int, str] | None:
    if size > MAX_HEADERS:
        return 431, "<h1>HTTP Error 431</h1><p>Request Header Field(s) Too Large</p>"
    if headers.get(b"te", b"trailers") not in (b"trailers", b""):
        return 400, 'request header "TE" may only be "trailers" in HTTP/2\n'
    if not OF_CONNECTIONS.keys().isdisjoint(headers):
        name = next(shown for name, shown in OF_CONNECTIONS.items() if name in headers)
        return 400, f'request header "{name}" is not valid in HTTP/2\n'
    return None
