"""Cron schedules as text: what is wrong with one, in the words of the library that Kubernetes reads them with."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kybern.kube.duration import parse_go
from kybern.kube.field import invalid
from kybern.kube.validation.fields import Errors

_MACROS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (0, 6, _DAYS),
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?[0-9]+")
_ZONE = re.compile(r"(?:CRON_)?TZ=")
_ZONE_PART = re.compile(r"[A-Za-z._0-9+][A-Za-z.\-_0-9+]{0,13}")
_MAX_INT = (1 << 63) - 1
_NO_ZONE_HERE = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"


class ScheduleError(ValueError):
    """Why a schedule cannot be read."""


def validate_schedule(schedule: str, path: str) -> Errors:
    """Errors of a schedule that is not empty; a time zone has a field of its own."""
    try:
        _read(schedule)
    except ScheduleError as error:
        yield invalid(path, schedule, str(error))
    if "TZ" in schedule:
        yield invalid(path, schedule, _NO_ZONE_HERE)


def validate_time_zone(zone: str, path: str) -> Errors:
    if zone == "":
        yield invalid(path, zone, "timeZone must be nil or non-empty string")
        return
    well_formed = all(_ZONE_PART.fullmatch(part) and part not in (".", "..") for part in zone.split("/"))
    if well_formed and zone.lower() == "local":
        detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        yield invalid(path, zone, detail)
    if not well_formed:
        yield invalid(path, zone, f"unknown time zone {zone}")
    elif problem := _zone_problem(zone):
        yield invalid(path, zone, problem)


def _zone_problem(name: str) -> str:
    """Why there is no such time zone, empty if there is."""
    if name in ("", "Local", "UTC"):
        return ""
    try:
        ZoneInfo(name)
    except IsADirectoryError:
        return "is a directory"
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return f"unknown time zone {name}"
    return ""


def _read(schedule: str) -> None:
    if found := _ZONE.match(schedule):
        zone, blank, rest = schedule[found.end() :].partition(" ")
        if not blank:
            raise ScheduleError("invalid schedule format: runtime error: slice bounds out of range [:-1]")
        if problem := _zone_problem(zone):
            raise ScheduleError(f"provided bad location {zone}: {problem}")
        schedule = rest.strip()
    if schedule.startswith("@"):
        _read_descriptor(schedule)
        return
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    for field, (low, high, names) in zip(fields, _FIELDS, strict=True):
        for part in filter(None, field.split(",")):  # nothing between commas is nothing
            _read_range(part, low, high, names)


def _read_descriptor(text: str) -> None:
    if text in _MACROS:
        return
    if not text.startswith("@every "):
        raise ScheduleError(f"unrecognized descriptor: {text}")
    try:
        parse_go(text.removeprefix("@every "))
    except ValueError as error:
        raise ScheduleError(f"failed to parse duration {text}: {error}") from None


def _read_range(part: str, low: int, high: int, names: tuple[str, ...]) -> None:
    span, *steps = part.split("/")
    ends = span.split("-")
    if ends[0] in ("*", "?"):  # whatever comes after
        first, last = low, high
    else:
        first = _number(ends[0], low, names)
        if len(ends) > 2:
            raise ScheduleError(f"too many hyphens: {part}")
        last = _number(ends[1], low, names) if len(ends) == 2 else high if len(steps) == 1 else first
    if len(steps) > 1:
        raise ScheduleError(f"too many slashes: {part}")
    step = _number(steps[0], 0, ()) if steps else 1
    if first < low:
        raise ScheduleError(f"beginning of range ({first}) below minimum ({low}): {part}")
    if last > high:
        raise ScheduleError(f"end of range ({last}) above maximum ({high}): {part}")
    if first > last:
        raise ScheduleError(f"beginning of range ({first}) beyond end of range ({last}): {part}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {part}")


def _number(text: str, first: int, names: tuple[str, ...]) -> int:
    """A number or a name; the first name stands for `first`."""
    if text.lower() in names:
        return names.index(text.lower()) + first
    if not text.isascii() or not _NUMBER.fullmatch(text):
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if not -_MAX_INT - 1 <= number <= _MAX_INT:
        raise ScheduleError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": value out of range')
    if number < 0:
        raise ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number
