"""URLs: isURL, url, and the parts of one."""

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, member, plain, walks
from kybern.kube.cel.values import Opaque

_PORT = re.compile(r":([^:\]@]*)$")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class URL(Opaque):
    """An absolute URL, or an absolute path."""

    type_name: ClassVar[str] = "kubernetes.URL"
    parts: SplitResult


def why_no_url(text: str) -> str:
    """What is wrong with a URL; "" if nothing is."""
    try:
        _parsed(text)
    except ValueError as error:
        return str(error)
    return ""


def _parsed(text: str) -> SplitResult:
    if not text:
        raise ValueError("empty url")
    if any((ord(character) < 0x21 and character != " ") or ord(character) == 0x7F for character in text):
        raise ValueError("net/url: invalid control character in URL")
    if text.startswith(":"):
        raise ValueError("missing protocol scheme")
    if "[" in text.partition("://")[2].partition("/")[0] and "]" not in text:
        raise ValueError("missing ']' in host")
    parts = urlsplit(text)
    if not parts.scheme and not text.startswith("/"):
        raise ValueError("invalid URI for request")
    if parts.scheme and not (parts.netloc or parts.path):
        raise ValueError("empty url")
    if " " in parts.netloc:
        raise ValueError('invalid character " " in host name')
    port = _PORT.search(parts.netloc)
    if port is not None and port[1].strip("0123456789"):
        raise ValueError(f'invalid port ":{port[1]}" after host')
    return parts


def url(text: str) -> URL:
    """Raises EvaluationError."""
    try:
        return URL(_parsed(text))
    except ValueError as error:
        raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": {error}') from None


def _is_url(text: str) -> bool:
    try:
        url(text)
    except EvaluationError:
        return False
    return True


def _host(value: URL) -> str:
    return value.parts.netloc.rpartition("@")[2]


def _hostname(value: URL) -> str:
    host = _host(value)
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _port(value: URL) -> str:
    port = _PORT.search(value.parts.netloc)
    return "" if port is None else port[1]


def _escaped_path(value: URL) -> str:
    return quote(value.parts.path, safe="/:@!$&'()*+,;=~-._%")


def _query(value: URL) -> dict[str, list[str]]:
    parts = [one for one in value.parts.query.split("&") if not _BAD_ESCAPE.search(one) and ";" not in one]
    return parse_qs("&".join(parts), keep_blank_values=True)


OVERLOADS: list[Overload] = [
    plain("url", "string -> kubernetes.URL", url, walks),
    plain("isURL", "string -> bool", _is_url, walks),
    member("getScheme", "kubernetes.URL -> string", lambda value: value.parts.scheme),
    member("getHost", "kubernetes.URL -> string", _host),
    member("getHostname", "kubernetes.URL -> string", _hostname),
    member("getPort", "kubernetes.URL -> string", _port),
    member("getEscapedPath", "kubernetes.URL -> string", _escaped_path),
    member("getQuery", "kubernetes.URL -> map<string, list<string>>", _query),
]
