"""Times as Go reads them, and its words for the others."""

import pytest

from kybern.kube.schema.times import MICRO_TIME, TIME, time_error


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-01T00:00:00Z",
        "2020-02-29T23:59:59.5+02:00",
        "0000-02-29T00:00:00.123456789-11:30",
        "2020-01-01T7:00:00Z",
    ],
)
def test_times(text: str) -> None:
    assert time_error(text) == ""


@pytest.mark.parametrize(
    ("text", "rest", "part"),
    [
        ("x", "x", "2006"),
        ("", "", "2006"),
        ("2020-01-01", "", "T"),
        ("2020-01-01 00:00:00Z", " 00:00:00Z", "T"),
        ("2020-01-01T00:00:00", "", "Z07:00"),
        ("2020-01-01T00:00:00.123456", "", "Z07:00"),
        ("2020-01-01T00:00:0Z", "0Z", "05"),
    ],
)
def test_what_does_not_fit(text: str, rest: str, part: str) -> None:
    assert time_error(text) == f'parsing time "{text}" as "{TIME}": cannot parse "{rest}" as "{part}"'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2020-13-01T00:00:00Z", "month out of range"),
        ("2020-02-30T00:00:00Z", "day out of range"),
        ("2020-01-01T24:00:00Z", "hour out of range"),
        ("2020-01-01T00:00:00Zx", 'extra text: "x"'),
    ],
)
def test_out_of_range(text: str, problem: str) -> None:
    assert time_error(text) == f'parsing time "{text}": {problem}'


@pytest.mark.parametrize(
    ("text", "rest", "part"),
    [
        ("2020-01-01T00:00:00Z", "Z", ".000000"),
        ("2020-01-01T00:00:00.1Z", ".1Z", ".000000"),
        ("2020-01-01T00:00:00.123456789Z", "789Z", "Z07:00"),
    ],
)
def test_microseconds_are_six_digits(text: str, rest: str, part: str) -> None:
    assert time_error(text, micro=True) == f'parsing time "{text}" as "{MICRO_TIME}": cannot parse "{rest}" as "{part}"'
    assert time_error("2020-01-01T00:00:00.000001+01:00", micro=True) == ""
