"""Texts in headers: UTF-8, and the %-encoded keys of a user's extra facts."""

import re
from urllib.parse import unquote_to_bytes

_NO_TEXT = re.compile("[\udc80-\udcff]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def as_text(value: bytes) -> str:
    """As Go shows it in JSON: U+FFFD for each byte that is no UTF-8."""
    return _NO_TEXT.sub("\ufffd", value.decode("utf-8", "surrogateescape"))


def extra_key(encoded: str) -> str:
    """The key in the lower-case name of a header, which stays as it is if one of its escapes is malformed."""
    return encoded if _BAD_ESCAPE.search(encoded) else as_text(unquote_to_bytes(encoded))
