"""Whose call a request is, as its headers say."""

from types import SimpleNamespace
from typing import Any

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


def test_who_a_connection_speaks_for_is_found_out_once() -> None:
    first = request(user_agent="kubectl")
    found = requester(first)
    assert (found.user, list(found.groups), found.user_agent) == ("admin", ["system:masters"], "kubectl")
    assert requester(first) is found
