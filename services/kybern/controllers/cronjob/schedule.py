"""Cron schedules: five fields of minutes, hours, days of month, months and days of week, or a macro such as @hourly;
`@every 1h30m` counts from the last time.

Pure. A day must match both day fields, or either when neither is `*`, as cron has it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kybern.kube.duration import parse_go

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(_MONTHS, 1)}
DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
NO_NAMES: dict[str, int] = {}
FIELDS = (
    (0, 59, NO_NAMES),
    (0, 23, NO_NAMES),
    (1, 31, NO_NAMES),
    (1, 12, MONTHS),
    (0, 7, DAYS),
)  # Sunday has two numbers
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
HORIZON_DAYS = 5 * 366
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


class ScheduleError(ValueError):
    """Not a cron schedule; says which field."""


class NeverDueError(ValueError):
    """A schedule whose time never comes, such as the 31st of February."""


@dataclass(frozen=True)
class Schedule:
    """The allowed values of each field."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    either_day: bool = False

    def next_after(self, moment: datetime) -> datetime | None:
        """The first time after a moment, in its time zone; None when there is none within five years.

        Minutes are counted as they pass, not as the clock on the wall shows them: an hour that clocks skip has no
        times, one that they show twice has its times twice.
        """
        at = moment.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE
        for _ in range(HORIZON_DAYS):
            day = at.astimezone(moment.tzinfo)
            if self._day_matches(day) and (found := self._within_day(at, day)) is not None:
                return found
            at = (day.replace(tzinfo=None, hour=0, minute=0) + timedelta(days=1)).replace(tzinfo=moment.tzinfo)
            at = at.astimezone(UTC)
        return None

    def _within_day(self, at: datetime, day: datetime) -> datetime | None:
        """The first time of this day from a moment on."""
        wall = day
        while wall.date() == day.date():
            minute = min((m for m in self.minutes if m >= wall.minute), default=None)
            if wall.hour in self.hours and minute is not None:
                return (at + (minute - wall.minute) * MINUTE).astimezone(day.tzinfo)
            at += (60 - wall.minute) * MINUTE
            wall = at.astimezone(day.tzinfo)
        return None

    def _day_matches(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, (day.weekday() + 1) % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


@dataclass(frozen=True)
class Every:
    """`@every DURATION`: whole seconds, one at least."""

    delay: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """One delay later, on the second."""
        return (moment.astimezone(UTC).replace(microsecond=0) + self.delay).astimezone(moment.tzinfo)


def parse(text: str) -> "Schedule | Every":
    """Raises ScheduleError."""
    if text.startswith("@every "):
        return Every(_delay(text))
    parts = MACROS.get(text.strip(), text).split()
    if len(parts) != len(FIELDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
    minutes, hours, days, months, weekdays = (
        _field(part.lower(), *bounds) for part, bounds in zip(parts, FIELDS, strict=True)
    )
    either = not parts[2].startswith(("*", "?")) and not parts[4].startswith(("*", "?"))
    return Schedule(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), either)


def _delay(text: str) -> timedelta:
    try:
        given = parse_go(text.removeprefix("@every "))
    except ValueError as error:
        raise ScheduleError(f"failed to parse duration {text}: {error}") from None
    return max(timedelta(seconds=given // SECOND), SECOND)


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    values: set[int] = set()
    for part in filter(None, text.split(",")):
        span, slash, step_text = part.partition("/")
        start, dash, end = span.partition("-")
        try:
            step = int(step_text) if slash else 1
            if start in ("*", "?"):
                first, last = low, high
            else:
                first = _number(start, names)
                last = _number(end, names) if dash else (high if slash else first)
        except ValueError:
            raise ScheduleError(f"failed to parse {part!r}") from None
        if step < 1 or first < low or last > high or first > last:
            raise ScheduleError(f"{part!r} is not within {low}-{high}")
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _number(text: str, names: dict[str, int]) -> int:
    return names[text] if text in names else int(text)
