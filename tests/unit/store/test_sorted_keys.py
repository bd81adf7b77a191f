"""SortedKeys against a plain sorted list."""

import random
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.store import sorted_keys
from kybern.store.sorted_keys import SortedKeys

keys = st.text(alphabet="abc/\0\U0010ffff", max_size=4)
steps = st.lists(st.tuples(st.booleans(), keys), max_size=120)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_keys, "BLOCK", 3)


@given(start=st.sets(keys, max_size=30), steps=steps, low=keys, high=st.none() | keys)
def test_like_a_sorted_list(start: set[str], steps: list[tuple[bool, str]], low: str, high: str | None) -> None:
    found, model = SortedKeys(start), set(start)
    for adding, key in steps:
        if adding and key not in model:
            found.add(key)
            model.add(key)
        elif not adding and key in model:
            found.remove(key)
            model.discard(key)
        elif not adding:
            with pytest.raises(KeyError):
                found.remove(key)
    ordered = sorted(model)
    assert list(found) == ordered
    assert len(found) == len(ordered)
    part = [key for key in ordered if key >= low and (high is None or key < high)]
    assert list(found.between(low, high)) == part
    assert found.count(low, high) == len(part)


def test_changes_do_not_disturb_who_iterates() -> None:
    found = SortedKeys(f"{n:03}" for n in range(100))
    seen = []
    for key in found.between("010", "090"):
        seen.append(key)
        found.remove(key)
        found.add(f"{key}x")
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)
    assert set(seen) >= {f"{n:03}" for n in range(10, 90)} - {key[:3] for key in seen if key.endswith("x")}


def test_in_order_and_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_keys, "BLOCK", 512)
    numbers = [f"{n:06}" for n in range(20_000)]
    grown = SortedKeys()
    for key in numbers:
        grown.add(key)
    assert list(grown) == numbers
    shuffled = numbers[:]
    random.Random(1).shuffle(shuffled)
    for key in shuffled[:15_000]:
        grown.remove(key)
    left = sorted(shuffled[15_000:])
    assert list(grown.between("005000", "015000")) == left[bisect_left(left, "005000") : bisect_left(left, "015000")]
    grown.clear()
    assert (len(grown), list(grown), grown.count("")) == (0, [], 0)
