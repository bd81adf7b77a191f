"""TokenReview: which answers make a user, and for which audiences."""

from typing import Any

import pytest

from kybern.apiserver.authentication.service_account import TokenInvalid
from kybern.apiserver.authentication.webhook import read_status

BOB = {"authenticated": True, "user": {"username": "bob", "uid": "7", "groups": ["devs"], "extra": {"a": ["b"]}}}
OWN = ("api",)

GOOD: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "the server's own audience": (BOB, ("api",), ("api",)),
    "one that it names": ({**BOB, "audiences": ["db", "x"]}, ("api", "db"), ("db",)),
    "none": (BOB, (), ()),
}


@pytest.mark.parametrize("name", GOOD)
def test_users(name: str) -> None:
    status, asked, expected = GOOD[name]
    found = read_status(status, asked, OWN)
    assert found.audiences == expected
    assert (found.user.name, found.user.uid, found.user.extra) == ("bob", "7", {"a": ("b",)})
    assert found.user.groups == ("devs", "system:authenticated")


BAD: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "nobody": ({"authenticated": False}, OWN, "the webhook does not know the token"),
    "an error": ({"error": "expired"}, OWN, "expired"),
    "another audience": (BOB, ("db",), "is invalid for the target audiences"),
    "another that it names": ({**BOB, "audiences": ["db"]}, OWN, "is invalid for the target audiences"),
}


@pytest.mark.parametrize("name", BAD)
def test_refusals(name: str) -> None:
    status, asked, expected = BAD[name]
    with pytest.raises(TokenInvalid, match=expected):
        read_status(status, asked, OWN)
