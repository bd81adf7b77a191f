"""Every implementation of the Store contract, fresh for each test."""

import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from kybern.store.contract import Delete, Store
from kybern.store.encryption.config import EncryptionConfig, Key, ProviderConfig, ResourceConfig
from kybern.store.encryption.store import EncryptedStore
from kybern.store.errors import StoreUnavailable
from kybern.store.etcd import EtcdStore
from kybern.store.sqlite import SqliteStore

IMPLEMENTATIONS = ["sqlite-threaded", "sqlite-inline", "sqlite-memory", "sqlite-encrypted", "etcd", "etcd-encrypted"]
EVERYTHING = EncryptionConfig(
    (ResourceConfig(("*.*",), (ProviderConfig("aesgcm", (Key("key1", b"k" * 32),)), ProviderConfig("identity"))),)
)


def free_port() -> int:
    """A port nobody listens on just now."""
    with closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class Etcd:
    """One real etcd process."""

    name: str
    directory: Path
    client: str
    peer: str
    flags: Sequence[str] = ()
    tls: bool = False
    process: subprocess.Popen[bytes] | None = None

    def start(self, cluster: str = "") -> None:
        """Start, or start again on the same data and ports."""
        scheme = "https" if self.tls else "http"
        command = ["etcd", f"--name={self.name}", f"--data-dir={self.directory}", "--unsafe-no-fsync"]
        command += [f"--listen-client-urls={scheme}://{self.client}", "--logger=zap", "--log-level=error"]
        command += [f"--advertise-client-urls={scheme}://{self.client}", f"--listen-peer-urls=http://{self.peer}"]
        command += [f"--initial-advertise-peer-urls=http://{self.peer}", *self.flags]
        command += [f"--initial-cluster={cluster or f'{self.name}=http://{self.peer}'}"]
        with self.directory.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def new_etcd(directory: Path, name: str, flags: Sequence[str] = (), tls: bool = False) -> Etcd:
    """A member that is not started yet."""
    if shutil.which("etcd") is None:
        pytest.skip("needs etcd (apt-get install etcd-server)")
    return Etcd(name, directory / name, f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}", flags, tls)


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """A cluster of one member for all tests that only need some etcd."""
    member = new_etcd(tmp_path_factory.mktemp("etcd"), "shared")
    member.start()
    try:
        yield member
    finally:
        member.kill()


@pytest.fixture
def make_etcd(tmp_path: Path) -> Iterator[Callable[..., list[Etcd]]]:
    """Starts a cluster of `count` members with flags of their own; kills it after the test."""
    members: list[Etcd] = []

    def make(count: int = 1, flags: Sequence[str] = (), tls: bool = False) -> list[Etcd]:
        members.extend(new_etcd(tmp_path, f"m{i}", flags, tls) for i in range(count))
        for member in members:
            member.start(",".join(f"{other.name}=http://{other.peer}" for other in members))
        return members

    try:
        yield make
    finally:
        for member in members:
            member.kill()


async def open_etcd(member: Etcd) -> EtcdStore:
    """A client, as soon as the member answers."""
    for _ in range(3):
        with suppress(StoreUnavailable):
            return await EtcdStore.open([member.client])
    return await EtcdStore.open([member.client])


@pytest.fixture(params=IMPLEMENTATIONS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    opened: Store
    match request.param:
        case "sqlite-threaded":
            opened = await SqliteStore.open(tmp_path / "store.db")
        case "sqlite-inline":
            opened = await SqliteStore.open(tmp_path / "store.db", threaded=False, cache_bytes=0)
        case "sqlite-memory":
            opened = await SqliteStore.open(":memory:", threaded=False)
        case "sqlite-encrypted":
            opened = EncryptedStore(await SqliteStore.open(tmp_path / "store.db"), EVERYTHING, lambda key: ("", "all"))
        case _:
            opened = await open_etcd(request.getfixturevalue("etcd"))
            for kv in (await opened.range("")).items:
                await opened.txn([Delete(kv.key)])
            if request.param == "etcd-encrypted":
                opened = EncryptedStore(opened, EVERYTHING, lambda key: ("", "all"))
    yield opened
    await opened.close()
