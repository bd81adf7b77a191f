"""What crosses an in-memory call, and the status that ends it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import grpc

Pairs = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True, slots=True)
class Open:
    """The call starts."""


@dataclass(frozen=True, slots=True)
class Message:
    """A serialized message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HalfClose:
    """The client will write no more."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The client has given the call up."""


@dataclass(frozen=True, slots=True)
class InitialMetadata:
    """What the server sends before its first message; it tells the client that it is connected."""

    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Trailers:
    """How the call ended."""

    code: grpc.StatusCode
    details: str = ""
    pairs: Pairs = ()


ToServer = Open | Message | HalfClose | Cancelled
ToClient = InitialMetadata | Message | Trailers


def as_pairs(metadata: Any) -> Pairs:
    """Metadata in any of grpc's forms as pairs."""
    items: Iterable[Any] = metadata or ()
    return tuple((str(key), value) for key, value in items)


def serialize(serializer: Any, message: Any) -> bytes:
    """The bytes of a message; without a serializer it is bytes already, as in grpc."""
    return bytes(message if serializer is None else serializer(message))


def deserialize(deserializer: Any, data: bytes) -> Any:
    """The message in the bytes; without a deserializer the bytes."""
    return data if deserializer is None else deserializer(data)
