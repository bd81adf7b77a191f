"""What only the embedded store promises: durability through kill -9, a full disk, one owner, restarts, inline mode."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kybern.store.contract import Delete, Event, EventKind, Put
from kybern.store.errors import CompactedError, LeaseNotFoundError, StoreFull, StoreUnavailable, StoreUnusable
from kybern.store.sqlite import SqliteStore, restore
from kybern.store.sqlite.database import Database

WRITER = Path(__file__).with_name("writer_process.py")


async def test_kill_9_loses_no_acknowledged_write(tmp_path: Path) -> None:
    """Several rounds on one file: kill at a random moment, reopen, compare with what the writer printed."""
    path = tmp_path / "store.db"
    chance = random.Random(9)
    highest = 1
    for round_ in range(5):
        lines = await asyncio.to_thread(_write_until_killed, path, str(round_), chance.uniform(0.15, 0.6))
        assert len(lines) > 20, "the writer was killed before it wrote"
        opened, *acknowledged = lines
        assert opened[0] >= highest, "an acknowledged revision was lost at the reopening"
        expected: dict[str, tuple[int, str]] = {}
        for revision, operation, key in acknowledged:
            expected[key] = (revision, operation)
            highest = max(highest, revision)
        store = await SqliteStore.open(path)
        assert await store.revision() >= highest
        for key, (revision, operation) in expected.items():
            kv, _ = await store.get(key)
            if operation == "delete":
                assert kv is None, f"{key}: the delete at {revision} was lost"
            elif kv is not None:
                assert (kv.mod_revision, kv.value) == (revision, b"v" * 700)
            else:  # its delete may have happened without an acknowledgement
                assert int(key.rsplit("/", 1)[1]) % 3 == 2, f"{key}: the put at {revision} was lost"
        await _check_transactions_are_whole(store)
        await store.close()


def _write_until_killed(path: Path, round_: str, seconds: float) -> list[tuple[int, str, str]]:
    with subprocess.Popen([sys.executable, str(WRITER), str(path), round_], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        output = [process.stdout.readline()]  # "open"
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        output += process.stdout.read().splitlines(keepends=True)
    whole = [line.decode().split() for line in output if line.endswith(b"\n")]
    return [(int(revision), operation, key) for revision, operation, key in whole]


async def _check_transactions_are_whole(store: SqliteStore) -> None:
    """A put and its mark were one transaction: the mark names the newest put."""
    for mark in (await store.range("/last/")).items:
        key = mark.value.decode()
        kv, _ = await store.get(key)
        if kv is not None:
            assert kv.mod_revision == mark.mod_revision
        mine = await store.range(key.rsplit("/", 1)[0] + "/")
        assert all(kv.mod_revision <= mark.mod_revision for kv in mine.items)


@pytest.mark.parametrize("threaded", [True, False])
async def test_a_restart_keeps_everything(tmp_path: Path, threaded: bool) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, threaded=threaded)
    await store.txn([Put("/a", b"1"), Put("/b", b"1")])
    await store.txn([Put("/a", b"2")])
    await store.txn([Delete("/b")])
    lease = await store.lease_grant(0.3)
    await store.txn([Put("/leased", b"", lease=lease)])
    before = await store.range("/")
    await store.close()

    store = await SqliteStore.open(path, threaded=threaded)
    assert await store.range("/") == before
    old, _ = await store.get("/b", revision=2)
    assert old is not None
    assert old.value == b"1"
    watch = store.watch("/", start_revision=2)
    batch = await anext(watch)
    assert [(e.kind, e.kv.key, e.kv.mod_revision) for e in batch.events] == [
        (EventKind.PUT, "/a", 2),
        (EventKind.PUT, "/b", 2),
        (EventKind.PUT, "/a", 3),
        (EventKind.DELETE, "/b", 4),
        (EventKind.PUT, "/leased", 5),
    ]
    assert batch.events[3].prev == old
    expiry: Event = (await anext(watch)).events[0]
    assert (expiry.kind, expiry.kv.key) == (EventKind.DELETE, "/leased")
    with pytest.raises(LeaseNotFoundError):
        await store.lease_revoke(lease)
    assert await store.lease_grant(10) > lease
    await watch.aclose()
    await store.close()


async def test_the_revision_survives_the_compaction_of_its_last_delete(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    await store.txn([Put("/a", b"1")])
    revision = (await store.txn([Delete("/a")])).revision
    await store.compact(revision)
    await store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM history").fetchone() == (0,)
    connection.close()
    store = await SqliteStore.open(path)
    assert await store.revision() == revision
    with pytest.raises(CompactedError):
        await store.get("/a", revision=revision - 1)
    assert (await store.txn([Put("/a", b"2")])).revision == revision + 1
    await store.close()


async def test_a_compaction_cut_short_is_finished_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    for i in range(10):
        await store.txn([Put("/a", b"%d" % i)])
    await store.close()
    with sqlite3.connect(path) as connection:  # as if killed after the counter, before the rows
        connection.execute("UPDATE counter SET value = 8 WHERE name = 'compacted'")
    connection.close()
    store = await SqliteStore.open(path)
    kv, _ = await store.get("/a", revision=8)
    assert kv is not None
    assert kv.value == b"6"
    await store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM history").fetchone() == (4,)
    connection.close()


async def test_compaction_while_readers_and_watchers_are_at_work(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", cache_bytes=0)
    done = False

    async def write() -> None:
        nonlocal done
        for i in range(150):
            await asyncio.gather(*(store.txn([Put(f"/k/{n}", b"%d" % i)]) for n in range(10)))
            if i % 5 == 4:
                await store.compact(await store.revision())
        done = True

    async def read() -> None:
        while not done:
            assert len((await store.range("/k/")).items) in (0, *range(1, 11))
            await store.get("/k/3")
            await asyncio.sleep(0)  # a read that finds nothing does not wait for anything

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        group.create_task(read())
        group.create_task(read())
    assert [kv.value for kv in (await store.range("/k/")).items] == [b"149"] * 10
    await store.close()


async def test_waiting_writers_share_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    commit = Database.commit

    def counting(self: Database, batch: list[object]) -> None:
        commits.append(len(batch))
        commit(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "commit", counting)
    store = await SqliteStore.open(tmp_path / "store.db")
    await asyncio.gather(*(store.txn([Put(f"/{i}", b"")]) for i in range(300)))
    assert sum(commits) == 300
    assert len(commits) < 60
    await store.close()


def test_every_commit_waits_for_its_fsync(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "store.db"))
    database.prepare()
    connection = database._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


async def test_snapshot_and_restore(tmp_path: Path) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy"
    store = await SqliteStore.open(path)
    for i in range(20):
        await store.txn([Put(f"/{i}", b"x" * 5000)])
    revision = await store.snapshot(copy)
    kept = await store.range("/")
    await store.txn([Put("/after", b"")])
    with pytest.raises(StoreUnusable, match="in use by process"):
        restore(copy, path)
    await store.close()
    restore(copy, path)
    store = await SqliteStore.open(path)
    assert await store.range("/") == kept
    assert await store.revision() == revision
    assert (await store.txn([Put("/after", b"")])).revision == revision + 1
    await store.close()
    before = await SqliteStore.open(tmp_path / "store.db.before")
    assert (await before.get("/after"))[0] is not None
    await before.close()


@pytest.mark.parametrize("content", [None, b"", b"not a database, but long enough to be looked at closely" * 20])
async def test_restore_refuses_what_is_no_snapshot(tmp_path: Path, content: bytes | None) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy"
    store = await SqliteStore.open(path)
    await store.txn([Put("/a", b"")])
    await store.close()
    if content is not None:
        copy.write_bytes(content)
    with pytest.raises(StoreUnusable):
        restore(copy, path)
    store = await SqliteStore.open(path)
    assert await store.revision() == 2
    await store.close()


def _other_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()


def _schema(version: int) -> object:
    def write(path: Path) -> None:
        database = Database(str(path))
        database.prepare()
        database._connection.execute(f"PRAGMA user_version = {version}")
        database.close()

    return write


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda path: path.write_bytes(b"hello" * 1000), "is not a Kybern store", id="no database"),
        pytest.param(_other_database, "another program's database", id="another program's"),
        pytest.param(_schema(2), "newer Kybern.*upgrade Kybern", id="newer schema"),
        pytest.param(_schema(0), "older Kybern.*empty data directory", id="older schema"),
        pytest.param(lambda path: path.mkdir(), "cannot open", id="a directory"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named_and_left_alone(tmp_path: Path, spoil: object, message: str) -> None:
    path = tmp_path / "store.db"
    assert callable(spoil)
    spoil(path)
    content = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreUnusable, match=message):
        await SqliteStore.open(path)
    assert content == (path.read_bytes() if path.is_file() else None)


async def test_a_missing_directory_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="No such file or directory"):
        await SqliteStore.open(tmp_path / "none" / "store.db")


async def test_a_file_has_one_owner(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    with pytest.raises(StoreUnusable, match=f"in use by process {os.getpid()}"):
        await SqliteStore.open(path)
    await store.close()
    await (await SqliteStore.open(path)).close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    if os.geteuid():
        pytest.skip("needs root to mount a small tmpfs")
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


@pytest.mark.root
@pytest.mark.parametrize("threaded", [True, False])
async def test_a_full_disk_is_a_clear_error_and_leaves_nothing_half_written(small_disk: Path, threaded: bool) -> None:
    path = small_disk / "store.db"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 200_000)
    store = await SqliteStore.open(path, threaded=threaded)
    written: dict[str, int] = {}

    async def fill() -> None:
        for i in range(1000):
            result = await store.txn([Put(f"/{i}", b"x" * 20_000), Put(f"/{i}/twin", b"x" * 20_000)])
            written[f"/{i}"] = written[f"/{i}/twin"] = result.revision

    with pytest.raises(StoreFull, match=r"no space left for .*store\.db.*nothing was written"):
        await fill()
    assert len(written) > 20
    state = await store.range("/")
    assert {kv.key: kv.mod_revision for kv in state.items} == written
    assert await store.revision() == max(written.values())
    outcomes = await asyncio.gather(
        *(store.txn([Put("/more", b"x" * 200_000)]) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(outcome, StoreFull) for outcome in outcomes)
    ballast.unlink()
    watch = store.watch("/", start_revision=state.revision + 1)
    result = await store.txn([Put("/after", b"")])
    assert result.revision == state.revision + 1
    assert [e.kv.key for e in (await anext(watch)).events] == ["/after"]
    await watch.aclose()
    await store.close()
    store = await SqliteStore.open(path, threaded=threaded)
    assert {kv.key: kv.mod_revision for kv in (await store.range("/")).items} == written | {"/after": result.revision}
    await store.close()


async def test_a_failed_commit_takes_back_what_was_built_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    first = await store.txn([Put("/a", b"1")])
    commit = Database.commit
    failing = True

    def maybe(self: Database, batch: object) -> None:
        if failing:
            raise StoreFull("no space")
        commit(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "commit", maybe)
    doomed = [
        store.txn([Put("/a", b"2", first.revision)]),
        store.txn([Put("/a", b"3", first.revision + 1)]),
        store.txn([Put("/b", b"1")]),
        store.txn([Delete("/a")]),
    ]
    outcomes = await asyncio.gather(*doomed, return_exceptions=True)
    assert all(isinstance(outcome, StoreFull) for outcome in outcomes)
    failing = False
    assert await store.revision() == first.revision
    result = await store.txn([Put("/a", b"4", first.revision), Put("/b", b"2", 0)])
    assert (result.succeeded, result.revision) == (True, first.revision + 1)
    assert [kv.value for kv in (await store.range("/")).items] == [b"4", b"2"]
    assert result.current[0] is not None
    assert result.current[0].value == b"1"
    await store.close()


async def test_a_cancelled_writer_leaves_the_store_in_order(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    tasks = [asyncio.create_task(store.txn([Put(f"/{i}", b"")])) for i in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    result = await store.txn([Put("/last", b"")])
    assert result.revision == (await store.range("/")).count + 1
    await store.close()


async def test_progress_notes_when_idle(tmp_path: Path) -> None:
    store = await SqliteStore.open(":memory:", threaded=False)
    watch = store.watch("/quiet/", start_revision=1, progress=0.05)
    await store.txn([Put("/busy", b"")])
    note = await anext(watch)
    assert (note.revision, list(note.events)) == (2, [])
    await watch.aclose()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.revision()


async def test_a_progress_note_never_overtakes_an_event() -> None:
    """Timeouts and commits in the same moment, many times: a note's revision must be behind what is still to come."""
    store = await SqliteStore.open(":memory:", threaded=False)
    chance = random.Random(1)
    known = 1

    async def write() -> None:
        for i in range(400):
            await asyncio.sleep(chance.choice([0, 0.0009, 0.001, 0.0011]))
            await store.txn([Put(chance.choice(["/seen/a", "/else/a"]), b"%d" % i)])
        await store.txn([Put("/seen/end", b"")])

    watch = store.watch("/seen/", start_revision=2, progress=0.001)
    writing = asyncio.create_task(write())
    notes = 0
    async for batch in watch:
        assert all(e.kv.mod_revision > known for e in batch.events), "an event behind an earlier note"
        assert batch.revision >= known
        known = batch.revision
        notes += not batch.events
        if batch.events and batch.events[-1].kv.key == "/seen/end":
            break
    await watch.aclose()
    await writing
    assert notes > 10
    await store.close()


async def test_an_unexpected_error_is_an_answer_and_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    with monkeypatch.context() as patch:
        patch.setattr(Database, "_insert", lambda self, rows: 1 / 0)
        with pytest.raises(StoreUnavailable, match="commit failed: ZeroDivisionError"):
            await store.txn([Put("/a", b"doomed")])
    assert (await store.txn([Put("/a", b"fine")])).revision == 2
    await store.close()


async def test_a_lease_with_very_many_keys_ends_in_steps(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    lease = await store.lease_grant(3600)
    for start in range(0, 1200, 300):
        await store.txn([Put(f"/e/{n:04}", b"x", None, lease) for n in range(start, start + 300)])
    await store.txn([Put("/e/0000", b"kept")])
    before = await store.revision()
    watch = store.watch("/e/", start_revision=before + 1)
    await store.lease_revoke(lease)
    assert [kv.key for kv in (await store.range("/e/")).items] == ["/e/0000"]
    assert await store.revision() > before + 1
    gone: list[str] = []
    while len(gone) < 1199:
        gone += [event.kv.key for event in (await anext(watch)).events]
    assert gone == [f"/e/{n:04}" for n in range(1, 1200)]
    await watch.aclose()
    with pytest.raises(LeaseNotFoundError):
        await store.lease_keepalive(lease)
    await store.close()
    store = await SqliteStore.open(tmp_path / "store.db")
    assert (await store.range("/e/")).count == 1
    await store.close()


def remount(directory: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", directory], check=True)


@pytest.mark.root
async def test_a_read_only_disk_is_a_sentence(small_disk: Path) -> None:
    path = small_disk / "store.db"
    store = await SqliteStore.open(path)
    await store.txn([Put("/a", b"1")])
    await store.close()
    remount(small_disk, "ro")
    with pytest.raises(StoreUnusable, match=r"(Read-only file system|cannot be written)"):
        await SqliteStore.open(path)
    remount(small_disk, "rw")
    store = await SqliteStore.open(path)
    assert (await store.txn([Put("/a", b"2")])).succeeded
    await store.close()


@pytest.mark.parametrize("threaded", [True, False])
async def test_what_turns_read_only_refuses_writes_and_goes_on_reading(tmp_path: Path, threaded: bool) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", threaded=threaded)
    await store.txn([Put("/a", b"1")])
    before = await store.range("")
    store._database._connection.execute("PRAGMA query_only=1")
    with pytest.raises(StoreUnavailable, match=r"cannot be written.*make its disk and folder writable; nothing was"):
        await store.txn([Put("/a", b"2"), Put("/b", b"2")])
    assert await store.range("") == before
    store._database._connection.execute("PRAGMA query_only=0")
    assert (await store.txn([Put("/a", b"2")])).revision == before.revision + 1
    await store.close()


@pytest.mark.parametrize("threaded", [True, False])
async def test_no_more_pages_is_a_full_disk(tmp_path: Path, threaded: bool) -> None:
    """The same as a small disk, by SQLite's own limit: nothing half-written, and it goes on when there is room."""
    store = await SqliteStore.open(tmp_path / "store.db", threaded=threaded)
    await store.txn([Put("/a", b"x" * 100_000)])
    before = await store.range("")
    connection = store._database._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages + 5}")
    with pytest.raises(StoreFull, match="nothing was written"):
        await store.txn([Put("/b", b"x"), Put("/c", b"x" * 200_000)])
    assert await store.range("") == before
    assert (await store.txn([Put("/small", b"x")])).succeeded
    connection.execute("PRAGMA max_page_count=1073741823")
    assert (await store.txn([Put("/c", b"x" * 200_000)])).succeeded
    await store.close()


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7, 0.9])
async def test_a_damaged_file_is_a_sentence_that_says_what_to_do(tmp_path: Path, place: float) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path)
    for n in range(200):
        await store.txn([Put(f"/{n}", b"x" * 3000)])
    await store.close()
    content = bytearray(path.read_bytes())
    start = int(len(content) * place) // 4096 * 4096
    content[start : start + 8 * 4096] = b"\xff" * (8 * 4096)
    path.write_bytes(content)

    async def read() -> None:
        """Whether it is noticed at the start or at the first read depends on the page."""
        store = await SqliteStore.open(path)
        try:
            await store.range("")
        finally:
            await store.close()

    with pytest.raises((StoreUnusable, StoreUnavailable), match=r"is damaged.*restore the last backup"):
        await read()
