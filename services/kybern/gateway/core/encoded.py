"""Protobuf forms of objects, made once for everybody who asks: watchers of one resource are sent the same events."""

from __future__ import annotations

import orjson

from kybern.gateway.core.views import partial
from kybern.kube import protobuf

LIMIT = 2 << 20  # bytes of one generation, JSON and protobuf together


class Encoded:
    """Remembers the forms asked for lately: two generations, of which the older is dropped when the younger is full."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._young: dict[tuple[str, bytes], bytes] = {}
        self._old: dict[tuple[str, bytes], bytes] = {}
        self._size = 0

    def body(self, obj: bytes, metadata_of: str = "") -> bytes:
        """An object's protobuf body, or that of its PartialObjectMetadata in a version. Raises ProtobufError."""
        key = (metadata_of, obj)
        found = self._young.get(key)
        if found is not None:
            return found
        found = self._old.get(key) or to_protobuf(obj, metadata_of)
        self._size += len(obj) + len(found)
        if self._size > self._limit:
            self._old, self._young, self._size = self._young, {}, len(obj) + len(found)
        self._young[key] = found
        return found


def to_protobuf(obj: bytes, metadata_of: str = "") -> bytes:
    """A JSON object as a protobuf body. Raises ProtobufError."""
    decoded = orjson.loads(obj)
    return protobuf.encode(partial(decoded, metadata_of) if metadata_of else decoded)
