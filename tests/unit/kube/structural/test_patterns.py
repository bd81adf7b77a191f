"""Patterns of Go's RE2 syntax in Python: flags in the middle, classes, the end of the text."""

import pytest

from kybern.kube.structural.node import go_pattern

ROWS = [
    ("^(?i)[a-z]([-a-z0-9]*[a-z0-9])?$", "AbC", True),
    ("^a(?i)b|c$", "aB", True),
    ("^a(?i)b|c$", "AB", False),
    ("^a(?i)b|c$", "xC", True),
    ("(x(?i)y)z", "xYz", True),
    ("(x(?i)y)z", "xYZ", False),
    ("(?i)abc", "ABC", True),
    ("[(?i)]+", "?", True),
    ("a(?i)b(?-i)c", "aBc", True),
    ("a(?i)b(?-i)c", "aBC", False),
    (r"\(?i\)", "i)", True),
    ("^a$", "a\n", False),
    ("^[[:alpha:]]+$", "abc", True),
]


@pytest.mark.parametrize(("pattern", "text", "matches"), ROWS)
def test_patterns(pattern: str, text: str, matches: bool) -> None:
    assert (go_pattern(pattern).search(text) is not None) is matches
