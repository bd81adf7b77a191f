"""Which images go when the disk is full."""

from datetime import UTC, datetime, timedelta

import pytest

from kybern.node.core.image_gc import Disk, ImageUse, decide_removals, update_last_used

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IMAGES = [ImageUse("old", 3), ImageUse("older", 3), ImageUse("used", 9), ImageUse("pause", 9, True), ImageUse("new", 9)]
AGES = {"old": 60, "older": 90, "used": 500, "pause": 500, "new": 1}
LAST = {name: NOW - timedelta(minutes=age) for name, age in AGES.items()}


@pytest.mark.parametrize(("used", "removed"), [
    (84, []), (85, ["older", "old"]), (82, []), (99, ["older", "old"]), (0, []),
])  # fmt: skip
def test_removals(used: int, removed: list[str]) -> None:
    assert decide_removals(Disk(100, used), IMAGES, frozenset({"used"}), LAST, NOW) == removed


def test_no_more_than_needed() -> None:
    assert decide_removals(
        Disk(1000, 850),
        [ImageUse("a", 60), ImageUse("b", 60)],
        frozenset(),
        LAST | {"a": LAST["old"], "b": LAST["older"]},
        NOW,
    ) == ["b"]


def test_last_used() -> None:
    later = NOW + timedelta(hours=1)
    images = [ImageUse("old", 1), ImageUse("first", 1), ImageUse("used", 1)]
    assert update_last_used(LAST, images, frozenset({"used"}), later) == {
        "old": LAST["old"], "first": later, "used": later,
    }  # fmt: skip
