"""Domain-prefixed paths."""

import pytest

from kybern.kube.validation.domain_paths import domain_prefixed_path

WHOLE = 'key: Invalid value: "{}": must be a domain-prefixed path (such as "acme.io/foo")'


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("acme.io/foo", ""),
        ("a/B/c", ""),
        ("acme.io", WHOLE),
        ("/foo", WHOLE),
        ("acme.io/", WHOLE),
        ("ACME/foo", 'key: Invalid value: "ACME": a lowercase RFC 1123 subdomain'),
        ("a/b c", 'key: Invalid value: "b c": Invalid path'),
    ],
)
def test_domain_prefixed_paths(value: str, told: str) -> None:
    found = [str(problem) for problem in domain_prefixed_path("key", value)]
    assert [problem[: len(told.format(value))] for problem in found] == ([told.format(value)] if told else [])
