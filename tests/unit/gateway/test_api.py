"""Whose call a request is, as its headers say."""

from types import SimpleNamespace
from typing import Any

import pytest

from kybern.gateway.api import requester
from kybern.gateway.http.message import Request
from kybern.rpc.transport import Identity


def request(**headers: str) -> Request:
    connection: Any = SimpleNamespace(
        identity=Identity("admin", ("system:masters",)),
        front_proxy=None,
        peer_address="192.0.2.9",
        memory={},
        credential_id="",
        stranger=False,
    )
    named = {name.replace("_", "-").lower().encode(): value.encode() for name, value in headers.items()}
    return Request(SimpleNamespace(client=connection), "GET", b"/", named, {}, b"")


def test_keys_of_extra_values_are_percent_encoded() -> None:
    headers = {"Impersonate-User": "jane", "Impersonate-Extra-acme.com%2Fproject": "x", "Impersonate-Extra-Scopes": "y"}
    found = requester(request(**headers)).impersonation
    assert found.user == "jane"
    assert {key: list(values.values) for key, values in found.extra.items()} == {
        "acme.com/project": ["x"],
        "scopes": ["y"],
    }


@pytest.mark.parametrize(
    ("headers", "impersonates"),
    [
        ({"Impersonate-User": ""}, False),
        ({"Impersonate-Uid": ""}, False),
        ({"Impersonate-Uid": "u"}, True),
        ({"Impersonate-Group": ""}, True),
        ({"Impersonate-Extra-": ""}, True),
        ({"Impersonate-Foo": "x", "Impersonate-Groups": "x"}, False),
    ],
    ids=str,
)
def test_what_asks_for_another_identity(headers: dict[str, str], impersonates: bool) -> None:
    assert requester(request(**headers)).HasField("impersonation") is impersonates


def test_who_a_connection_speaks_for_is_found_out_once() -> None:
    first = request(user_agent="kubectl")
    found = requester(first)
    assert (found.user, list(found.groups), found.user_agent) == ("admin", ["system:masters"], "kubectl")
    assert requester(first) is found
