"""Names and ages of old log files."""

from datetime import UTC, datetime, timedelta

import pytest

from kybern.apiserver.core.audit.rotation import Rotation, backup_name, backup_time, outdated

NOW = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("audit.log", "audit-2026-01-31T23-59-59.123.log"), ("audit", "audit-2026-01-31T23-59-59.123")],
)
def test_the_old_file_is_named_by_its_time(name: str, expected: str) -> None:
    assert backup_name(name, NOW) == expected
    assert backup_time(name, expected) == datetime(2026, 1, 31, 23, 59, 59, 123000)


@pytest.mark.parametrize("other", ["audit.log", "audit-old.log", "other-2026-01-31T23-59-59.123.log"])
def test_other_files_are_left_alone(other: str) -> None:
    assert backup_time("audit.log", other) is None


@pytest.mark.parametrize(
    ("rotation", "kept"), [(Rotation(), 5), (Rotation(backups=2), 2), (Rotation(days=3), 3), (Rotation(0, 3, 1), 1)]
)
def test_too_many_or_too_old(rotation: Rotation, kept: int) -> None:
    files = [backup_name("a.log", NOW - timedelta(days=days, seconds=-1)) for days in range(1, 6)]
    gone = outdated(rotation, "a.log", [*files, "b.log"], NOW)
    assert [file for file in files if file not in gone] == files[:kept]


def test_a_file_is_full_when_the_next_line_does_not_fit() -> None:
    assert Rotation(megabytes=1).is_full(1 << 20, 1)
    assert not Rotation(megabytes=1).is_full(0, 2 << 20)
    assert not Rotation().is_full(1 << 40, 1)
