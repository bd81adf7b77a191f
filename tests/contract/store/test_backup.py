"""Backup and restore of both stores, through the program that `kybern backup` runs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from kybern.apiserver import backup as tool
from kybern.store import backup
from kybern.store.contract import Delete, Put, Store
from kybern.store.errors import CompactedError
from kybern.store.open import open_store
from kybern.testing.etcd import Etcd

MakeEtcd = Callable[..., list[Etcd]]


async def run(*arguments: str | Path) -> int:
    """The program, as the command line runs it."""
    return await asyncio.to_thread(tool.main, [str(argument) for argument in arguments])


async def opened(spec: str) -> Store:
    """A store, once it answers."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await open_store(spec)
            except Exception:
                await asyncio.sleep(0.1)


async def fill(store: Store) -> None:
    """A little history: writes, updates, deletions, a lease."""
    for n in range(300):
        await store.txn([Put(f"/registry/configmaps/default/{n:03}", b"%d" % n * 50)])
    for n in range(0, 300, 3):
        await store.txn([Put(f"/registry/configmaps/default/{n:03}", b"changed")])
    for n in range(1, 300, 3):
        await store.txn([Delete(f"/registry/configmaps/default/{n:03}")])
    lease = await store.lease_grant(3600)
    await store.txn(
        [Put("/registry/events/default/e", b"event", None, lease), Put("/registry/pods/a", b"same revision")]
    )


@pytest.fixture(params=["sqlite", "etcd"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        (tmp_path / "one").mkdir()
        return f"sqlite:{tmp_path}/one/store.db"
    return f"etcd://{request.getfixturevalue('make_etcd')()[0].client}"


async def test_a_backup_under_load_shows_one_moment(spec: str, tmp_path: Path) -> None:
    """Pairs are written in one transaction: a backup that shows one half, or different halves, is no moment."""
    store = await opened(spec)
    writing = True

    async def write(worker: int) -> None:
        n = 0
        while writing:
            value = b"%d" % n
            await store.txn([Put(f"/registry/a/{worker}", value), Put(f"/registry/z/{worker}", value)])
            n += 1

    await fill(store)
    tasks = [asyncio.create_task(write(worker)) for worker in range(4)]
    for n in range(3):
        await asyncio.sleep(0.1)
        assert await run("take", tmp_path / f"backup-{n}", "--store", spec) == 0
    writing = False
    await asyncio.gather(*tasks)
    await store.close()
    for n in range(3):
        found = {kv.key: kv for kv in backup.objects(tmp_path / f"backup-{n}")}
        for worker in range(4):
            one, other = found[f"/registry/a/{worker}"], found[f"/registry/z/{worker}"]
            assert (one.value, one.mod_revision) == (other.value, other.mod_revision)
        assert len(found) == 200 + 2 + 8
        assert max(kv.mod_revision for kv in found.values()) <= backup.check(tmp_path / f"backup-{n}").revision


@pytest.mark.parametrize("target", ["sqlite", "etcd"])
async def test_restored_into_an_empty_store(spec: str, target: str, tmp_path: Path, make_etcd: MakeEtcd) -> None:
    store = await opened(spec)
    await fill(store)
    before = await store.range("/registry/")
    await store.close()
    assert await run("take", tmp_path / "backup", "--store", spec) == 0
    other = f"sqlite:{tmp_path}/two/store.db" if target == "sqlite" else f"etcd://{make_etcd()[0].client}"
    if target == "etcd":
        await (await opened(other)).close()
    assert await run("restore", tmp_path / "backup", "--store", other, "--bump-revision", "5000") == 0
    assert await run("restore", tmp_path / "backup", "--store", other) == 1  # not into what is full
    store = await opened(other)
    try:
        after = await store.range("/registry/")
        assert [(kv.key, kv.value, bool(kv.lease)) for kv in after.items] == [
            (kv.key, kv.value, bool(kv.lease)) for kv in before.items
        ]
        assert after.revision >= before.revision + 5000
        if target == "sqlite":
            assert [(kv.create_revision, kv.mod_revision, kv.version) for kv in after.items] == [
                (kv.create_revision, kv.mod_revision, kv.version) for kv in before.items
            ]
        for old in (1, before.revision, before.revision + 1, before.revision + 4000):
            watch = store.watch("/registry/", start_revision=old)
            with pytest.raises(CompactedError):
                await anext(watch)
        watch = store.watch("/registry/", start_revision=after.revision + 1)
        result = await store.txn([Put("/registry/configmaps/default/000", b"new", after.items[0].mod_revision)])
        assert result.succeeded
        assert result.revision > after.revision
        assert [e.kv.value for e in (await anext(watch)).events] == [b"new"]
        await watch.aclose()
    finally:
        await store.close()


async def test_keys_come_along(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pki = tmp_path / "pki"
    (pki / "front-proxy-ca").mkdir(parents=True)
    for name in ("ca.crt", "ca.key", "sa.key", "front-proxy-ca/ca.key", "admin.pem"):
        (pki / name).write_text(name)
    await (await open_store(f"sqlite:{tmp_path}/store.db")).close()
    assert await run("take", tmp_path / "b", "--store", f"sqlite:{tmp_path}/store.db", "--pki", pki) == 0
    assert "4 files of keys and certificates" in capfd.readouterr().out
    assert await run("restore", tmp_path / "b", "--store", f"sqlite:{tmp_path}/new/s.db", "--pki", tmp_path / "p") == 0
    restored = sorted(str(path.relative_to(tmp_path / "p")) for path in (tmp_path / "p").rglob("*") if path.is_file())
    assert restored == ["ca.crt", "ca.key", "front-proxy-ca/ca.key", "sa.key"]
    assert (tmp_path / "p/ca.key").stat().st_mode & 0o777 == 0o600
    assert await run("restore", tmp_path / "b", "--store", f"sqlite:{tmp_path}/3/s.db", "--pki", tmp_path / "p") == 1
    assert "holds keys already" in capfd.readouterr().err
    assert not (tmp_path / "3").exists()


async def test_a_damaged_file_changes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = await open_store(f"sqlite:{tmp_path}/store.db")
    await fill(store)
    await store.close()
    assert await run("take", tmp_path / "b", "--store", f"sqlite:{tmp_path}/store.db") == 0
    content = bytearray((tmp_path / "b").read_bytes())
    content[-1] ^= 1
    (tmp_path / "b").write_bytes(content)
    assert await run("restore", tmp_path / "b", "--store", f"sqlite:{tmp_path}/new/s.db") == 1
    assert "is damaged (its checksum is wrong): nothing was restored" in capfd.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("sqlite:none/s.db", "there is no store"),
        ("sqlite:text", "cannot read|is not a store"),
        ("etcd://127.0.0.1:1", "no etcd"),
    ],
)
async def test_no_store_is_a_sentence(
    store: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import re

    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("no database" * 100)
    assert await run("take", tmp_path / "b", "--store", store) == 1
    assert re.search(words, capfd.readouterr().err)
    assert not (tmp_path / "b").exists()
