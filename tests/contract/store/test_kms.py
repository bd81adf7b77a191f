"""KMS v2 with a real plugin: a gRPC server on a unix socket that may rotate its key, fall ill, and go away."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kybern.protos.kms.v2 import api_pb2 as pb
from kybern.protos.kms.v2.api_pb2_grpc import add_KeyManagementServiceServicer_to_server
from kybern.protos.kms.v2.encrypted_object_pb2 import HKDF_SHA256_XNONCE_AES_GCM_SEED, EncryptedObject
from kybern.store.contract import Put
from kybern.store.encryption import EncryptedStore, kms
from kybern.store.encryption.config import EncryptionConfig, ProviderConfig, ResourceConfig
from kybern.store.errors import StoreUnavailable
from kybern.store.sqlite import SqliteStore

KEY = "/registry/secrets/default/a"
PREFIX = b"k8s:enc:kms:v2:vault:"


class Plugin:
    """Wraps seeds with AES-GCM under its present key."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.keys = {"key-1": os.urandom(32)}
        self.key_id, self.health = "key-1", "ok"
        self.calls: list[str] = []
        self.server: grpc.aio.Server | None = None

    async def Status(self, request: Any, context: Any) -> pb.StatusResponse:
        self.calls.append("Status")
        return pb.StatusResponse(version="v2", healthz=self.health, key_id=self.key_id)

    async def Encrypt(self, request: Any, context: Any) -> pb.EncryptResponse:
        self.calls.append("Encrypt")
        nonce = os.urandom(12)
        wrapped = nonce + AESGCM(self.keys[self.key_id]).encrypt(nonce, request.plaintext, None)
        return pb.EncryptResponse(ciphertext=wrapped, key_id=self.key_id, annotations={"made.by": b"test"})

    async def Decrypt(self, request: Any, context: Any) -> pb.DecryptResponse:
        self.calls.append("Decrypt")
        assert request.annotations == {"made.by": b"test"}
        try:
            plain = AESGCM(self.keys[request.key_id]).decrypt(request.ciphertext[:12], request.ciphertext[12:], None)
        except (InvalidTag, KeyError):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no such key")
            raise AssertionError from None
        return pb.DecryptResponse(plaintext=plain)

    async def start(self) -> None:
        self.server = grpc.aio.server()
        add_KeyManagementServiceServicer_to_server(self, self.server)
        self.server.add_insecure_port(f"unix:{self.socket}")
        await self.server.start()

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop(None)
            self.server = None


@pytest.fixture
async def plugin(tmp_path: Path) -> AsyncIterator[Plugin]:
    made = Plugin(tmp_path / "kms.sock")
    await made.start()
    yield made
    await made.stop()


async def open_store(plugin: Plugin, path: Path) -> EncryptedStore:
    provider = ProviderConfig("kms", name="vault", endpoint=f"unix://{plugin.socket}", timeout=1.0)
    config = EncryptionConfig((ResourceConfig(("secrets",), (provider, ProviderConfig("identity"))),))
    return EncryptedStore(await SqliteStore.open(path / "s.db", threaded=False), config, lambda key: ("", "secrets"))


async def value(store: EncryptedStore, key: str = KEY) -> bytes | str:
    kv, _ = await store.get(key)
    assert kv is not None
    return kv.unreadable or kv.value


async def test_one_seed_for_all_values_and_one_call_to_read_them(plugin: Plugin, tmp_path: Path) -> None:
    store = await open_store(plugin, tmp_path)
    for n in range(20):
        assert (await store.txn([Put(f"{KEY}{n}", b"hidden %d" % n)])).succeeded
    assert plugin.calls == ["Status", "Encrypt"]
    kv, _ = await store.inner.get(f"{KEY}0")
    assert kv is not None
    assert kv.value.startswith(PREFIX)
    stored = EncryptedObject.FromString(kv.value.removeprefix(PREFIX))
    assert (stored.keyID, stored.encryptedDEKSourceType) == ("key-1", HKDF_SHA256_XNONCE_AES_GCM_SEED)
    assert b"hidden" not in kv.value
    await store.close()
    plugin.calls.clear()
    store = await open_store(plugin, tmp_path)
    found = await store.range(KEY)
    assert sorted(kv.value for kv in found.items) == sorted(b"hidden %d" % n for n in range(20))
    assert plugin.calls == ["Decrypt"]
    await store.close()


async def test_rotation(plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await open_store(plugin, tmp_path)
    await store.txn([Put(KEY, b"x")])
    assert not await store.outdated(KEY)
    plugin.keys["key-2"], plugin.key_id = os.urandom(32), "key-2"
    monkeypatch.setattr(kms, "ASK_AGAIN", 0.0)
    assert await store.outdated(KEY)
    assert await value(store) == b"x"
    await store.txn([Put(KEY, b"x")])
    assert not await store.outdated(KEY)
    kv, _ = await store.inner.get(KEY)
    assert kv is not None
    assert EncryptedObject.FromString(kv.value.removeprefix(PREFIX)).keyID == "key-2"
    await store.close()


async def test_while_the_plugin_is_away(plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await open_store(plugin, tmp_path)
    await store.txn([Put(KEY, b"x")])
    await plugin.stop()
    monkeypatch.setattr(kms, "ASK_AGAIN", 0.0)
    assert await value(store) == b"x"
    assert (await store.txn([Put(KEY, b"y")])).succeeded  # for a while the last seed goes on
    monkeypatch.setattr(kms, "EXPIRES", 0.0)
    with pytest.raises(StoreUnavailable, match=r"kms plugin vault does not answer"):
        await store.txn([Put(KEY, b"z")])
    assert await value(store) == b"y"
    await store.close()
    store = await open_store(plugin, tmp_path)
    assert "failed to decrypt DEK" in str(await value(store))
    with pytest.raises(StoreUnavailable, match=r"kms plugin vault does not answer"):
        await store.txn([Put(KEY, b"z")])
    await plugin.start()
    async with asyncio.timeout(10):
        while await value(store) != b"y":
            await asyncio.sleep(0.1)
    await store.close()


async def test_an_ill_plugin_is_named(plugin: Plugin, tmp_path: Path) -> None:
    store = await open_store(plugin, tmp_path)
    plugin.health = "the vault is sealed"
    with pytest.raises(StoreUnavailable, match="kms plugin vault is not well: the vault is sealed"):
        await store.txn([Put(KEY, b"x")])
    assert (await store.get(KEY))[0] is None
    plugin.health = "ok"
    assert (await store.txn([Put(KEY, b"x")])).succeeded
    await store.close()


async def test_a_lost_key_spoils_its_values_alone(plugin: Plugin, tmp_path: Path) -> None:
    store = await open_store(plugin, tmp_path)
    await store.txn([Put(KEY, b"x")])
    await store.inner.txn([Put(KEY + "plain", b"in the clear")])
    await store.inner.txn([Put(KEY + "cut", PREFIX + b"\x0a\x05ab")])
    await store.close()
    plugin.keys = {"key-1": os.urandom(32)}
    store = await open_store(plugin, tmp_path)
    found = {kv.key: kv for kv in (await store.range(KEY)).items}
    assert "no such key" in found[KEY].unreadable
    assert found[KEY + "plain"].value == b"in the clear"
    assert "failed to unmarshal" in found[KEY + "cut"].unreadable
    watch = store.watch(KEY, start_revision=1)
    events = []
    async with asyncio.timeout(5):
        while len(events) < 3:
            events += (await anext(watch)).events
    assert [bool(event.kv.unreadable) for event in events] == [True, False, True]
    await watch.aclose()
    await store.close()
