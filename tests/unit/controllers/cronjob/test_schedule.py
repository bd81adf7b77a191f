"""Cron schedules against a dumb model that tries every minute."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.controllers.cronjob.core import compute_next, describe_refusal, surplus_jobs
from kybern.controllers.cronjob.schedule import Schedule, ScheduleError, parse

START = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("text", "next_time"),
    [
        ("* * * * *", "2026-01-01T12:31"),
        ("30 12 * * *", "2026-01-02T12:30"),
        ("*/15 * * * *", "2026-01-01T12:45"),
        ("@hourly", "2026-01-01T13:00"),
        ("@monthly", "2026-02-01T00:00"),
        ("0 9-17/4 * * *", "2026-01-01T13:00"),
        ("0 0 * * sun", "2026-01-04T00:00"),
        ("0 0 * * 7", "2026-01-04T00:00"),
        ("0 0 * * 5-7", "2026-01-02T00:00"),
        ("0 0 15 * mon", "2026-01-05T00:00"),
        ("0 0 29 feb *", "2028-02-29T00:00"),
        ("0 0 31 2 *", None),
        ("@every 1h30m", "2026-01-01T14:00"),
        ("@every 10ms", "2026-01-01T12:30"),
    ],
)
def test_next(text: str, next_time: str | None) -> None:
    found = parse(text).next_after(START)
    assert (found.strftime("%Y-%m-%dT%H:%M") if found else None) == next_time


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "x * * * *", "@every"]
)
def test_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        pytest.param("59 * * * *", "2026-10-25T02:59+02:00", "2026-10-25T02:59+01:00", id="the hour that comes twice"),
        pytest.param("* * * * *", "2026-10-25T02:10+01:00", "2026-10-25T02:11+01:00", id="never back into the first"),
        pytest.param("30 2 * * *", "2026-03-28T02:30+01:00", "2026-03-30T02:30+02:00", id="the hour that is not there"),
        pytest.param("0 * * * *", "2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00", id="once where clocks jump"),
        pytest.param("0 0 * * *", "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00", id="a day of 23 hours"),
        pytest.param("0 0 * * *", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00", id="a day of 25 hours"),
    ],
)
def test_clocks_that_change(text: str, after: str, expected: str) -> None:
    found = parse(text).next_after(datetime.fromisoformat(after).astimezone(ZoneInfo("Europe/Paris")))
    assert found is not None
    assert found.isoformat(timespec="minutes") == expected


FIELD = st.sampled_from(["*", "*/7", "0", "3,17", "5-9", "1-12/5"])


@settings(deadline=None, max_examples=60)
@given(FIELD, FIELD, st.sampled_from(["*", "1,15"]), st.sampled_from(["*", "mon-wed"]), st.integers(0, 5000))
def test_agrees_with_trying_every_minute(minute: str, hour: str, day: str, weekday: str, offset: int) -> None:
    schedule = parse(f"{minute} {hour} {day} * {weekday}")
    assert isinstance(schedule, Schedule)
    start = START + timedelta(minutes=offset)
    moment = start + timedelta(minutes=1)
    while True:
        by_date, by_weekday = moment.day in schedule.days, moment.isoweekday() % 7 in schedule.weekdays
        day_fits = (by_date or by_weekday) if day != "*" and weekday != "*" else (by_date and by_weekday)
        if day_fits and moment.hour in schedule.hours and moment.minute in schedule.minutes:
            break
        moment += timedelta(minutes=1)
    assert schedule.next_after(start) == moment


def cron_job(last: str | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "c", "creationTimestamp": "2026-01-01T12:00:00Z"}
    status = {"lastScheduleTime": last} if last else {}
    return {"metadata": metadata, "spec": {"schedule": "*/10 * * * *", **spec}, "status": status}


@pytest.mark.parametrize(
    ("case", "given", "now", "start", "wait"),
    [
        ("not yet", cron_job(), "12:05", None, 300),
        ("due", cron_job(), "12:10", "12:10", 600),
        ("used", cron_job("2026-01-01T12:10:00Z"), "12:11", None, 540),
        ("several missed: the last counts", cron_job(), "12:35", "12:30", 300),
        ("within the deadline", cron_job(startingDeadlineSeconds=600), "12:35", "12:30", 300),
        ("past the deadline", cron_job(startingDeadlineSeconds=60), "12:35", None, 300),
        ("an interval, not yet", cron_job(schedule="@every 7m"), "12:05", None, 120),
        ("an interval, late", cron_job("2026-01-01T12:01:00Z", schedule="@every 7m"), "12:09", "12:08", 360),
        ("an interval, later", cron_job(schedule="@every 7m"), "12:30", "12:28", 300),
        ("in another zone", cron_job(schedule="0 13 * * *", timeZone="Europe/Paris"), "12:05", "12:00", None),
    ],
)
def test_compute_next(case: str, given: Any, now: str, start: str | None, wait: float | None) -> None:
    if case == "in another zone":
        given["metadata"]["creationTimestamp"] = "2026-01-01T11:00:00Z"
    found = compute_next(given, datetime.fromisoformat(f"2026-01-01T{now}:00+00:00"))
    assert (found.start.strftime("%H:%M") if found.start else None) == start
    if wait is not None:
        assert found.wait == wait


def test_far_behind() -> None:
    found = compute_next(cron_job(), datetime(2026, 6, 1, 0, 5, tzinfo=UTC))
    assert found.start == datetime(2026, 6, 1, 0, 0, tzinfo=UTC)
    assert found.missed > 100


def test_history_limits() -> None:
    def job(name: str, type_: str, start: int) -> dict[str, Any]:
        conditions = [{"type": type_, "status": "True"}] if type_ else []
        return {
            "metadata": {"name": name},
            "status": {"startTime": f"2026-01-01T00:0{start}:00Z", "conditions": conditions},
        }

    jobs = [
        job("a", "Complete", 3),
        job("b", "Complete", 1),
        job("c", "Failed", 2),
        job("d", "Failed", 1),
        job("e", "", 0),
    ]
    surplus = surplus_jobs(cron_job(successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0), jobs)
    assert [j["metadata"]["name"] for j in surplus] == ["b", "d", "c"]


@pytest.mark.parametrize(
    ("spec", "event"),
    [
        (
            {"schedule": "59 23 31 2 *"},
            (
                "InvalidSchedule",
                "invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second",
            ),
        ),
        (
            {"schedule": "* * *"},
            (
                "UnparseableSchedule",
                'unparseable schedule: "* * *" : expected exactly 5 fields, found 3: [* * *]',
            ),
        ),
        (
            {"schedule": "* * * * *", "timeZone": "Moon/Base"},
            ("UnknownTimeZone", 'invalid timeZone: "Moon/Base": unknown time zone Moon/Base'),
        ),
    ],
)
def test_refusals(spec: dict[str, Any], event: tuple[str, str]) -> None:
    with pytest.raises((ValueError, ZoneInfoNotFoundError)) as refused:
        compute_next({"metadata": {}, "spec": spec}, START)
    assert describe_refusal(spec, refused.value) == event
