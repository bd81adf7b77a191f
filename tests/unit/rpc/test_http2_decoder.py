"""Header blocks of strangers: what hpack writes is read, with any table; what is no block is refused."""

import pytest
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError, OversizedHeaderListError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from kybern.rpc.http2.blocks import NO_TABLE, field_block, status_block
from kybern.rpc.http2.decoder import Field, TableDecoder
from kybern.rpc.http2.huffman import LONGEST, unpack

NAMES = st.one_of(st.sampled_from([b":path", b"accept", b"authorization", b"x"]), st.binary(min_size=1, max_size=20))
FIELDS = st.lists(st.tuples(NAMES, st.one_of(st.sampled_from([b"GET", b"/", b"y" * 3000]), st.binary(max_size=60))))
LIMIT = 1 << 20


def decoder(limit: int = LIMIT) -> TableDecoder[list[Field]]:
    return TableDecoder(lambda fields, size: fields, limit)


@given(lists=st.lists(st.tuples(FIELDS, st.booleans(), st.sampled_from([None, 0, 100, 4096])), max_size=8))
def test_what_is_written_is_read(lists: list[tuple[list[Field], bool, int | None]]) -> None:
    encoder, ours = Encoder(), decoder()
    for fields, huffman, size in lists:
        if size is not None:
            encoder.header_table_size = size
        for _ in range(2):
            assert ours.decode(encoder.encode(fields, huffman=huffman)) == fields


@given(data=st.binary(max_size=200))
def test_whatever_comes_is_read_as_hpack_reads_it_or_refused(data: bytes) -> None:
    try:
        found = decoder().decode(data)
    except HPACKError:
        return
    theirs = Decoder()
    theirs.max_allowed_table_size = 4096
    assert [(bytes(name), bytes(value)) for name, value in theirs.decode(data, raw=True)] == found


def test_a_block_is_made_something_of_once_while_its_table_is_the_same() -> None:
    made: list[list[Field]] = []
    ours: TableDecoder[int] = TableDecoder(lambda fields, size: made.append(fields) or len(made), LIMIT)
    encoder = Encoder()
    first = encoder.encode([(b":path", b"/a"), (b"x", b"1")])
    again = encoder.encode([(b":path", b"/a"), (b"x", b"1")])
    assert [ours.decode(block) for block in (first, again, again)] == [1, 2, 2]
    ours.decode(encoder.encode([(b":path", b"/b"), (b"x", b"1")]))
    assert ours.decode(again) == 4
    assert made[3] == [(b"x", b"1"), (b":path", b"/b")]  # what the same numbers stand for now


def test_the_size_of_a_list_is_told_and_limited() -> None:
    sizes: list[int] = []
    ours: TableDecoder[None] = TableDecoder(lambda fields, size: sizes.append(size), 100)
    ours.decode(Encoder().encode([(b"abc", b"defg")]))
    assert sizes == [39]
    with pytest.raises(OversizedHeaderListError):
        ours.decode(Encoder().encode([(b"abc", b"d" * 66)]))


@pytest.mark.parametrize("length", [0, 1, 50, LONGEST + 1])
def test_huffman(length: int) -> None:
    text = (b"Bearer \x00\xffeyJhbGciOiJSUzI1NiIsImtpZCI6Ik" * 200)[:length]
    assert unpack(HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(text)) == text


@given(fields=FIELDS, status=st.integers(100, 599))
def test_blocks_without_a_table(fields: list[Field], status: int) -> None:
    found = Decoder().decode(NO_TABLE + status_block(status) + field_block(fields), raw=True)
    shown = [(bytes(name), bytes(value)) for name, value in found]
    assert shown == [(b":status", b"%d" % status), *((name.lower(), value) for name, value in fields)]
