"""Protobuf forms are made once, and the memory of them is bounded."""

import orjson

from kybern.gateway.core.encoded import Encoded
from kybern.kube import protobuf


def stored(name: str, size: int = 1) -> bytes:
    metadata = {"name": name, "labels": {"a": "b"}}
    return orjson.dumps({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": {"k": "x" * size}})


def test_objects_and_their_metadata() -> None:
    encoded = Encoded()
    assert protobuf.decode(encoded.body(stored("a"))) == orjson.loads(stored("a"))
    metadata = protobuf.decode(encoded.body(stored("a"), "v1"))
    assert (metadata["kind"], metadata["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert (metadata["metadata"], "data" in metadata) == ({"name": "a", "labels": {"a": "b"}}, False)


def test_equal_objects_share_one_form() -> None:
    encoded = Encoded()
    assert encoded.body(bytes(stored("a"))) is encoded.body(bytes(stored("a")))


def test_what_is_used_stays_and_what_is_not_goes() -> None:
    encoded = Encoded(limit=10_000)
    kept, dropped = encoded.body(stored("kept")), encoded.body(stored("dropped"))
    for number in range(20):
        encoded.body(stored(f"other-{number}", 1000))
        assert encoded.body(stored("kept")) is kept
    assert encoded.body(stored("dropped")) is not dropped
    assert encoded.body(stored("dropped")) == dropped
