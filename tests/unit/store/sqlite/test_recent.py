"""What the store remembers of the recent past is bounded."""

from kybern.store.sqlite.recent import ENTRY_BYTES, RecentValues


def test_values_are_forgotten_however_small_they_are() -> None:
    values = RecentValues(capacity=10 * ENTRY_BYTES)
    for version_id in range(20):
        values.add(version_id, b"")
    assert [version_id for version_id in range(20) if values.get(version_id) is not None] == list(range(10, 20))


def test_the_least_recently_used_goes_first_and_a_giant_is_not_taken_in() -> None:
    values = RecentValues(capacity=3 * ENTRY_BYTES)
    values.add(1, b"")
    values.add(2, b"")
    values.add(3, b"")
    assert values.get(1) == b""
    values.add(4, b"")
    values.add(5, b"x" * 3 * ENTRY_BYTES)
    assert [values.get(version_id) for version_id in range(1, 6)] == [b"", None, b"", b"", None]


def test_versions_taken_back_make_room() -> None:
    values = RecentValues(capacity=2 * ENTRY_BYTES)
    values.add(1, b"")
    values.add(2, b"")
    values.drop_from(2)
    values.add(2, b"")
    assert values.get(1) == values.get(2) == b""
