"""Which bytes are one request with a body, and what of them stands for all that are like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.gateway.http.http1.lines import LONGEST_POST as LONGEST
from kybern.gateway.http.http1.lines import split
from kybern.protos.api.v1.objects_pb2 import Call, CreateRequest, Resource, WriteOptions
from kybern.rpc.exchange.prepared import create_part

HEAD = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: %b\r\nUser-Agent: go\r\n\r\n"
KEY = b"POST /x HTTP/1.1\r\nHost: h\r\nUser-Agent: go"


def test_the_length_is_left_out() -> None:
    assert split(HEAD % b"2" + b"{}") == (KEY, b"{}")
    assert split(HEAD % b"11" + b'{"a":"b\\n"}') == (KEY, b'{"a":"b\\n"}')
    last = b"POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    assert split(last) == (b"POST /x HTTP/1.1", b"{}")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD[:30], id="a part of the head"),
        pytest.param(HEAD % b"3" + b"{}", id="a part of the body"),
        pytest.param(HEAD % b"2" + b"{}POST ", id="and some of the next"),
        pytest.param(HEAD % b"+2" + b"{}", id="no plain number"),
        pytest.param(HEAD % b"02" + b"{}", id="a zero before it"),
        pytest.param(HEAD % b"2 " + b"{}", id="a space after it"),
        pytest.param(b"POST /x HTTP/1.1\r\nHost: h\r\n\r\n", id="no length"),
        pytest.param(b"POST /x HTTP/1.1\r\nHost: h\r\n\r\nx\r\nContent-Length: 0\r\n\r\n", id="a length in the body"),
        pytest.param(HEAD % b"%d" % LONGEST + b"x" * LONGEST, id="too long"),
    ],
)
def test_what_has_to_be_parsed(data: bytes) -> None:
    assert split(data) is None


@given(name=st.text(max_size=20), data=st.binary(max_size=40_000), manager=st.text(max_size=20))
def test_a_call_put_together_says_what_a_built_one_says(name: str, data: bytes, manager: str) -> None:
    asked = CreateRequest(resource=Resource(resource=name), options=WriteOptions(field_manager=manager))
    call = Call.FromString(create_part(asked.SerializeToString(), data))
    asked.object = data
    assert call == Call(create=asked)
