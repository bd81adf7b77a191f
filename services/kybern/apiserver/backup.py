"""Backup and restore of the store: `python -m kybern.apiserver.backup take|restore|check FILE …`.

Storage is the apiserver's, so the command line asks this program. A backup shows one moment, while writers go on. A
restored store begins at a revision that no client has seen, with no history before it: whoever comes with an old
resourceVersion is told 410 and lists again.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kybern.apiserver.storage import opening
from kybern.clock import SystemClock
from kybern.kube import meta
from kybern.runtime.main import ServiceFailure
from kybern.store import backup
from kybern.store.contract import Delete, KeyValue, Put, RangeResult, Store
from kybern.store.errors import CompactedError, StoreError, StoreUnusable
from kybern.store.sqlite.portable import exporting, import_objects

SQLITE = "sqlite:"
PKI = ("ca.crt", "ca.key", "sa.key", "sa.pub", "front-proxy-ca/ca.crt", "front-proxy-ca/ca.key")
EVENT_TTL = 3600.0  # seconds that restored objects with a lease have left
BUMP = {"sqlite": 1_000_000_000, "etcd": 20_000}
PAGE, BATCH, WRITERS = 500, 50, 64
MARK = "/registry/~restore"


class Counter:
    """Says how far it is, once a second."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + 1.0

    def __call__(self, count: int) -> None:
        if count % 100 == 0 and time.monotonic() >= self._next:
            self._next = time.monotonic() + 1.0
            print(f"  … {count:,} {self._what}", flush=True)


def build_parser() -> argparse.ArgumentParser:
    """The flags."""
    parser = argparse.ArgumentParser(prog="python -m kybern.apiserver.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("take", "restore"):
        command = commands.add_parser(name)
        command.add_argument("file", type=Path)
        command.add_argument("--pki", type=Path, help="folder with the cluster's keys, to be in the backup as well")
        command.add_argument("--bump-revision", type=int, help="by how much a restored store's revision is raised")
        opening.add_flags(command)
    commands.add_parser("check").add_argument("file", type=Path)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """0, or 1 and a sentence on standard error."""
    options = build_parser().parse_args(arguments)
    try:
        if options.command == "take":
            asyncio.run(take(options))
        elif options.command == "restore":
            asyncio.run(restore(options))
        else:
            print(describe(options.file, backup.check(options.file)))
    except (StoreError, ServiceFailure, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def describe(path: Path, found: backup.Backup) -> str:
    """One line about a file."""
    with_keys = f", {len(found.files)} files of keys and certificates" if found.files else ""
    return f"{path}: {found.objects:,} objects at revision {found.revision}, {found.source}, {found.taken}{with_keys}"


async def take(options: argparse.Namespace) -> None:
    """Write the file."""
    taken = meta.format_time(SystemClock().now())
    if options.store.startswith(SQLITE):
        with exporting(Path(options.store.removeprefix(SQLITE))) as (revision, found):
            header = backup.Backup(revision, taken, "sqlite")
            with backup.writing(options.file, header, Counter("objects")) as writer:
                for kv in found:
                    writer.add(kv)
                add_keys(writer, options.pki)
    else:
        store = await opening.open_plain(options)
        try:
            await _take_shared(store, options, taken)
        finally:
            await store.close()
    print(describe(options.file, backup.check(options.file)))


async def _take_shared(store: Store, options: argparse.Namespace, taken: str) -> None:
    page = await _page(store, "", 0)
    with backup.writing(options.file, backup.Backup(page.revision, taken, "etcd"), Counter("objects")) as writer:
        while True:
            for kv in page.items:
                writer.add(kv)
            if not page.more:
                break
            page = await _page(store, page.items[-1].key, page.revision)
        add_keys(writer, options.pki)


async def _page(store: Store, after: str, revision: int) -> RangeResult:
    try:
        return await store.range("/registry/", start_after=after, limit=PAGE, revision=revision)
    except CompactedError:
        raise StoreUnusable("the store was compacted while it was read, which took too long: try again") from None


def add_keys(writer: backup.Writer, folder: Path | None) -> None:
    """The authorities' and the token key, so that a restored cluster accepts what this one issued."""
    for name in PKI if folder is not None else ():
        assert folder is not None
        with suppress(FileNotFoundError):
            writer.add_file(name, (folder / name).read_bytes())


async def restore(options: argparse.Namespace) -> None:
    """Fill an empty store. Nothing is written unless the whole file is good."""
    found = await asyncio.to_thread(backup.check, options.file)
    if options.pki is not None and found.files and any((options.pki / name).exists() for name in found.files):
        raise StoreUnusable(f"{options.pki} holds keys already: restore into an empty data dir")
    kind = "sqlite" if options.store.startswith(SQLITE) else "etcd"
    bump = BUMP[kind] if options.bump_revision is None else options.bump_revision
    revision = found.revision + bump
    if kind == "sqlite":
        path = Path(options.store.removeprefix(SQLITE))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        import_objects(path, backup.objects(options.file), revision, EVENT_TTL, Counter("objects"))
    else:
        store = await opening.open_plain(options)
        try:
            await _restore_shared(store, options.file, revision)
        finally:
            await store.close()
    if options.pki is not None:
        write_keys(options.file, options.pki)
    print(describe(options.file, found))


async def _restore_shared(store: Store, path: Path, revision: int) -> None:
    if (await store.range("/registry/", limit=1)).items:
        raise StoreUnusable("the etcd cluster holds objects below /registry/ already: restore into an empty one")
    await _raise_revision(store, revision)
    lease = await store.lease_grant(EVENT_TTL)
    batch: list[KeyValue] = []
    told = Counter("objects")
    for count, kv in enumerate(backup.objects(path), 1):
        batch.append(kv)
        if len(batch) == BATCH:
            await _put(store, batch, lease)
            batch = []
        told(count)
    await _put(store, batch, lease)
    await store.compact(await store.revision())


async def _put(store: Store, batch: Sequence[KeyValue], lease: int) -> None:
    if batch:
        result = await store.txn([Put(kv.key, kv.value, 0, lease if kv.lease else 0) for kv in batch])
        if not result.succeeded:
            raise StoreUnusable("somebody else writes to the etcd cluster: restore into one that nobody uses")


async def _raise_revision(store: Store, revision: int) -> None:
    """etcd counts by writing: no other way up."""
    now, told = await store.revision(), Counter("revisions passed over")
    left = iter(range(max(0, revision - now)))

    async def write(key: str) -> None:
        for count in left:
            await store.txn([Put(key, b"")])
            told(count)

    async with asyncio.TaskGroup() as tasks:
        for writer in range(WRITERS):
            tasks.create_task(write(f"{MARK}/{writer}"))

    await store.txn([Delete(f"{MARK}/{writer}") for writer in range(WRITERS)])


def write_keys(path: Path, folder: Path) -> None:
    """The files of a backup, each private to its owner."""
    for name, content in backup.files(path):
        if name not in PKI:
            raise StoreUnusable(f"{path} holds a file {name!r} that does not belong there")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.touch(mode=0o600)
        target.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
