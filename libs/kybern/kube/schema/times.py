"""Times in bodies: RFC 3339 as Go's `time.Parse` reads it, with its words for what is wrong.

`Time` may have any fraction of a second, `MicroTime` has six digits of it. A layout is walked part by part; the first
part that does not fit is named with what is left of the text.
"""

import re
from calendar import monthrange
from functools import cache, lru_cache

TIME = "2006-01-02T15:04:05Z07:00"
MICRO_TIME = "2006-01-02T15:04:05.000000Z07:00"
_YEAR, _ONE_OR_TWO, _TWO = re.compile(r"\d{4}"), re.compile(r"\d\d?"), re.compile(r"\d\d")
_LONGEST = 40  # characters of a time that is remembered
_FRACTION, _ZONE = re.compile(r"\.\d+"), re.compile(r"Z|[+-](\d\d):(\d\d)")

# (part of the layout, what fits it, (name of its range, lowest, highest))
_Part = tuple[str, re.Pattern[str], tuple[str, int, int] | None]
_DATE: tuple[_Part, ...] = (
    ("2006", _YEAR, None),
    ("-", re.compile("-"), None),
    ("01", _TWO, ("month", 1, 12)),
    ("-", re.compile("-"), None),
    ("02", _TWO, None),
    ("T", re.compile("T"), None),
    ("15", _ONE_OR_TWO, ("hour", 0, 23)),
    (":", re.compile(":"), None),
    ("04", _TWO, ("minute", 0, 59)),
    (":", re.compile(":"), None),
    ("05", _TWO, ("second", 0, 59)),
)


@cache
def _parts(micro: bool) -> tuple[_Part, ...]:
    fraction: tuple[_Part, ...] = ((".000000", re.compile(r"\.\d{6}"), None),) if micro else ()
    return (*_DATE, *fraction, ("Z07:00", _ZONE, None))


def time_error(text: str, *, micro: bool = False) -> str:
    """What is wrong with a time; empty when nothing is."""
    return (_seen if len(text) <= _LONGEST else _time_error)(text, micro)


def shown(text: str) -> str:
    """A text as Go's errors about times quote it: bytes that are no printable ASCII are escaped."""
    raw = text.encode("utf-8", "surrogatepass")
    escaped = (
        f"\\{chr(byte)}" if byte in b'"\\' else chr(byte) if 32 <= byte < 128 else f"\\x{byte:02x}" for byte in raw
    )
    return '"' + "".join(escaped) + '"'


def _time_error(text: str, micro: bool) -> str:
    where, found = 0, {}
    for part, fits, limits in _parts(micro):
        match = fits.match(text, where)
        if match is None:
            layout = MICRO_TIME if micro else TIME
            return f'parsing time {shown(text)} as "{layout}": cannot parse {shown(text[where:])} as "{part}"'
        where, found[part] = match.end(), match
        if limits is not None and not limits[1] <= int(match[0]) <= limits[2]:
            return f"parsing time {shown(text)}: {limits[0]} out of range"
        if part == "05" and not micro and (fraction := _FRACTION.match(text, where)):
            where = fraction.end()
    if where < len(text):
        return f"parsing time {shown(text)}: extra text: {shown(text[where:])}"
    year, month, day = (int(found[part][0]) for part in ("2006", "01", "02"))
    # year 0 is a leap year, which the calendar does not know
    if not 1 <= day <= monthrange(year or 4, month)[1]:
        return f"parsing time {shown(text)}: day out of range"
    return ""


_seen = lru_cache(maxsize=1024)(_time_error)  # an object says the same few times again and again
