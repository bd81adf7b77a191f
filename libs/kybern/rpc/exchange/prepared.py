"""Calls whose bytes are put together instead of built: for a gateway that sends the same few requests all day.

Protobuf merges a message's parts in any order, so a call is the join of its requester, its request and its id.
"""

from typing import Any

from kybern.kube.varint import varint
from kybern.protos.api.v1.objects_pb2 import Call, Requester
from kybern.rpc.exchange.methods import FIELD_BY_REQUEST

_CALL_TAG = b"\x0a"  # ExchangeRequest.calls
_ID_TAG = b"\x08"  # Call.id
_CREATE_TAG = b"\x62"  # Call.create
_OBJECT_TAG = b"\x1a"  # CreateRequest.object


def requester_part(requester: Requester, timeout: float) -> bytes:
    """On whose behalf, and for how many seconds: the part of a call that a connection repeats."""
    return Call(requester=requester, timeout_millis=int(timeout * 1000)).SerializeToString()


def request_part(request: Any) -> bytes:
    """What is asked: the part that a path repeats."""
    call = Call()
    getattr(call, FIELD_BY_REQUEST[type(request)]).CopyFrom(request)
    return call.SerializeToString()


def create_part(asked: bytes, data: bytes) -> bytes:
    """What is asked of a create: a serialized CreateRequest without its object, and the object."""
    size = varint(len(data))
    inner = varint(len(asked) + 1 + len(size) + len(data))
    return b"".join((_CREATE_TAG, inner, asked, _OBJECT_TAG, size, data))


def envelope(call_id: int, requester: bytes, request: bytes) -> bytes:
    """An ExchangeRequest with one call."""
    number = varint(call_id)
    size = 1 + len(number) + len(requester) + len(request)
    return b"".join((_CALL_TAG, varint(size), _ID_TAG, number, requester, request))
