"""Huffman's code of header strings (RFC 7541, section 5.2): a byte at a time, in steps that are worked out when met.

hpack's table has steps of four bits; two of them are one step here, 65,536 at most.
"""

from functools import lru_cache

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import HUFFMAN_COMPLETE, HUFFMAN_EMIT_SYMBOL, HUFFMAN_FAIL, HUFFMAN_TABLE

LONGEST = 4096  # bytes worth remembering
Step = tuple[int, bytes, bool]  # the following state (its bits moved to make room for a byte), symbols, may end here


class Steps(dict[int, Step]):
    """By state and byte."""

    def __missing__(self, key: int) -> Step:
        state, byte = key >> 8, key & 0xFF
        symbols, flags = bytearray(), 0
        for nibble in (byte >> 4, byte & 0xF):
            state, flags, symbol = HUFFMAN_TABLE[(state << 4) + nibble]
            if flags & HUFFMAN_FAIL:
                raise HPACKDecodingError("no such symbol")
            if flags & HUFFMAN_EMIT_SYMBOL:
                symbols.append(symbol)
        found = self[key] = (state << 8, bytes(symbols), bool(flags & HUFFMAN_COMPLETE))
        return found


STEPS = Steps()


def unpack(data: bytes) -> bytes:
    """What the code stands for; it is remembered of what is not very long, as tokens. Raises HPACKDecodingError."""
    return _remembered(data) if len(data) <= LONGEST else _unpack(data)


def _unpack(data: bytes) -> bytes:
    state, complete, parts = 0, True, []
    for byte in data:
        state, symbols, complete = STEPS[state | byte]
        parts.append(symbols)
    if not complete:
        raise HPACKDecodingError("a code without an end")
    return b"".join(parts)


_remembered = lru_cache(maxsize=512)(_unpack)
