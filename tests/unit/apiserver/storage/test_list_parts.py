"""Lists in parts: whoever keeps the parts has the list of now, and is not sent what has not changed."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.apiserver.storage.entry import Entry
from kybern.apiserver.storage.list_parts import ListParts, cut
from kybern.store.sorted_keys import SortedKeys

PART = 100
NAMES = st.sampled_from([f"{namespace}/{number:02}" for namespace in ("a", "b", "c") for number in range(40)])
CHANGES = st.lists(st.tuples(NAMES, st.sampled_from([0, 5, 30, 60, 250])), max_size=80)  # a key, its size (0: delete)
RANGES = st.sampled_from([("", None), ("b/", "b0")])


class World:
    """Objects, the parts of their list, and a client that keeps what it was sent."""

    def __init__(self, low: str = "", high: str | None = None) -> None:
        self.entries: dict[str, Entry] = {}
        self.keys = SortedKeys()
        self.parts = ListParts(low, high, count(1), PART)
        self.low, self.high = low, high
        self.held: dict[int, list[Entry]] = {}
        self.revision = 0

    def change(self, key: str, size: int) -> None:
        self.revision += 1
        if size:
            if key not in self.entries:
                self.keys.add(key)
            self.entries[key] = Entry(key, b"x" * size, self.revision, {}, {})
        elif key in self.entries:
            del self.entries[key]
            self.keys.remove(key)
        self.parts.touch(key)

    def listed(self) -> tuple[list[Entry], int]:
        """The list as the client puts it together, and how many objects it was sent for that."""
        parts = self.parts.listed(self.keys.between, self.entries, self.held)
        sent = sum(len(part.entries) for part in parts if part.entries is not None)
        held = {part.number: self.held[part.number] if part.entries is None else part.entries for part in parts}
        assert len(held) == len(parts)
        assert all(held.values()), "no part is empty"
        self.held = held
        return [entry for part in parts for entry in held[part.number]], sent

    def fill(self, number: int) -> None:
        for name in range(number):
            self.change(f"a/{name:03}", 10)


@given(CHANGES, st.integers(1, 9), RANGES)
def test_the_parts_are_the_list_of_now(
    changes: list[tuple[str, int]], every: int, borders: tuple[str, str | None]
) -> None:
    world = World(*borders)
    for number, change in enumerate(changes, 1):
        world.change(*change)
        if number % every == 0 or number == len(changes):
            inside = [entry for key, entry in sorted(world.entries.items()) if key in world.keys.between(*borders)]
            found, _ = world.listed()
            assert found == inside
            assert world.parts.size == sum(len(entry.data) for entry in inside)
            assert world.listed() == (inside, 0), "nothing is sent twice"


@pytest.mark.parametrize(
    ("key", "size"),
    [("a/050", 11), ("a/050", 0), ("a/0505", 10), ("a/0", 10), ("a/999", 10)],
    ids=["changed", "deleted", "added", "added before all", "added after all"],
)
def test_one_change_is_one_part(key: str, size: int) -> None:
    world = World()
    world.fill(100)
    assert world.listed()[1] == 100
    world.change(key, size)
    assert 0 < world.listed()[1] <= 2 * PART // 10 + 1


def test_a_part_that_has_grown_is_cut() -> None:
    world = World()
    world.fill(100)
    world.listed()
    before = len(world.held)
    for number in range(30):
        world.change(f"a/050-{number:02}", 10)
        assert world.listed()[1] <= 2 * PART // 10 + 2
    assert len(world.held) > before


def test_what_is_nearly_gone_is_cut_anew() -> None:
    world = World()
    world.fill(200)
    world.listed()
    for number in range(200):
        if number % 10:
            world.change(f"a/{number:03}", 0)
    world.listed()
    assert len(world.held) <= 5


def test_what_is_not_listed_does_not_matter() -> None:
    world = World("b/", "b0")
    world.change("b/1", 10)
    world.listed()
    world.change("a/1", 10)
    world.change("b0", 10)
    assert world.listed()[1] == 0


def test_a_large_object_is_a_part() -> None:
    entries = [Entry(f"a/{number}", b"x" * size, 1, {}, {}) for number, size in enumerate([10, 500, 10, 20])]
    assert [len(piece) for piece in cut(entries, PART)] == [2, 2]
    assert cut([], PART) == []
