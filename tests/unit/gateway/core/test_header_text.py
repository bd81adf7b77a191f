"""Texts in headers."""

import pytest

from kybern.gateway.core.header_text import as_text, extra_key


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"kubectl/v1.36", "kubectl/v1.36"),
        ("日本".encode(), "日本"),
        (b"\xff\xfea", "\ufffd\ufffda"),
        (b"\xe6\x97x", "\ufffd\ufffdx"),  # each byte of what is cut off
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),  # half of a surrogate pair
    ],
)
def test_texts_are_utf_8(value: bytes, text: str) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("scopes", "scopes"),
        ("acme.com%2Fproject", "acme.com/project"),
        ("%53copes", "Scopes"),
        ("%zz%41", "%zz%41"),  # malformed: as it is
        ("a%2", "a%2"),
        ("a+b%20c", "a+b c"),
        ("%c3%bc", "ü"),
        ("%ff", "\ufffd"),
        ("", ""),
    ],
)
def test_keys_of_extra_facts(encoded: str, key: str) -> None:
    assert extra_key(encoded) == key
