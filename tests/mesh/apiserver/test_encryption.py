"""Encryption at rest behind a real apiserver: what is on disk, rotation, and objects that cannot be read."""

import asyncio
from argparse import Namespace
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from kybern.apiserver.storage import opening
from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, SECRETS
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.store.contract import Put
from kybern.store.encryption import EncryptedStore, read_config
from kybern.store.sqlite import SqliteStore

KEY = "/registry/secrets/default/a"


def config(*keys: str, resource: str = "secrets", identity: bool = True, kind: str = "aesgcm") -> str:
    """Keys are letters; the first writes."""
    from base64 import b64encode

    named = [{"name": f"key-{key}", "secret": b64encode(key.encode() * 32).decode()} for key in keys]
    providers: list[Any] = [{kind: {"keys": named}}] if named else []
    providers += [{"identity": {}}] if identity else []
    entry = {"resources": [resource], "providers": providers}
    whole = {"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", "resources": [entry]}
    return orjson.dumps(whole).decode()


def secret(name: str, value: str = "aGlkZGVu") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": {"password": value}}


@asynccontextmanager
async def encrypted(running: Any, path: Path, text: str) -> Any:
    """An apiserver whose store is encrypted; yields (cluster, client, store)."""
    store = EncryptedStore(await SqliteStore.open(path, threaded=False), read_config(text), opening.classifier())
    async with running(store=store) as cluster, cluster.client() as client:
        yield cluster, client, store


async def raw(store: EncryptedStore, key: str = KEY) -> bytes:
    kv, _ = await store.inner.get(key)
    assert kv is not None
    return kv.value


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


async def test_what_is_on_disk_cannot_be_read_and_what_is_read_is_the_same(running: Any, tmp_path: Path) -> None:
    async with encrypted(running, tmp_path / "s.db", config("a")) as (_, client, store):
        made = await client.create(SECRETS, secret("a"))
        await client.create(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "default"}, "data": {"k": "plain"}})
        stored = await raw(store)
        assert stored.startswith(b"k8s:enc:aesgcm:v1:key-a:")
        assert b"aGlkZGVu" not in stored
        assert b"plain" in await raw(store, "/registry/configmaps/default/c")
        assert await client.get(SECRETS, "a", "default") == made
        changed = await client.patch(SECRETS, "a", "default", patch={"data": {"more": "eA=="}})
    async with encrypted(running, tmp_path / "s.db", config("a")) as (_, client, _):
        assert await client.get(SECRETS, "a", "default") == changed
        version = made["metadata"]["resourceVersion"]
        page = await client.list(SECRETS, "default", resource_version=version, resource_version_match="Exact")
        assert page.items == [made]  # history is read as well
        await client.delete(SECRETS, "a", "default")


async def test_rotation_writes_anew_what_is_put_unchanged(running: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with encrypted(running, path, config(identity=True)) as (_, client, store):
        made = await client.create(SECRETS, secret("a"))
        assert b"aGlkZGVu" in await raw(store)
        store.configure(read_config(config("a")))
        changed = await client.update(SECRETS, made)
        assert changed["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
        assert (await raw(store)).startswith(b"k8s:enc:aesgcm:v1:key-a:")
        assert await client.update(SECRETS, changed) == changed  # nothing to do: no write
        store.configure(read_config(config("b", "a")))
        again = await client.update(SECRETS, changed)
        assert (await raw(store)).startswith(b"k8s:enc:aesgcm:v1:key-b:")
    async with encrypted(running, path, config("b", identity=False)) as (_, client, _):
        assert await client.get(SECRETS, "a", "default") == again


async def test_a_wrong_key_leaves_everything_else_alone(running: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with encrypted(running, path, config("a")) as (_, client, _):
        await client.create(SECRETS, secret("a"))
    async with encrypted(running, path, config("b")) as (cluster, client, store):
        error = await refused(client.get(SECRETS, "a", "default"))
        assert (error.code, error.reason) == (500, "InternalError")
        assert "StorageError: corrupt object" in error.message
        assert "data from the storage is not transformable revision=0: no matching key was found" in error.message
        error = await refused(client.list(SECRETS, "default"))
        assert (error.code, error.reason) == (500, "StorageReadError")
        assert "failed to read one or more secrets from the storage" in error.message
        assert [cause["field"] for cause in error.details["causes"]] == [KEY]
        assert (await refused(client.list(SECRETS))).reason == "StorageReadError"
        assert (await client.list(SECRETS, "kube-system")).items == []
        assert (await refused(client.create(SECRETS, secret("a")))).reason == "AlreadyExists"
        assert (await refused(client.update(SECRETS, secret("a")))).code == 500
        assert (await refused(client.delete(SECRETS, "a", "default"))).code == 500
        other = await client.create(SECRETS, secret("b"))
        assert await client.get(SECRETS, "b", "default") == other
        store.configure(read_config(config("b", "a")))
        await cluster.server.feed.read_again()
        assert [item["metadata"]["name"] for item in (await client.list(SECRETS, "default")).items] == ["a", "b"]


async def test_a_broken_object_can_be_deleted_by_who_may(running: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with encrypted(running, path, config("a")) as (_, client, store):
        await client.create(SECRETS, secret("a"))
        await client.create(SECRETS, secret("b"))
        await store.inner.txn([Put(KEY, b"k8s:enc:aesgcm:v1:key-a:" + b"broken" * 10)])
    async with encrypted(running, path, config("a")) as (cluster, client, store):
        error = await refused(client.get(SECRETS, "a", "default"))
        assert "cipher: message authentication failed" in error.message
        options = {"ignoreStoreReadErrorWithClusterBreakingPotential": True}
        async with cluster.client("somebody", "nobodies") as stranger:
            assert (await refused(delete(stranger, "a", options))).code == 403
        await delete(client, "a", options)
        assert (await refused(client.get(SECRETS, "a", "default"))).code == 404
        assert [item["metadata"]["name"] for item in (await client.list(SECRETS, "default")).items] == ["b"]
        assert (await store.inner.get(KEY))[0] is None


async def delete(client: Client, name: str, options: dict[str, Any]) -> None:
    """DELETE with options that the client has no words for."""
    wanted = pb.Resource(version="v1", resource="secrets", namespace="default")
    await client.calls.call(
        "delete", pb.DeleteRequest(resource=wanted, name=name, options=orjson.dumps(options)), "", 5.0
    )


async def test_a_watch_ends_when_an_object_becomes_unreadable(running: Any, tmp_path: Path) -> None:
    async with encrypted(running, tmp_path / "s.db", config("a")) as (_, client, store):
        made = await client.create(SECRETS, secret("a"))
        watch = client.watch(SECRETS, "default", resource_version=made["metadata"]["resourceVersion"])
        waiting = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0.05)
        await store.inner.txn([Put(KEY, b"damage")])
        ended = False
        async with asyncio.timeout(5):
            while not ended:
                try:
                    await waiting
                    waiting = asyncio.ensure_future(anext(watch))
                except (StatusError, StopAsyncIteration):
                    ended = True
        await watch.aclose()
        assert "unable to decode" in (await refused(client.get(SECRETS, "a", "default"))).message


async def test_the_file_is_followed(running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LOOK", 0.02)
    file = tmp_path / "encryption.yaml"
    file.write_text(config("a"))
    options = Namespace(encryption_provider_config=str(file), encryption_provider_config_automatic_reload="true")
    async with (
        encrypted(running, tmp_path / "s.db", config("a")) as (cluster, client, store),
        opening.following(options, store, cluster.telemetry) as follow,
    ):
        follow(cluster.server.feed)
        file.write_text("kind: Nonsense")
        await asyncio.sleep(0.1)
        await client.create(SECRETS, secret("a"))
        assert (await raw(store)).startswith(b"k8s:enc:aesgcm:v1:key-a:")
        file.write_text(config("b", "a"))
        async with asyncio.timeout(5):
            while not (await raw(store)).startswith(b"k8s:enc:aesgcm:v1:key-b:"):
                await asyncio.sleep(0.05)
                await client.update(SECRETS, await client.get(SECRETS, "a", "default"))


async def test_wildcards_and_custom_resources(running: Any, tmp_path: Path) -> None:
    async with encrypted(running, tmp_path / "s.db", config("a", resource="*.*")) as (_, client, store):
        await client.create(CONFIG_MAPS, {"metadata": {"name": "c", "namespace": "default"}, "data": {}})
        for key in (
            "/registry/configmaps/default/c",
            "/registry/namespaces/default",
            "/registry/services/specs/default/kubernetes",
        ):
            assert (await raw(store, key)).startswith(b"k8s:enc:aesgcm:v1:key-a:"), key
