"""What a kube-apiserver wrote into etcd."""

import orjson
import pytest

from kybern.apiserver.storage.foreign import BUDGETS, DEFINITIONS, ForeignStore, translated
from kybern.kube.protobuf.codec import encode
from kybern.store.contract import KeyValue, Put
from kybern.store.sqlite import SqliteStore

MAP = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"k": "v"}}
KEY = "/registry/configmaps/default/a"
OLD = {"apiVersion": "apiextensions.k8s.io/v1beta1", "spec": {"version": "v1", "names": {"plural": "x", "kind": "X"}}}


def stored(key: str, value: bytes) -> KeyValue:
    return KeyValue(key, value, 1, 1, 1)


@pytest.mark.parametrize("value", [encode(MAP), orjson.dumps(MAP)], ids=["protobuf", "json"])
def test_objects(value: bytes) -> None:
    found = orjson.loads(translated(stored(KEY, value)).value)
    assert (found["kind"], found["metadata"]["name"], found["data"]) == ("ConfigMap", "a", {"k": "v"})


def test_old_definitions() -> None:
    found = orjson.loads(translated(stored(f"{DEFINITIONS}x.example.com", orjson.dumps(OLD))).value)
    assert found["spec"]["versions"] == [{"name": "v1", "served": True, "storage": True}]
    value = orjson.dumps(OLD)
    assert translated(stored(KEY, value)).value is value


def test_old_budgets() -> None:
    old = {"kind": "PodDisruptionBudget", "apiVersion": "policy/v1beta1", "spec": {"selector": {}}}
    found = orjson.loads(translated(stored(f"{BUDGETS}default/a", encode(old))).value)
    assert found["apiVersion"] == "policy/v1"
    assert found["spec"]["selector"]["matchExpressions"][0]["operator"] == "Exists"


@pytest.mark.parametrize("value", [b"k8s\0\x0a\xff", b"k8s\0", b"k8s\0\x0a\x00"])
def test_what_cannot_be_read(value: bytes) -> None:
    found = translated(stored(KEY, value))
    assert found.value == b""
    assert found.unreadable.startswith("unable to decode: ")


async def test_every_way_out_of_the_store() -> None:
    inner = await SqliteStore.open(":memory:", threaded=False)
    store = ForeignStore(inner)
    await inner.txn([Put(KEY, encode(MAP))])
    kv, revision = await store.get(KEY)
    assert kv is not None
    assert kv.value.startswith(b"{")
    assert [kv.value for kv in (await store.range("/registry/")).items] == [kv.value]
    watch = store.watch("/registry/", start_revision=revision)
    batch = await anext(watch)
    assert [event.kv.value for event in batch.events] == [kv.value]
    await watch.aclose()
    result = await store.txn([Put(KEY, b"{}", expected=revision + 5)])
    assert [found and found.value for found in result.current] == [kv.value]
    await store.close()
