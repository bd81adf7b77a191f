"""Header blocks of answers."""

from __future__ import annotations

from kybern.gateway.http.message import Headers
from kybern.rpc.http2.blocks import field_block, name_of, number, status_block

AUDIT_ID, CONTENT_LENGTH = name_of(b"audit-id"), name_of(b"content-length")
CONTINUE = status_block(100)


def head_block(status: int, headers: Headers) -> bytes:
    """Status and headers."""
    return status_block(status) + field_block(headers)


def length_field(size: int) -> bytes:
    text = b"%d" % size
    return b"%b%c%b" % (CONTENT_LENGTH, len(text), text)


def audit_field(audit_id: bytes) -> bytes:
    return b"%b%b%b" % (AUDIT_ID, number(len(audit_id), 7), audit_id)
