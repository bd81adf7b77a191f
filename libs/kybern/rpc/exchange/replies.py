"""Replies whose bytes are put together instead of built: the response's own bytes are not copied through messages."""

from functools import lru_cache
from typing import Any

from kybern.kube.varint import varint
from kybern.protos.api.v1.objects_pb2 import Reply

_REPLY_TAG = b"\x0a"  # ExchangeResponse.replies
_OBJECT_TAG = b"\x0a"  # GetResponse.object
_fields: Any = Reply.DESCRIPTOR.oneofs_by_name["response"].fields
_TAGS = {field.name: varint(field.number << 3 | 2) for field in _fields}


def reply(call_id: int, field: str, response: bytes | None, *, flow: str = "", more: bool = False) -> bytes:
    """An ExchangeResponse with one reply; `response` is that field's message, serialized (None: the stream ends)."""
    head = b"\x08" + varint(call_id)
    if more:
        head += b"\x10\x01"
    if flow:
        head += _flow_part(flow)
    return whole(head, field, response)


def get_reply(call_id: int, data: bytes, flow: str = "") -> bytes:
    """An ExchangeResponse with one reply: the object that was got."""
    return reply(call_id, "get", b"".join((_OBJECT_TAG, varint(len(data)), data)), flow=flow)


def whole(head: bytes, field: str, response: bytes | None) -> bytes:
    """An ExchangeResponse with one reply, of the bytes of its first fields and those of its response."""
    if response is None:
        return b"".join((_REPLY_TAG, varint(len(head)), head))
    tag, size = _TAGS[field], varint(len(response))
    length = varint(len(head) + len(tag) + len(size) + len(response))
    return b"".join((_REPLY_TAG, length, head, tag, size, response))


@lru_cache(maxsize=4096)
def _flow_part(flow: str) -> bytes:
    data = flow.encode()
    return b"\x1a" + varint(len(data)) + data
