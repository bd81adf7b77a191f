"""Backup files: what goes in comes out, and no damage passes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.store import backup
from kybern.store.contract import KeyValue
from kybern.store.errors import StoreUnusable

HEADER = backup.Backup(4711, "2026-01-02T03:04:05Z", "sqlite")
revisions = st.integers(1, 2**60)
key_values = st.builds(
    KeyValue,
    key=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
    value=st.binary(max_size=200),
    create_revision=revisions,
    mod_revision=revisions,
    version=st.integers(1, 2**40),
    lease=st.integers(0, 1),
    unreadable=st.just(""),
)


def write(path: Path, found: list[KeyValue], files: dict[str, bytes] | None = None) -> None:
    path.unlink(missing_ok=True)
    with backup.writing(path, HEADER) as writer:
        for kv in found:
            writer.add(kv)
        for name, content in (files or {}).items():
            writer.add_file(name, content)


@given(found=st.lists(key_values, max_size=20), files=st.dictionaries(st.text(max_size=10), st.binary(max_size=50)))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, found: list[KeyValue], files: dict[str, bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "round"
    write(path, found, files)
    assert list(backup.objects(path)) == found
    assert dict(backup.files(path)) == files
    checked = backup.check(path)
    assert (checked.revision, checked.taken, checked.source) == (HEADER.revision, HEADER.taken, HEADER.source)
    assert (checked.objects, set(checked.files)) == (len(found), set(files))


SOME = [KeyValue(f"/registry/{n}", b"%d" % n * 300, n, n, 1) for n in range(1, 50)]


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_changed_byte_passes(tmp_path_factory: pytest.TempPathFactory, place: float, flip: int) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped"
    write(path, SOME)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= flip
    path.write_bytes(content)
    with pytest.raises(StoreUnusable):
        backup.check(path)


@given(part=st.floats(0, 1, exclude_max=True))
def test_no_shortened_file_passes(tmp_path_factory: pytest.TempPathFactory, part: float) -> None:
    path = tmp_path_factory.getbasetemp() / "short"
    write(path, SOME)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(StoreUnusable):
        backup.check(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read .*: No such file"),
        (b"", "is not a backup of Kybern"),
        (b"SQLite format 3\0", "is not a backup of Kybern"),
        (b"KYBERN-BACKUP 2\n{}", "has version 2 of the format, this Kybern reads version 1"),
        (b"KYBERN-BACKUP 1\nnonsense", "is damaged .its header cannot be read.: nothing was restored"),
        (b'KYBERN-BACKUP 1\n{"revision":1,"taken":"","source":""}\n', "is damaged .it ends too early"),
    ],
)
def test_what_is_no_backup_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreUnusable, match=words):
        backup.check(path)


def test_a_file_is_private_whole_or_absent_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(UnicodeEncodeError), backup.writing(path, HEADER) as writer:
        writer.add(KeyValue("\ud800", b"", 1, 1, 1))
    assert list(tmp_path.iterdir()) == []
    write(path, SOME)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreUnusable, match="exists already"), backup.writing(path, HEADER):
        pass
