"""Every implementation of the Store contract, fresh for each test."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kybern.store.contract import Delete, Store
from kybern.store.encryption.config import EncryptionConfig, Key, ProviderConfig, ResourceConfig
from kybern.store.encryption.store import EncryptedStore
from kybern.store.errors import StoreUnavailable
from kybern.store.etcd import EtcdStore
from kybern.store.prefixed import PrefixedStore
from kybern.store.sqlite import SqliteStore
from kybern.testing.etcd import Etcd, binary, clusters, new_member

IMPLEMENTATIONS = [
    "sqlite-threaded",
    "sqlite-inline",
    "sqlite-memory",
    "sqlite-encrypted",
    "etcd",
    "etcd-3.6",
    "etcd-encrypted",
    "etcd-prefixed",
]
EVERYTHING = EncryptionConfig(
    (ResourceConfig(("*.*",), (ProviderConfig("aesgcm", (Key("key1", b"k" * 32),)), ProviderConfig("identity"))),)
)


@contextmanager
def single(directory: Path, newer: bool) -> Iterator[Etcd]:
    """A cluster of one member for all tests that only need some etcd."""
    program = binary(newer)
    if not program:
        pytest.skip("needs tools/etcd.sh" if newer else "needs etcd (apt-get install etcd-server)")
    member = new_member(directory, "shared", program=program)
    member.start()
    try:
        yield member
    finally:
        member.kill()


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """Debian's."""
    with single(tmp_path_factory.mktemp("etcd"), newer=False) as member:
        yield member


@pytest.fixture(scope="session")
def newer_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """The one that tools/etcd.sh built."""
    with single(tmp_path_factory.mktemp("etcd"), newer=True) as member:
        yield member


@pytest.fixture
def make_etcd(tmp_path: Path) -> Iterator[Callable[..., list[Etcd]]]:
    """Starts a cluster of `count` members with flags of their own; kills it after the test."""
    if not binary():
        pytest.skip("needs etcd (apt-get install etcd-server)")
    with clusters(tmp_path) as make:
        yield make


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
            opened = await open_etcd(request.getfixturevalue("newer_etcd" if request.param == "etcd-3.6" else "etcd"))
            for kv in (await opened.range("")).items:
                await opened.txn([Delete(kv.key)])
            if request.param == "etcd-encrypted":
                opened = EncryptedStore(opened, EVERYTHING, lambda key: ("", "all"))
            elif request.param == "etcd-prefixed":
                opened = PrefixedStore(opened, "/other", of="")
    yield opened
    await opened.close()
