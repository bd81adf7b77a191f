"""Frames, and header blocks that are decoded once.

Peers are asked for no header compression by reference (HEADER_TABLE_SIZE 0), so equal blocks mean the same. Windows are
as wide as the protocol allows: what arrives is held back by not reading the socket.
"""

import struct
from collections.abc import Iterable

from hpack import Decoder, Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_HEADER_LIST = 1, 2, 3, 4, 5, 6
REFUSED, CANCEL = (7).to_bytes(4, "big"), (8).to_bytes(4, "big")
WIDEST = (1 << 31) - 1  # bytes of a window
FIRST_WINDOW = 65_535  # bytes, until the peer says otherwise
LARGEST_FRAME, FIRST_FRAME = (1 << 24) - 1, 16_384  # bytes: allowed, and until the peer says otherwise
REMEMBERED = 64  # header blocks
HEAD = 9  # bytes before a frame's payload
_head = struct.Struct(">IBI").pack


def frame(length: int, kind: int, flags: int, stream: int) -> bytes:
    """The nine bytes before a frame's payload."""
    return _head(length << 8 | kind, flags, stream)


def settings(*pairs: tuple[int, int]) -> bytes:
    """A SETTINGS frame, and one that opens the connection's window wide."""
    payload = b"".join(struct.pack(">HI", *pair) for pair in pairs)
    wider = (WIDEST - FIRST_WINDOW).to_bytes(4, "big")
    return frame(len(payload), SETTINGS, 0, 0) + payload + frame(4, WINDOW_UPDATE, 0, 0) + wider


def header_block(headers: Iterable[tuple[str, str]]) -> bytes:
    """Headers as they cross the wire; they refer to nothing sent before."""
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(list(headers), huffman=False)


class HeaderBlocks:
    """What header blocks say."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._decoder.max_allowed_table_size = 0
        self._known: dict[bytes, dict[str, str]] = {}

    def decode(self, block: bytes) -> dict[str, str]:
        """The headers in a block; raises HPACKError."""
        found = self._known.get(block)
        if found is None:
            headers = self._decoder.decode(block)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[block] = {str(header[0]): str(header[1]) for header in headers}
        return found
