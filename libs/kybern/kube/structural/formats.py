"""Formats: which strings have the form that a schema asks for. A format that is not here is not enforced."""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from urllib.parse import urlsplit

from kybern.kube import meta
from kybern.kube.duration import parse_go
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain

_DURATION = re.compile(  # each part is read in one way only, so that no text takes long
    r"(?>[0-9]+(\.[0-9]*)?\s*(ns|us|µs|milli|minute|min|ms|m|second|sec|s|hour|hr|h|day|d|week|wk|w)s?\s*)+",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"(?=.{1,253}\Z)([a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.?"
)
_MAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_UUID = "[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda text: compiled.fullmatch(text) is not None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _is_time(text: str) -> bool:
    try:
        return _TIME.fullmatch(text) is not None and meta.parse_time(text.upper()) is not None
    except ValueError:  # the 45th of a month
        return False


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


def _is_duration(text: str) -> bool:
    """As Go writes it, or with words: "1 day 2 hours"."""
    try:
        parse_go(text)
    except ValueError:
        return _DURATION.fullmatch(text) is not None
    return True


def _is_bytes(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _address(kind: type[IPv4Address] | type[IPv6Address]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            kind(text)
        except AddressValueError:
            return False
        return True

    return check


def _is_cidr(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _is_uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) or text.startswith("/")


FORMATS: dict[str, Callable[[str], bool]] = {
    "byte": _is_bytes,
    "cidr": _is_cidr,
    "date": _is_date,
    "date-time": _is_time,
    "datetime": _is_time,
    "duration": _is_duration,
    "email": lambda text: _MAIL.fullmatch(text) is not None,
    "hexcolor": _matches("#?([0-9a-f]{3}|[0-9a-f]{6})"),
    "hostname": lambda text: _HOST.fullmatch(text) is not None,
    "ipv4": _address(IPv4Address),
    "ipv6": _address(IPv6Address),
    "k8s-long-name": lambda text: not dns1123_subdomain(text),
    "k8s-short-name": lambda text: not dns1123_label(text),
    "mac": _matches("([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|([0-9a-f]{4}\\.){2}[0-9a-f]{4}"),
    "uri": _is_uri,
    "uuid": _matches(_UUID % ("[0-9a-f]", "[0-9a-f]")),
    "uuid3": _matches(_UUID % ("3", "[0-9a-f]")),
    "uuid4": _matches(_UUID % ("4", "[89ab]")),
    "uuid5": _matches(_UUID % ("5", "[89ab]")),
}
