"""Formats: which strings have the form that a schema asks for. A format that is not here is not enforced."""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date
from ipaddress import AddressValueError, IPv6Address, ip_network
from urllib.parse import urlsplit

from kybern.kube import meta
from kybern.kube.duration import parse_go
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain

_PART = re.compile(r"(\d+)\s*([A-Za-zµ]+)")
_UNITS = frozenset(
    {
        "ns", "nano", "nanosecond", "us", "µs", "micro", "microsecond", "ms", "milli", "millisecond", "s", "sec",
        "second", "m", "min", "minute", "h", "hr", "hour", "d", "day", "w", "wk", "week",
    }
)  # fmt: skip
_WORD = "a-zA-Z0-9\\$+<=>^`|~\u00a2-\u00a9\u00ac\u00ae-\u00b1\u00b4\u00b5\u00b8\u00d7\u00c0-\uffff"
_HOST = re.compile(
    rf"[{_WORD}](-?[{_WORD}]{{0,62}})?|([{_WORD}]([{_WORD}-]{{0,61}}[{_WORD}])?\.)+[a-zA-Z\u00c0-\uffff]{{2,63}}"
)
_MAIL = re.compile(r"[^@\s<>:]+@[^@\s<>]+|[^@<>\"]*<[^@\s<>:]+@[^@\s<>]+>")
_UUID = "[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"
_MAC = "|".join(
    rf"([0-9a-f]{{2}}[:-]){{{octets - 1}}}[0-9a-f]{{2}}|([0-9a-f]{{4}}\.){{{octets // 2 - 1}}}[0-9a-f]{{4}}"
    for octets in (6, 8, 20)
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SEPARATORS = re.compile(r"[\s-]")
_CARD = re.compile(
    r"4\d{12}(\d{3})?|5[1-5]\d{14}|(222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|6(011|5\d\d)\d{12}"
    r"|3[47]\d{13}|3(0[0-5]|[68]\d)\d{11}|(2131|1800|35\d{3})\d{11}|6[27]\d{14}"
)
_BYTE = "(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])"


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda text: compiled.fullmatch(text) is not None


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(f"2000{text[4:]}" if text.startswith("0000") else text)  # Go knows a year 0, a leap year
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        return _TIME.fullmatch(text) is not None and meta.parse_time(text.upper()) is not None
    except ValueError:  # the 45th of a month
        return False


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


def _is_duration(text: str) -> bool:
    """As Go writes it, or with words wherever they stand: "1 day 2 hours", "P1D"."""
    try:
        parse_go(text)
    except ValueError:
        found = _PART.findall(text)
        return bool(found) and all(_is_unit(unit.lower()) for _, unit in found)
    return True


def _is_unit(unit: str) -> bool:
    return unit in _UNITS or (unit.endswith("s") and unit[:-1] in _UNITS)


def _is_hostname(text: str) -> bool:
    text = text.removesuffix(".")
    parts = text.split(".")
    return len(text) <= 255 and all(len(part) <= 63 for part in parts) and _HOST.fullmatch(text) is not None


def _is_isbn10(text: str) -> bool:
    text = _SEPARATORS.sub("", text)
    if re.fullmatch(r"\d{9}[\dX]", text) is None:
        return False
    return sum((10 - at) * (10 if digit == "X" else int(digit)) for at, digit in enumerate(text)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    text = _SEPARATORS.sub("", text)
    return (
        re.fullmatch(r"\d{13}", text) is not None
        and sum(int(d) * (1, 3)[at % 2] for at, d in enumerate(text)) % 10 == 0
    )


def _is_credit_card(text: str) -> bool:
    text = re.sub(r"\D", "", text)
    doubled = [int(digit) * (1, 2)[at % 2] for at, digit in enumerate(reversed(text))]
    return _CARD.fullmatch(text) is not None and sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def _is_ipv4(text: str) -> bool:
    """Leading zeros are read as decimal; an IPv6 address may stand for an IPv4 one."""
    parts = text.split(".")
    if len(parts) == 4 and all(re.fullmatch(r"\d+", part, re.ASCII) and int(part) < 256 for part in parts):
        return True
    return _is_ipv6(text) and IPv6Address(text).ipv4_mapped is not None


def _is_ipv6(text: str) -> bool:
    try:
        return "%" not in text and bool(IPv6Address(text) is not None)
    except AddressValueError:
        return False


def _is_bytes(text: str) -> bool:
    if not text:
        return False
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


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
    if " " in parts.netloc:
        return False
    return bool(parts.scheme and text[len(parts.scheme) + 1 :]) or text.startswith("/")


FORMATS: dict[str, Callable[[str], bool]] = {
    "byte": _is_bytes,
    "cidr": _is_cidr,
    "date": _is_date,
    "date-time": _is_time,
    "datetime": _is_time,
    "duration": _is_duration,
    "email": lambda text: _MAIL.fullmatch(text) is not None,
    "hexcolor": _matches("#?([0-9a-f]{3}|[0-9a-f]{6})"),
    "hostname": _is_hostname,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_credit_card,
    "ssn": _matches("\\d{3}[- ]?\\d{2}[- ]?\\d{4}"),
    "rgbcolor": _matches(rf"rgb\(\s*{_BYTE}\s*,\s*{_BYTE}\s*,\s*{_BYTE}\s*\)"),
    "bsonobjectid": _matches("[0-9a-f]{24}"),
    "k8s-long-name": lambda text: not dns1123_subdomain(text),
    "k8s-short-name": lambda text: not dns1123_label(text),
    "mac": _matches(_MAC),
    "uri": _is_uri,
    "uuid": _matches(_UUID % ("[0-9a-f]", "[0-9a-f]")),
    "uuid3": _matches(_UUID % ("3", "[0-9a-f]")),
    "uuid4": _matches(_UUID % ("4", "[89ab]")),
    "uuid5": _matches(_UUID % ("5", "[89ab]")),
}
