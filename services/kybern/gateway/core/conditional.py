"""Conditional requests (RFC 9110, 13): whether a document that the client may hold has to be sent again."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

NOT_MODIFIED, PRECONDITION_FAILED = 304, 412
_ETAG = re.compile(rb'\s*(W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*')


def decide_unsent(headers: Mapping[bytes, bytes], etag: bytes, modified: datetime) -> int | None:
    """304 or 412; None for a document that is to be sent. `etag` is quoted and strong, empty for a document without."""
    if (wanted := headers.get(b"if-match", b"").strip()) and not _names(wanted, etag, weak=False):
        return PRECONDITION_FAILED
    if not wanted and (since := _time(headers.get(b"if-unmodified-since"))) is not None and modified > since:
        return PRECONDITION_FAILED
    if known := headers.get(b"if-none-match", b"").strip():
        return NOT_MODIFIED if _names(known, etag, weak=True) else None
    since = _time(headers.get(b"if-modified-since"))
    return NOT_MODIFIED if since is not None and modified <= since else None


def _names(text: bytes, etag: bytes, *, weak: bool) -> bool:
    """Whether a list of tags has this one; it is read up to where it is malformed."""
    if text.startswith(b"*"):
        return True
    at = 0
    while (found := _ETAG.match(text, at)) is not None:
        if found[2] == etag and (weak or not found[1]):
            return True
        if text[found.end() : found.end() + 1] != b",":
            return False
        at = found.end() + 1
    return False


def _time(text: bytes | None) -> datetime | None:
    if not text:
        return None
    try:
        return parsedate_to_datetime(text.decode("latin-1")).astimezone(UTC)
    except ValueError:
        return None
