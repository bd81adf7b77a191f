"""Header blocks that refer to nothing sent before: what they say depends on no table, so pieces of them can be kept."""

from collections.abc import Iterable
from functools import lru_cache

from hpack.table import HeaderTable

NAMES = {name: index for index, (name, _) in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))}
WHOLE = {field: index for index, field in enumerate(HeaderTable.STATIC_TABLE, 1) if field[1]}
NO_TABLE = b"\x20"  # at the begin of a block: this end keeps no table


@lru_cache(maxsize=1024)
def name_of(name: bytes) -> bytes:
    """A field's begin, before its value; names become lower case."""
    name = name.lower()
    index = NAMES.get(name)
    return number(index, 4) if index else b"\x00" + number(len(name), 7) + name


def number(value: int, bits: int) -> bytes:
    """A number whose first byte has room for `bits`."""
    mask = (1 << bits) - 1
    if value < mask:
        return bytes((value,))
    found, value = bytearray((mask,)), value - mask
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def field_block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Fields as literals."""
    parts: list[bytes] = []
    for name, value in fields:
        parts += (name_of(name), number(len(value), 7), value)
    return b"".join(parts)


@lru_cache(maxsize=256)
def status_block(status: int) -> bytes:
    """The pseudo header field of an answer."""
    text = b"%d" % status
    index = WHOLE.get((b":status", text))
    return bytes((0x80 | index,)) if index else name_of(b":status") + b"\x03" + text
