"""Calls found by their bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.protos.api.v1.objects_pb2 import Call, ExchangeRequest, ExchangeResponse, GetRequest, Requester
from kybern.rpc.exchange.context import CallContext
from kybern.rpc.exchange.prepared import envelope, request_part, requester_part
from kybern.rpc.exchange.remembered import REMEMBERED, Remembered, calls
from kybern.rpc.exchange.replies import get_reply
from kybern.rpc.transport import Identity

CALLER = CallContext(Identity("gateway"))

ids = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(ids, st.text(max_size=300)), max_size=5))
def test_splits_as_protobuf_does(wanted: list[tuple[int, str]]) -> None:
    message = ExchangeRequest(calls=[Call(id=i, get=GetRequest(name=name)) for i, name in wanted])
    split = list(calls(message.SerializeToString()))
    assert [call_id for call_id, _, _ in split] == [call.id for call in message.calls]
    assert [Call.FromString(data) for _, _, data in split] == list(message.calls)
    assert [Call.FromString(rest).get for _, rest, _ in split] == [call.get for call in message.calls]


@given(ids.filter(bool), ids.filter(bool))
def test_the_rest_is_the_same_for_every_id(one: int, other: int) -> None:
    parts = requester_part(Requester(bearer_token="t" * 900), 60.0), request_part(GetRequest(name="a"))
    ((found, rest, _),) = calls(envelope(one, *parts))
    assert found == one
    assert [rest] == [again for _, again, _ in calls(envelope(other, *parts))]


@given(st.binary(max_size=60))
def test_anything_is_split_or_refused(message: bytes) -> None:
    try:
        parts = list(calls(message))
    except ValueError:
        return
    assert sum(len(data) for _, _, data in parts) <= len(message)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 3_000_000])
@pytest.mark.parametrize("call_id", [1, 300, 2**64 - 1])
def test_a_reply_is_what_protobuf_makes_of_it(call_id: int, size: int) -> None:
    (reply,) = ExchangeResponse.FromString(get_reply(call_id, b"x" * size)).replies
    assert (reply.id, reply.get.object, reply.more, reply.WhichOneof("response")) == (
        call_id,
        b"x" * size,
        False,
        "get",
    )


def test_forgets_rather_than_grows() -> None:
    remembered = Remembered()
    for number in range(REMEMBERED + 1):
        remembered.add(b"%d" % number, lambda: b"", CALLER)
    assert remembered.find(b"0") is None
    assert remembered.find(b"%d" % REMEMBERED) is not None
    remembered.add(b"x" * 100_000, lambda: b"", CALLER)
    assert remembered.find(b"x" * 100_000) is None


def test_a_reply_tells_the_flow() -> None:
    response = ExchangeResponse.FromString(get_reply(7, b"{}", "a-b c-d"))
    assert (response.replies[0].id, response.replies[0].flow, response.replies[0].get.object) == (7, "a-b c-d", b"{}")
