"""The media type of a body that nobody has named: by its first bytes, as Go's servers guess it."""

import re

LOOKED_AT = 512  # bytes
TEXT, HTML, XML = "text/plain; charset=utf-8", "text/html; charset=utf-8", "text/xml; charset=utf-8"
BINARY = "application/octet-stream"
_TAGS = "!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p"
_HTML = re.compile(rf"<(?:(?:{_TAGS})[ >]|!--)".encode(), re.IGNORECASE)
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xfe\xff", "text/plain; charset=utf-16be"),
    (b"\xff\xfe", "text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf", TEXT),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x00asm", "application/wasm"),
)
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def sniffed(data: bytes) -> str:
    """Common formats of pictures, documents and archives are known; all else is text or bytes."""
    data = data[:LOOKED_AT]
    start = data.lstrip(b"\t\n\x0c\r ")
    if _HTML.match(start):
        return HTML
    if start.startswith(b"<?xml"):
        return XML
    for signature, found in _SIGNATURES:
        if data.startswith(signature):
            return found
    return BINARY if _NOT_TEXT.search(data) else TEXT
