"""What is held is bounded, and the longest unused goes first."""

from kybern.gateway.core.held_lists import HeldList, HeldLists


def held(size: int, etag: str = "1") -> HeldList:
    return HeldList(etag, (b"x" * size,))


def test_the_longest_unused_goes_first() -> None:
    lists = HeldLists(limit=10)
    lists.put("a", held(4))
    lists.put("b", held(4))
    assert lists.find("a") is not None
    lists.put("c", held(4))
    assert [key for key in "abc" if lists.find(key)] == ["a", "c"]


def test_a_newer_list_takes_the_place_of_the_older() -> None:
    lists = HeldLists(limit=10)
    for number in range(20):
        lists.put("a", held(8, str(number)))
    found = lists.find("a")
    assert found is not None
    assert found.etag == "19"
    lists.drop("a")
    lists.drop("a")
    assert lists.find("a") is None
    lists.put("b", held(10))
    assert lists.find("b") is not None


def test_what_is_too_large_is_not_held() -> None:
    lists = HeldLists(limit=10)
    lists.put("a", held(11))
    assert lists.find("a") is None
