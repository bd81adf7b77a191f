"""Every implementation of the Store contract, fresh for each test."""

import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from kybern.store.contract import Delete, Store
from kybern.store.errors import StoreUnavailable
from kybern.store.etcd import EtcdStore
from kybern.store.sqlite import SqliteStore

IMPLEMENTATIONS = ["sqlite-threaded", "sqlite-inline", "sqlite-memory", "etcd"]


def free_port() -> int:
    """A port nobody listens on just now."""
    with closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class Etcd:
    """One real etcd process."""

    directory: Path
    client: str
    peer: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, or start again on the same data and port."""
        command = ["etcd", "--name=m", f"--data-dir={self.directory}", "--unsafe-no-fsync", "--logger=zap"]
        command += [f"--listen-client-urls=http://{self.client}", f"--advertise-client-urls=http://{self.client}"]
        command += [f"--listen-peer-urls=http://{self.peer}", f"--initial-advertise-peer-urls=http://{self.peer}"]
        command += [f"--initial-cluster=m=http://{self.peer}", "--log-level=error"]
        with (self.directory.parent / "etcd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """A single-member cluster."""
    if shutil.which("etcd") is None:
        pytest.skip("needs etcd (apt-get install etcd-server)")
    member = Etcd(tmp_path_factory.mktemp("etcd") / "data", f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
    member.start()
    try:
        yield member
    finally:
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
        case _:
            opened = await open_etcd(request.getfixturevalue("etcd"))
            for kv in (await opened.range("")).items:
                await opened.txn([Delete(kv.key)])
    yield opened
    await opened.close()
