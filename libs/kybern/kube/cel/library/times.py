"""Timestamps and durations: reading, printing, and their parts in a time zone."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.library.standard import SECOND
from kybern.kube.cel.overloads import Overload, member, plain, walks
from kybern.kube.cel.values import Duration, Timestamp

_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {
    "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND,
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = (1 << 63) - 1
FIRST, LAST = -62135596800 * SECOND, 253402300800 * SECOND
_NUMBER = re.compile(r"[+-]?\d{1,9}", re.ASCII)


def timestamp(text: str) -> Timestamp:
    """RFC 3339 to the nanosecond. Raises EvaluationError."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise EvaluationError("type conversion error from 'string' to 'google.protobuf.Timestamp'")
    *numbers, fraction, zone = match.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise EvaluationError("type conversion error from 'string' to 'google.protobuf.Timestamp'") from None
    seconds, offset = (moment - _EPOCH) // timedelta(seconds=1), 0
    if zone != "Z":
        offset = (-1 if zone[0] == "-" else 1) * (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60)
    return in_range((seconds - offset) * SECOND + int((fraction or "").ljust(9, "0")), offset)


def in_range(nanos: int, offset: int = 0) -> Timestamp:
    """A timestamp of the years 1 to 9999. Raises EvaluationError."""
    if not FIRST <= nanos < LAST:
        raise EvaluationError("timestamp overflow")
    return Timestamp(nanos, offset)


def duration(text: str) -> Duration:
    """Go's notation, `1h30m`. Raises EvaluationError."""
    rest, sign = text, 1
    if rest[:1] in ("+", "-"):
        sign, rest = (-1 if rest[0] == "-" else 1), rest[1:]
    if rest == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(rest):
        match = _PART.match(rest, at)
        if match is None:
            break
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[match[2]]
        total += int(whole or 0) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        at = match.end()
    if not rest or at < len(rest) or total > LONGEST + (sign < 0):
        raise EvaluationError("type conversion error from 'string' to 'google.protobuf.Duration'")
    return Duration(sign * total)


def long(nanos: int) -> Duration:
    """A duration that fits into 64 bits. Raises EvaluationError."""
    if not -LONGEST - 1 <= nanos <= LONGEST:
        raise EvaluationError("integer overflow")
    return Duration(nanos)


def duration_text(value: Duration) -> str:
    """Seconds, as many digits of them as a double has."""
    whole = _toward_zero(value.nanos, SECOND)
    seconds = whole + (value.nanos - whole * SECOND) / SECOND
    return f"{Decimal(repr(seconds)).normalize():f}s" if seconds else "0s"


def timestamp_text(value: Timestamp) -> str:
    """RFC 3339, with the offset that it was given with."""
    seconds, nanos = divmod(value.nanos, SECOND)
    try:
        moment = _EPOCH + timedelta(seconds=seconds + value.offset)
    except OverflowError:
        return timestamp_text(Timestamp(value.nanos))
    fraction = f".{nanos:09d}".rstrip("0").rstrip(".")
    minutes = abs(value.offset) // 60
    zone = f"{'-' if value.offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}" if value.offset else "Z"
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{fraction}{zone}"


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """A named zone. Raises EvaluationError."""
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        raise EvaluationError(f"unknown time zone {name}") from None
    except KeyError:
        raise EvaluationError(f"unknown time zone {name}") from None


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise EvaluationError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _local(value: Timestamp, where: str = "UTC") -> datetime:
    """The moment on the clocks of a zone, or of an offset like `-08:00`, which may be of days."""
    hours, colon, minutes = where.partition(":")
    try:
        moment = _EPOCH + timedelta(seconds=value.nanos // SECOND)
        if colon:
            east, later = _number(hours), _number(minutes)
            return moment + timedelta(hours=east, minutes=-later if where.startswith("-") else later)
        return moment.astimezone(zone(where))
    except OverflowError:
        raise EvaluationError("timestamp overflow") from None


_PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
}
_CLOCK: dict[str, tuple[Callable[[datetime], int], int]] = {
    "getHours": (lambda moment: moment.hour, 3600 * SECOND),
    "getMinutes": (lambda moment: moment.minute, 60 * SECOND),
    "getSeconds": (lambda moment: moment.second, SECOND),
}


def _part(read: Callable[[datetime], int]) -> Callable[..., int]:
    return lambda value, where="UTC": read(_local(value, where))


def _toward_zero(value: int, unit: int) -> int:
    return value // unit if value >= 0 else -(-value // unit)


def _no_duration(_: int) -> Duration:
    raise EvaluationError("type conversion error from 'int' to 'google.protobuf.Duration'")


def _length(unit: int) -> Callable[[Duration], int]:
    return lambda value: _toward_zero(value.nanos, unit)


def _overloads() -> list[Overload]:
    found = [
        plain("timestamp", "string -> timestamp", timestamp, walks, False),
        plain("timestamp", "timestamp -> timestamp", lambda value: value, None, False),
        plain("timestamp", "int -> timestamp", lambda value: in_range(value * SECOND), None, False),
        plain("duration", "string -> duration", duration, walks, False),
        plain("duration", "duration -> duration", lambda value: value, None, False),
        plain("duration", "int -> duration", _no_duration, None, False),
        plain("string", "timestamp -> string", timestamp_text),
        plain("string", "duration -> string", duration_text),
    ]
    parts = {**_PARTS, **{name: read for name, (read, _) in _CLOCK.items()}}
    parts_of = {name: _part(read) for name, read in parts.items()}
    parts_of["getMilliseconds"] = lambda value, where="UTC": value.nanos // 10**6 % 1000
    for name, read in parts_of.items():
        found.append(member(name, "timestamp -> int", read, None, False))
        found.append(member(name, "timestamp, string -> int", read, None, False))
    for name, (_, unit) in _CLOCK.items():
        found.append(member(name, "duration -> int", _length(unit), None, False))
    found.append(member("getMilliseconds", "duration -> int", _length(10**6), None, False))
    return found


OVERLOADS = _overloads()
