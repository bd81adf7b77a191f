"""Where a token's groups are to be had."""

from typing import Any

import pytest

from kybern.apiserver.core.authentication.distributed_claims import Source, source_of
from kybern.apiserver.core.authentication.id_token import ClaimsRefused

ENDPOINT = {"endpoint": "https://a", "access_token": "t"}


def pointing(names: Any = None, sources: Any = None, **claims: Any) -> dict[str, Any]:
    return {
        "_claim_names": {"groups": "src"} if names is None else names,
        "_claim_sources": {"src": ENDPOINT} if sources is None else sources,
        **claims,
    }


@pytest.mark.parametrize(
    ("claim", "claims", "expected"),
    [
        ("groups", pointing(), Source("groups", "https://a", "t")),
        ("groups", pointing(sources={"src": {"endpoint": "https://a"}}), Source("groups", "https://a")),
        ("groups", pointing(groups=["a"]), None),
        ("groups", {}, None),
        ("", pointing(), None),
        ("roles", pointing(), None),
        ("groups", pointing(sources={"src": {"JWT": "aggregated"}}), None),
        ("groups", pointing(names="x"), "error parsing distributed claim names"),
        ("groups", pointing(names={"groups": 1}), "error parsing distributed claim names"),
        ("groups", {"_claim_names": {"groups": "src"}}, "no claim sources"),
        ("groups", pointing(sources="x"), "could not parse claim sources"),
        ("groups", pointing(sources={"src": {"endpoint": 1}}), "could not parse claim sources"),
        ("groups", pointing(sources={}), "contained a source src missing in _claims_sources"),
    ],
)
def test_source(claim: str, claims: dict[str, Any], expected: Any) -> None:
    if isinstance(expected, str):
        with pytest.raises(ClaimsRefused, match=expected):
            source_of(claim, claims)
    else:
        assert source_of(claim, claims) == expected
