"""Which conditional requests need no body."""

from datetime import UTC, datetime

import pytest

from kybern.gateway.core.conditional import decide_unsent

MODIFIED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BEFORE, AFTER = b"Thu, 01 Jan 2026 03:04:05 GMT", b"Sat, 03 Jan 2026 03:04:05 GMT"
SAME = b"Fri, 02 Jan 2026 03:04:05 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({b"if-none-match": b'"a"'}, 304),
        ({b"if-none-match": b'W/"a"'}, 304),
        ({b"if-none-match": b'"x", "a"'}, 304),
        ({b"if-none-match": b'"x" , W/"a" '}, 304),
        ({b"if-none-match": b"*"}, 304),
        ({b"if-none-match": b'"x"'}, None),
        ({b"if-none-match": b"a"}, None),
        ({b"if-none-match": b'x, "a"'}, None),
        ({b"if-none-match": b'"x" "a"'}, None),
        ({b"if-none-match": b'"x"', b"if-modified-since": AFTER}, None),
        ({b"if-modified-since": AFTER}, 304),
        ({b"if-modified-since": SAME}, 304),
        ({b"if-modified-since": BEFORE}, None),
        ({b"if-modified-since": b"yesterday"}, None),
        ({b"if-match": b'"a"'}, None),
        ({b"if-match": b"*"}, None),
        ({b"if-match": b'W/"a"'}, 412),
        ({b"if-match": b'"x"'}, 412),
        ({b"if-match": b'"a"', b"if-unmodified-since": BEFORE}, None),
        ({b"if-unmodified-since": BEFORE}, 412),
        ({b"if-unmodified-since": SAME}, None),
    ],
    ids=str,
)
def test_conditions(headers: dict[bytes, bytes], expected: int | None) -> None:
    assert decide_unsent(headers, b'"a"', MODIFIED) == expected
