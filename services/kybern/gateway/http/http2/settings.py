"""SETTINGS: what this end says of itself, as kube-apiserver does, and what a client may say."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kybern.gateway.http.http2.framing import LARGEST
from kybern.gateway.http.http2.violations import Code, ConnectionViolation
from kybern.gateway.http.message import MAX_HEADERS
from kybern.rpc.http2.decoder import TABLE
from kybern.rpc.http2.frames import (
    ENABLE_PUSH,
    FIRST_FRAME,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW,
    LARGEST_FRAME,
    MAX_FRAME,
    MAX_HEADER_LIST,
    MAX_STREAMS,
    SETTINGS,
    WIDEST,
    frame,
)

HEADER_LIST = MAX_HEADERS + 320  # bytes of a header list


def our_settings(streams: int, window: int) -> bytes:
    """The first frame: how many streams at once, and how many bytes of a body may come ahead."""
    ours = {
        MAX_FRAME: LARGEST,
        MAX_STREAMS: streams,
        MAX_HEADER_LIST: HEADER_LIST,
        HEADER_TABLE_SIZE: TABLE,
        INITIAL_WINDOW: window,
    }
    payload = b"".join(struct.pack(">HI", *one) for one in ours.items())
    return frame(len(payload), SETTINGS, 0, 0) + payload


def checked(payload: bytes) -> Iterator[tuple[int, int]]:
    """What a client's frame says, one by one. Raises ConnectionViolation."""
    for setting, value in struct.iter_unpack(">HI", payload):
        if setting == INITIAL_WINDOW and value > WIDEST:
            raise ConnectionViolation(Code.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE")
        if setting == MAX_FRAME and not FIRST_FRAME <= value <= LARGEST_FRAME:
            raise ConnectionViolation(Code.PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE")
        if setting == ENABLE_PUSH and value > 1:
            raise ConnectionViolation(Code.PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH")
        yield setting, value
