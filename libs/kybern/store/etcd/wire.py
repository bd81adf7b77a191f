"""Between the contract's values and etcd's messages."""

from collections.abc import Sequence
from typing import Any

from aetcd import rpc

from kybern.store.contract import Check, Delete, Event, EventKind, KeyValue, Put, Write

MOD, EQUAL = rpc.Compare.CompareTarget.Value("MOD"), rpc.Compare.CompareResult.Value("EQUAL")
DELETE = rpc.Event.EventType.Value("DELETE")
EVERYTHING = (b"\0", b"\0")


def key_value(kv: Any) -> KeyValue:
    """From mvccpb.KeyValue."""
    return KeyValue(kv.key.decode(), kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease)


def event(message: Any) -> Event:
    """From mvccpb.Event."""
    kind = EventKind.DELETE if message.type == DELETE else EventKind.PUT
    prev = key_value(message.prev_kv) if message.HasField("prev_kv") else None
    return Event(kind, key_value(message.kv), prev)


def interval(prefix: str, start_after: str = "") -> tuple[bytes, bytes]:
    """`key` and `range_end` of a range or watch."""
    begin = prefix.encode()
    end = range_end(begin)
    if start_after >= prefix and start_after:
        begin = start_after.encode() + b"\0"
    return (begin or EVERYTHING[0]), end


def range_end(prefix: bytes) -> bytes:
    """The first key after all keys with the prefix; a zero byte means no end."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else EVERYTHING[1]


def txn_request(writes: Sequence[Write]) -> Any:
    """Compare all; write all, or else read all. A key that must not be there has no version before."""
    request = rpc.TxnRequest()
    for write in writes:
        key, expected = write.key.encode(), write.expected
        if expected is not None:
            request.compare.add(key=key, target=MOD, result=EQUAL, mod_revision=expected)
        request.failure.add().request_range.key = key
        operation = request.success.add()
        match write:
            case Put():
                put = operation.request_put
                put.key, put.value, put.lease, put.prev_kv = key, write.value, write.lease, expected != 0
            case Delete():
                delete = operation.request_delete_range
                delete.key, delete.prev_kv = key, True
            case Check():
                operation.request_range.key = key
    return request


def previous(response: Any) -> KeyValue | None:
    """The key's version before (write) or at (read) one operation of a transaction."""
    match response.WhichOneof("response"):
        case "response_range":
            found = response.response_range.kvs
        case "response_delete_range":
            found = response.response_delete_range.prev_kvs
        case _:
            put = response.response_put
            found = [put.prev_kv] if put.HasField("prev_kv") else []
    return key_value(found[0]) if found else None
