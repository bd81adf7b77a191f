"""What a client did that the protocol does not allow: it costs the client a stream, or the connection."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Error codes (RFC 9113, section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class ConnectionViolation(Exception):
    """The connection ends."""

    def __init__(self, code: Code, why: str) -> None:
        super().__init__(why)
        self.code = code


class StreamViolation(Exception):
    """The stream ends; the others go on."""

    def __init__(self, stream: int, code: Code) -> None:
        super().__init__(f"stream {stream}: {code.name}")
        self.stream, self.code = stream, code
