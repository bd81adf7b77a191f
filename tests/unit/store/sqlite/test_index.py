"""The key index: where prefixes end, what a revision shows, what compaction and rollback leave."""

import pytest

from kybern.store.sqlite.index import SUB_BITS, Index, Version, prefix_end


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("", None),
        ("/a/", "/a0"),
        ("/a", "/b"),
        ("é", "ê"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff", None),
        ("\U0010ffff\U0010ffff", None),
    ],
)
def test_prefix_end(prefix: str, end: str | None) -> None:
    assert prefix_end(prefix) == end


def version(revision: int, number: int = 1) -> Version:
    """A version (0 = tombstone) at a revision."""
    return Version(revision << SUB_BITS, revision, number, 0)


@pytest.fixture
def index() -> Index:
    """/a created at 2, changed at 3, deleted at 5; /b created at 4."""
    index = Index()
    index.load([("/a", version(2)), ("/a", version(3, 2)), ("/b", version(4)), ("/a", version(5, 0))])
    return index


@pytest.mark.parametrize(
    ("revision", "keys"), [(1, []), (2, ["/a"]), (3, ["/a"]), (4, ["/a", "/b"]), (5, ["/b"]), (9, ["/b"])]
)
def test_a_revision_shows_its_state(index: Index, revision: int, keys: list[str]) -> None:
    found, count = index.range("/", "", 0, revision)
    assert [key for key, _ in found] == keys
    assert count == len(keys)


def test_compaction_in_steps(index: Index) -> None:
    rows = [index.compact(5, 2), index.compact(5, 2), index.compact(5, 2)]
    assert rows == [[2 << SUB_BITS, 3 << SUB_BITS], [5 << SUB_BITS], []]
    assert index.range("/", "", 0, 5)[0] == [("/b", version(4))]
    index.append("/a", version(6))
    assert index.head("/a") == version(6)


def test_rollback_takes_back_keys_versions_and_garbage(index: Index) -> None:
    index.append("/a", version(6))
    index.append("/c", version(7))
    index.append("/b", version(8, 0))
    index.rollback(5, ["/a", "/c", "/b"])
    assert [key for key, _ in index.range("/", "", 0, 9)[0]] == ["/b"]
    assert index.head("/a") is None
    assert index.compact(9, 100) == [2 << SUB_BITS, 3 << SUB_BITS, 5 << SUB_BITS]


@pytest.mark.parametrize(
    "lone",
    [
        pytest.param(version(7), id="just created"),
        pytest.param(Version((7 << SUB_BITS) + 3, 7, 1, 0), id="with others"),
        pytest.param(Version(7 << SUB_BITS, 7, 1, 9), id="leased"),
        pytest.param(Version(7 << SUB_BITS, 2, 4, 0), id="changed, and what was before is compacted"),
        pytest.param(Version(7 << SUB_BITS, 2, 1, 0), id="put back"),
    ],
)
def test_a_lone_version_is_kept_as_it_is(lone: Version) -> None:
    index, later = Index(), Version(9 << SUB_BITS, lone.create_revision, lone.version + 1, 0)
    index.load([("/a", lone)])
    assert index.head("/a") == lone
    assert [index.at("/a", revision) for revision in (6, 7, 8)] == [None, lone, lone]
    assert index.range("/", "", 0, 7) == ([("/a", lone)], 1)
    index.append("/a", later)
    assert (index.head("/a"), index.at("/a", 8), index.before("/a", later.id)) == (later, lone, lone)
    index.rollback(8, ["/a"])
    assert index.head("/a") == lone
    assert index.compact(9, 10) == []
    index.rollback(6, ["/a"])
    assert index.head("/a") is None
    assert index.range("/", "", 0, 9) == ([], 0)
