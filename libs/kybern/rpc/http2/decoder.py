"""Header blocks of peers that compress by reference (RFC 7541), read with hpack's tables.

A block that refers to the same table means the same: what was made of it is kept until the table changes, so a client
that repeats itself costs a look-up. Blocks are decoded by strangers' leave: the size of the list is bounded, each field
counting 32 bytes more than it has, so that no short block becomes a long list.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from hpack.exceptions import HPACKDecodingError, InvalidTableIndexError, InvalidTableSizeError, OversizedHeaderListError
from hpack.table import HeaderTable

from kybern.rpc.http2.huffman import unpack

T = TypeVar("T")
Field = tuple[bytes, bytes]
STATIC: tuple[Field, ...] = HeaderTable.STATIC_TABLE
FIRST = len(STATIC) + 1  # index of the newest entry of the dynamic table
OVERHEAD = 32  # bytes that a field counts beyond its name and value
TABLE = 4096  # bytes of the dynamic table, as SETTINGS have it unless told otherwise
REMEMBERED = 256  # blocks
LONGEST_REMEMBERED = 16 << 10  # bytes of a list


class TableDecoder(Generic[T]):
    """`make` turns fields, and how large their list is, into what is wanted of them; `limit`: bytes of a list."""

    def __init__(self, make: Callable[[list[Field], int], T], limit: int) -> None:
        self._make, self._limit = make, limit
        self._entries: list[Field] = []  # the newest last
        self._size, self._largest = 0, TABLE
        self._known: dict[bytes, T] = {}

    def decode(self, block: bytes) -> T:
        """Raises HPACKError; OversizedHeaderListError means that the connection cannot go on, too."""
        found = self._known.get(block)
        if found is not None:
            return found
        fields, size, changed = self._fields(block)
        found = self._make(fields, size)
        if not changed and size <= LONGEST_REMEMBERED:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[block] = found
        return found

    def _fields(self, block: bytes) -> tuple[list[Field], int, bool]:
        """The fields, the size of their list, and whether the table is another one afterwards."""
        fields: list[Field] = []
        at, end, size, changed = 0, len(block), 0, False
        entries = self._entries
        dynamic = FIRST + len(entries)
        while at < end:
            first = block[at]
            if first & 0x80:
                if first == 0xFF:
                    index, at = _integer(block, at, 7)
                else:
                    index, at = first & 0x7F, at + 1
                field = entries[FIRST - index - 1] if FIRST <= index < dynamic else self._entry(index)
            elif first & 0xE0 == 0x20:
                if fields:
                    raise HPACKDecodingError("a table size after a field")
                largest, at = _integer(block, at, 5)
                changed = self._resize(largest) or changed
                dynamic = FIRST + len(entries)
                continue
            else:
                field, at = self._literal(block, at)
                if first & 0x40:
                    self._add(field)
                    changed, dynamic = True, FIRST + len(entries)
            size += len(field[0]) + len(field[1]) + OVERHEAD
            if size > self._limit:
                raise OversizedHeaderListError(f"more than {self._limit} bytes of headers")
            fields.append(field)
        return fields, size, changed

    def _literal(self, block: bytes, at: int) -> tuple[Field, int]:
        index, at = _integer(block, at, 6 if block[at] & 0x40 else 4)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        return (name, value), at

    def _entry(self, index: int) -> Field:
        if FIRST <= index < FIRST + len(self._entries):
            return self._entries[FIRST - index - 1]
        if 0 < index < FIRST:
            return STATIC[index - 1]
        raise InvalidTableIndexError(f"no entry {index}")

    def _add(self, field: Field) -> None:
        self._entries.append(field)
        self._size += len(field[0]) + len(field[1]) + OVERHEAD
        self._known.clear()
        self._evict()

    def _evict(self) -> None:
        while self._size > self._largest:
            name, value = self._entries.pop(0)
            self._size -= len(name) + len(value) + OVERHEAD

    def _resize(self, largest: int) -> bool:
        if largest > TABLE:
            raise InvalidTableSizeError(f"a table of {largest} bytes")
        if largest == self._largest:
            return False
        self._largest = largest
        self._known.clear()
        self._evict()
        return True


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """A number whose first `bits` are in the byte at `at`, and where it ends."""
    mask = (1 << bits) - 1
    number, at, shift = block[at] & mask, at + 1, 0
    if number < mask:
        return number, at
    while True:
        if at >= len(block) or shift > 28:
            raise HPACKDecodingError("an integer without an end")
        byte = block[at]
        number, at, shift = number + ((byte & 0x7F) << shift), at + 1, shift + 7
        if not byte & 0x80:
            return number, at


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    if at >= len(block):
        raise HPACKDecodingError("a string that is not there")
    packed = block[at] & 0x80
    length, at = _integer(block, at, 7)
    end = at + length
    if end > len(block):
        raise HPACKDecodingError("a string without an end")
    data = block[at:end]
    return (unpack(data) if packed else data), end
