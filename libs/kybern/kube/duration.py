"""Human durations as kubectl prints ages: two units at most, fewer the older it gets; and Go's duration notation."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_LONGEST = (1 << 63) / 1e9  # seconds
_GO_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")

_GO_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([^0-9.]*)")


def human(duration: timedelta) -> str:
    """ "45s", "3m20s", "2h5m", "3d4h", "1y20d" (upstream's HumanDuration)."""
    exact = duration.total_seconds()
    seconds = int(exact)
    if seconds < -1:
        return "<invalid>"
    if exact < 0:
        return "0s"
    if seconds < 120:
        return f"{seconds}s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 192:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def age(since: datetime | None, now: datetime) -> str:
    """The age printed for a timestamp; "<unknown>" when it is absent."""
    return "<unknown>" if since is None else human(now - since)


def parse_go(text: str) -> timedelta:
    """A Go duration such as "1h15m30.5s". Raises ValueError."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return timedelta()
    parts = list(_GO_PART.finditer(rest))
    if not parts or "".join(part[0] for part in parts) != rest:
        raise ValueError(_go_problem(text, rest))
    seconds = sum(float(part[1]) * _GO_UNITS[part[2]] for part in parts)
    if seconds > _GO_LONGEST:
        raise ValueError(f'time: invalid duration "{text}"')
    return timedelta(seconds=sign * seconds)


def _go_problem(text: str, rest: str) -> str:
    """What Go finds first: no number, a number without a unit, an unknown unit."""
    while found := _GO_NUMBER.match(rest):
        unit = found[2]
        if not unit:
            return f'time: missing unit in duration "{text}"'
        if unit not in _GO_UNITS:
            return f'time: unknown unit "{unit}" in duration "{text}"'
        rest = rest[found.end() :]
    return f'time: invalid duration "{text}"'


def format_go(duration: timedelta) -> str:
    """Go notation of a duration, e.g. "1h15m30.5s", "10s", "250ms", "0s"."""
    micros = round(duration.total_seconds() * 1e6)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    if micros == 0:
        return "0s"
    if micros < 1_000_000:
        unit, scale = ("ms", 1000) if micros >= 1000 else ("µs", 1)
        return f"{sign}{_trim(micros / scale)}{unit}"
    minutes, micros = divmod(micros, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    head = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{sign}{head}{_trim(micros / 1e6)}s"


def _trim(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")
