"""SPDY/3.1 frames: what one session writes the other reads, in any cut of the bytes; and bytes that are not SPDY."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.spdy import session as spdy
from kybern.spdy.dictionary import DICTIONARY
from kybern.spdy.session import Data, GoneAway, Opened, Pinged, Reset, Session, SpdyError

# A SYN_STREAM as moby/spdystream writes it: stream 1, headers streamtype=error, port=80, requestid=0.
HEADERS = {"streamtype": "error", "port": "80", "requestid": "0"}


def test_the_dictionary_is_the_protocols() -> None:
    assert len(DICTIONARY) == 1423
    assert hashlib.sha256(DICTIONARY).hexdigest() == "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02"


def test_frames_on_the_wire() -> None:
    session = Session()
    assert session.data(3, b"hi", finished=True) == b"\x00\x00\x00\x03\x01\x00\x00\x02hi"
    assert session.ping(7) == b"\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x07"
    assert session.reset(5) == b"\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x05\x00\x00\x00\x03"


def test_every_frame_is_read_back() -> None:
    client, server = Session(), Session()
    sent = b"".join(
        (
            client.open(1, HEADERS, finished=True),
            client.open(3, {"streamtype": "data"}),
            client.data(3, b"x" * 70_000),
            client.data(3, b"", finished=True),
            client.ping(1),
            client.reset(3),
            client.goaway(),
        )
    )
    assert list(server.receive(sent)) == [
        Opened(1, HEADERS, True),
        Opened(3, {"streamtype": "data"}, False),
        Data(3, b"x" * 70_000, False),
        Data(3, b"", True),
        Pinged(1),
        Reset(3),
        GoneAway(),
    ]


events = st.lists(
    st.one_of(
        st.builds(
            lambda stream, data, fin: ("data", stream, data, fin),
            st.integers(1, 9),
            st.binary(max_size=40),
            st.booleans(),
        ),
        st.builds(
            lambda stream, headers: ("open", stream, headers),
            st.integers(1, 9),
            st.dictionaries(st.sampled_from(["port", "x"]), st.text("ab0", max_size=9)),
        ),
    ),
    max_size=6,
)


@given(events, st.lists(st.integers(1, 30), min_size=1))
def test_any_cut_of_the_bytes_gives_the_same_events(found, cuts: list[int]) -> None:
    client, server, sent, wanted = Session(), Session(), b"", []
    for event in found:
        if event[0] == "data":
            sent += client.data(event[1], event[2], finished=event[3])
            wanted.append(Data(*event[1:]))
        else:
            sent += client.open(event[1], event[2])
            wanted.append(Opened(event[1], event[2], False))
    got, at, turn = [], 0, 0
    while at < len(sent):
        size = cuts[turn % len(cuts)]
        got += server.receive(sent[at : at + size])
        at, turn = at + size, turn + 1
    assert got == wanted


def test_replies_keep_the_headers_readable() -> None:
    client, server = Session(), Session()
    assert list(client.receive(server.reply(1, {"a": "b"}) + server.reply(3, finished=True))) == [Data(3, b"", True)]
    assert list(server.receive(client.open(5, HEADERS))) == [Opened(5, HEADERS, False)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x07",
        b"\x80\x03\x00\x06\x00\x00\x00\x01\x00",
        b"\x80\x03\x00\x01\x00\x00\x00\x0f\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00trash",
    ],
    ids=["version 2", "short ping", "headers that are no zlib"],
)
def test_not_spdy(data: bytes) -> None:
    with pytest.raises(SpdyError):
        list(Session().receive(data))


def test_unknown_control_frames_are_passed_over() -> None:
    session = Session()
    settings = b"\x80\x03\x00\x04\x00\x00\x00\x04\x00\x00\x00\x00"
    assert list(session.receive(settings + session.ping(3))) == [Pinged(3)]
    assert spdy.SETTINGS == 4
