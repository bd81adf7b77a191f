"""What changes in a request and its answer on the way through a proxy: headers, path, redirects.

Rules are those of upstream's proxy subresources: hop-by-hop headers end here, credentials stay here, X-Forwarded-*
says where the request came from, and a redirect inside the proxied server is brought back below the proxy's own path.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

Header = tuple[bytes, bytes]
HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"proxy-connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
CREDENTIALS = frozenset({b"authorization", b"x-remote-user", b"x-remote-uid", b"x-remote-group"})
CREDENTIAL_PREFIXES = (b"impersonate-", b"x-remote-extra-")
CORS = frozenset(
    b"access-control-allow-" + name for name in (b"credentials", b"headers", b"methods", b"origin")
)  # of another origin: not for the API's
SAFE = "/:@!$&'()*+,;=~-._"  # what a path may hold unescaped


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proxied request lies on both sides: the path it was sent to, and the prefix that the proxy adds."""

    path: str  # at the other server
    prepend: str  # what precedes it here


def proxied_path(rest: str, trailing_slash: bool) -> str:
    """The path at the other server: cleaned as upstream joins it; "" for a request to the proxy itself."""
    if not rest:
        return "/" if trailing_slash else ""
    cleaned = posixpath.normpath("/" + rest)
    cleaned = "/" + cleaned.lstrip("/")
    return cleaned + "/" if trailing_slash and cleaned != "/" else cleaned


def place(request_path: str, rest: str) -> Place:
    """Both sides of a request; `rest` is what follows `proxy/` in its path."""
    bare = request_path.rstrip("/")
    prepend = bare[: len(bare) - len(rest) - 1] if rest else bare
    return Place(proxied_path(rest, request_path.endswith("/")), prepend)


def escaped(path: str) -> str:
    """A decoded path as it is sent."""
    return quote(path, SAFE)


def request_headers(
    headers: Mapping[bytes, bytes], repeated: Mapping[bytes, Sequence[bytes]], client: str, *, upgrade: bool
) -> list[Header]:
    """The headers that go on, without Host, framing and credentials; with X-Forwarded-For."""
    named = _named_in_connection(headers)
    found: list[Header] = []
    for name, value in headers.items():
        if name in HOP_BY_HOP or name in named or name in CREDENTIALS or name in (b"host", b"content-length"):
            continue
        if name.startswith(CREDENTIAL_PREFIXES) or name in (b"x-forwarded-for", b"expect"):
            continue
        found += [(name, one) for one in repeated.get(name, (value,))]
    before = b", ".join(repeated.get(b"x-forwarded-for") or filter(None, (headers.get(b"x-forwarded-for"),)))
    if client:
        found.append((b"x-forwarded-for", b", ".join(filter(None, (before, client.encode())))))
    if upgrade:
        found += [(b"connection", b"Upgrade"), (b"upgrade", headers.get(b"upgrade", b""))]
    return found


def response_headers(headers: Iterable[Header]) -> list[Header]:
    """The headers of an answer that go back: without framing, hop-by-hop headers and CORS."""
    headers = list(headers)
    named = _named_in_connection({name.lower(): value for name, value in headers})
    dropped = HOP_BY_HOP | CORS | named | {b"content-length", b"date", b"audit-id"}
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _named_in_connection(headers: Mapping[bytes, bytes]) -> frozenset[bytes]:
    return frozenset(name.strip().lower() for name in headers.get(b"connection", b"").split(b",") if name.strip())


def is_upgrade(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a client asks to switch protocols."""
    return b"upgrade" in headers and b"upgrade" in _named_in_connection(headers)


def rewrite_url(url: str, at: Place, address: str, host: str) -> str:
    """A link or redirect of the proxied server at `address`, as the client has to follow it.

    Links to other hosts, and relative ones, are left alone. `host` is what the client calls this server.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    elsewhere = bool(parts.netloc) and parts.netloc not in (address, host)
    if elsewhere or not parts.path.startswith("/") or (parts.scheme and not parts.netloc):
        return url
    path = parts.path
    if not path.startswith(at.prepend + "/"):
        path = posixpath.join(at.prepend, posixpath.normpath(path).lstrip("/"))
        if parts.path.endswith("/") and not path.endswith("/"):
            path += "/"
    if parts.netloc == host and host != address:
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, parts.fragment))
    return urlunsplit(("", "", path, parts.query, parts.fragment))
