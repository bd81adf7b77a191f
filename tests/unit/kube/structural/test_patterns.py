"""Patterns and formats of text: Go's RE2 syntax, and no text that takes long."""

import pytest

from kybern.kube.field import FieldError
from kybern.kube.structural.definition import check_schema
from kybern.kube.structural.formats import FORMATS
from kybern.kube.structural.node import compile_schema
from kybern.kube.structural.values import check

ROWS = [
    ("^(?i)[a-z]([-a-z0-9]*[a-z0-9])?$", "AbC", True),
    ("^a(?i)b|c$", "aB", True),
    ("^a(?i)b|c$", "AB", False),
    ("^a(?i)b|c$", "xC", True),
    ("(x(?i)y)z", "xYz", True),
    ("(x(?i)y)z", "xYZ", False),
    ("[(?i)]+", "?", True),
    ("a(?i)b(?-i)c", "aBC", False),
    (r"\(?i\)", "i)", True),
    ("^a$", "a\n", False),
    (r"^a\z", "a", True),
    ("^[[:alpha:]]+$", "abc", True),
    (r"^\pL+$", "é", True),
    (r"^\Qa.b\E$", "axb", False),
    ("^(?<word>[a-z]+)$", "abc", True),
    ("^([a-z0-9]+-?)+$", "a" * 100 + "!", False),  # would take a backtracking engine for ever
    ("^([a-z0-9]+-?)+$", "a" * 100_000 + "!", False),
]


@pytest.mark.parametrize(("pattern", "text", "fits"), ROWS)
def test_patterns(pattern: str, text: str, fits: bool) -> None:
    schema = {"type": "string", "pattern": pattern}
    errors: list[FieldError] = []
    check(compile_schema(schema), text, "spec", errors)
    assert (errors == []) is fits
    assert check_schema({"type": "object", "properties": {"a": schema}}, "schema") == []


REFUSED = {
    "(": "missing closing ): `(`",
    "a{1001}": "invalid repeat count: `{1001}`",
    r"(a)\1": r"invalid escape sequence: `\1`",
    "(?=a)": "invalid or unsupported Perl syntax: `(?=`",
    "*a": "missing argument to repetition operator: `*`",
    "a\\": "trailing backslash at end of expression: ``",
}


@pytest.mark.parametrize("pattern", REFUSED)
def test_patterns_that_go_does_not_have(pattern: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}
    (error,) = check_schema(schema, "schema")
    assert str(error).endswith(
        f"must be a valid regular expression, but isn't: error parsing regexp: {REFUSED[pattern]}"
    )


FORMAT_ROWS = [
    ("duration", "1h30m", True),
    ("duration", "-1.5h", True),
    ("duration", "1 day 2 hours", True),
    ("duration", "3mins 5secs", True),
    ("duration", "1ms" * 50, True),
    ("duration", "1ms" * 50 + "!", True),  # Go looks for what it knows
    ("duration", "1ms 1x", False),
    ("duration", "P1D", True),
    ("hostname", "a.b", False),
    ("hostname", "a.bc", True),
    ("isbn", "3-8362-2119-5", True),
    ("isbn13", "978-3-8362-2119-2", False),
    ("creditcard", "4111-1111-1111-1111", True),
    ("creditcard", "4111111111111112", False),
    ("rgbcolor", "rgb(255,0,300)", False),
    ("mac", "00:11:22:33:44:55:66:77", True),
    ("ipv4", "01.2.3.4", True),
    ("ipv6", "fe80::1%eth0", False),
    ("byte", "", False),
    ("duration", "one day", False),
    ("date-time", "2024-01-02T03:04:05Z", True),
    ("date-time", "2024-13-45T00:00:00Z", False),
    ("date-time", "2024-01-01T00:00:60Z", False),
    ("date-time", "0000-01-01T00:00:00Z", False),
    ("date-time", "2024-01-01T00:00:00+99:00", False),
]


@pytest.mark.parametrize(("name", "text", "fits"), FORMAT_ROWS)
def test_formats(name: str, text: str, fits: bool) -> None:
    assert FORMATS[name](text) is fits
