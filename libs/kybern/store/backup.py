"""Backup files: every object of a store at one revision, independent of the store it came from.

    KYBERN-BACKUP 1\\n
    {"revision": 4711, "taken": "…", …}\\n
    zlib( record* )            key and value of every object, then files kept beside them, then the counts
    sha256 of all before       32 bytes

Values are as they are stored: what is encrypted stays so. A file appears whole or not at all, readable by its owner
alone, and is checked to its last byte before anything of it is used.
"""

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kybern.store.contract import KeyValue
from kybern.store.durable import replacing
from kybern.store.errors import StoreUnusable

MAGIC, NAME = b"KYBERN-BACKUP 1\n", b"KYBERN-BACKUP "
DIGEST = 32
BLOCK = 1 << 20
OBJECT, FILE, END = 1, 2, 3
OBJECT_HEAD = struct.Struct(">IIQQQ?")  # bytes of key and value, create and mod revision, version, leased
FILE_HEAD = struct.Struct(">II")
END_HEAD = struct.Struct(">QQ")
LONGEST_HEADER = 64 * 1024
Told = Callable[[int], None]
"""Told now and then how many objects are done."""


@dataclass(frozen=True)
class Backup:
    """What a file says of itself."""

    revision: int
    taken: str
    source: str
    objects: int = 0
    files: tuple[str, ...] = ()


class Writer:
    """Adds records; see `writing`."""

    def __init__(self, file: BinaryIO, told: Told) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._packer = zlib.compressobj(1)
        self._told = told
        self.objects = self.files = 0

    def head(self, backup: Backup) -> None:
        """The first lines."""
        document = {"revision": backup.revision, "taken": backup.taken, "source": backup.source}
        self._out(MAGIC + json.dumps(document).encode() + b"\n")

    def add(self, kv: KeyValue) -> None:
        """One object."""
        key = kv.key.encode()
        head = OBJECT_HEAD.pack(
            len(key), len(kv.value), kv.create_revision, kv.mod_revision, kv.version, bool(kv.lease)
        )
        self._pack(bytes([OBJECT]) + head + key + kv.value)
        self.objects += 1
        self._told(self.objects)

    def add_file(self, name: str, content: bytes) -> None:
        """One file that belongs to the cluster, by its path below the PKI folder."""
        raw = name.encode()
        self._pack(bytes([FILE]) + FILE_HEAD.pack(len(raw), len(content)) + raw + content)
        self.files += 1

    def finish(self) -> None:
        """The counts and the checksum."""
        self._pack(bytes([END]) + END_HEAD.pack(self.objects, self.files))
        self._out(self._packer.flush())
        self._file.write(self._hash.digest())

    def _pack(self, data: bytes) -> None:
        packed = self._packer.compress(data)
        if packed:
            self._out(packed)

    def _out(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)


@contextmanager
def writing(path: Path, backup: Backup, told: Told = lambda count: None) -> Iterator[Writer]:
    """A backup under construction. Raises StoreUnusable if there is a file already."""
    if path.exists():
        raise StoreUnusable(f"{path} exists already: give another name, or move it away")
    with replacing(path) as partial:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            writer = Writer(file, told)
            writer.head(backup)
            yield writer
            writer.finish()


def check(path: Path) -> Backup:
    """Read all of a file. Raises StoreUnusable with what is wrong."""
    objects, files = 0, []
    for record in _records(path):
        if isinstance(record, KeyValue):
            objects += 1
        else:
            files.append(record[0])
    head = _head(path)
    return Backup(head.revision, head.taken, head.source, objects, tuple(files))


def objects(path: Path) -> Iterator[KeyValue]:
    """The objects of a file that `check` has passed, each with its old revisions and `lease` 1 if it had one."""
    return (record for record in _records(path) if isinstance(record, KeyValue))


def files(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files in it."""
    return (record for record in _records(path) if not isinstance(record, KeyValue))


def _head(path: Path) -> Backup:
    try:
        with path.open("rb") as file:
            first = file.readline(LONGEST_HEADER)
            if not first.startswith(NAME):
                raise StoreUnusable(f"{path} is not a backup of Kybern")
            if first != MAGIC:
                version = first.removeprefix(NAME).decode(errors="replace").strip()
                raise StoreUnusable(
                    f"{path} has version {version} of the format, this Kybern reads version 1: use the version that "
                    "wrote it"
                )
            raw = json.loads(file.readline(LONGEST_HEADER))
            return Backup(int(raw["revision"]), str(raw["taken"]), str(raw["source"]))
    except OSError as error:
        raise StoreUnusable(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise _damaged(path, "its header cannot be read") from None


def _damaged(path: Path, why: str) -> StoreUnusable:
    return StoreUnusable(f"{path} is damaged ({why}): nothing was restored; take another backup")


def _records(path: Path) -> Iterator[KeyValue | tuple[str, bytes]]:
    """All records, the checksum verified before the last is given out."""
    _head(path)
    stream = _Stream(path)
    objects = files = 0
    with stream.opened():
        while True:
            kind = stream.take(1)[0]
            if kind == OBJECT:
                key_size, size, created, modified, version, leased = OBJECT_HEAD.unpack(stream.take(OBJECT_HEAD.size))
                key = stream.take(key_size).decode()
                objects += 1
                yield KeyValue(key, stream.take(size), created, modified, version, int(leased))
            elif kind == FILE:
                name_size, size = FILE_HEAD.unpack(stream.take(FILE_HEAD.size))
                name = stream.take(name_size).decode()
                files += 1
                yield name, stream.take(size)
            elif kind == END:
                if END_HEAD.unpack(stream.take(END_HEAD.size)) != (objects, files):
                    raise _damaged(path, "objects are missing")
                stream.end()
                return
            else:
                raise _damaged(path, "a record of an unknown kind")


class _Stream:
    """The unpacked bytes of a file, hashed on the way."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unpacker = zlib.decompressobj()
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._left = 0

    @contextmanager
    def opened(self) -> Iterator[None]:
        with self._path.open("rb") as self._file:
            self._left = os.fstat(self._file.fileno()).st_size - DIGEST
            for _ in range(2):
                line = self._file.readline(LONGEST_HEADER)
                self._hash.update(line)
                self._left -= len(line)
            yield

    def take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            packed = self._file.read(min(BLOCK, max(self._left, 0)))
            if not packed:
                raise _damaged(self._path, "it ends too early")
            self._left -= len(packed)
            self._hash.update(packed)
            try:
                self._buffer += self._unpacker.decompress(packed)
            except zlib.error:
                raise _damaged(self._path, "it cannot be unpacked") from None
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def end(self) -> None:
        while packed := self._file.read(min(BLOCK, max(self._left, 0))):
            self._left -= len(packed)
            self._hash.update(packed)
        if self._file.read() != self._hash.digest():
            raise _damaged(self._path, "its checksum is wrong")
