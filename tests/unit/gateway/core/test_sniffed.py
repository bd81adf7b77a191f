"""Media types by the first bytes."""

import pytest

from kybern.gateway.core.sniffed import sniffed


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"busy", "text/plain; charset=utf-8"),
        (b'{"a":1}', "text/plain; charset=utf-8"),
        ("é".encode(), "text/plain; charset=utf-8"),
        (b"  \n<HTML><body>", "text/html; charset=utf-8"),
        (b"<!doctype html>", "text/html; charset=utf-8"),
        (b"<!-- a", "text/html; charset=utf-8"),
        (b"<abbr>", "text/plain; charset=utf-8"),
        (b" <?xml version", "text/xml; charset=utf-8"),
        (b"\x89PNG\r\n\x1a\n123", "image/png"),
        (b"\x1f\x8b\x08\x00", "application/x-gzip"),
        (b"a\x00b", "application/octet-stream"),
        (b"a\x1bb", "text/plain; charset=utf-8"),
        (b"a" * 512 + b"\x00", "text/plain; charset=utf-8"),
    ],
)
def test_sniffed(data: bytes, expected: str) -> None:
    assert sniffed(data) == expected
