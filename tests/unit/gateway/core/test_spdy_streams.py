"""Protocols and streams of exec and attach over SPDY."""

import json

import pytest

from kybern.gateway.core.channels import Resize
from kybern.gateway.core.spdy_streams import REMOTE_COMMAND, V1, V2, V3, V4, choose, expected, final, offered, sizes

FAILED = json.dumps({"status": "Failure", "message": "exit status 3"}).encode()


def test_the_client_chooses() -> None:
    client = offered(["v5.channel.k8s.io, v3.channel.k8s.io", "v4.channel.k8s.io"])
    assert choose(client, REMOTE_COMMAND) == V3
    assert choose(["v9"], REMOTE_COMMAND) is None


@pytest.mark.parametrize(
    ("protocol", "tty", "streams"),
    [
        (V4, False, {"error", "stdin", "stdout", "stderr"}),
        (V4, True, {"error", "stdin", "stdout", "resize"}),
        (V3, True, {"error", "stdin", "stdout", "resize"}),
        (V2, True, {"error", "stdin", "stdout"}),
    ],
)
def test_expected(protocol: str, tty: bool, streams: set[str]) -> None:
    assert expected(protocol, stdin=True, stdout=True, stderr=True, tty=tty) == streams


@pytest.mark.parametrize(
    ("protocol", "status", "said"),
    [
        (V4, FAILED, FAILED),
        (V1, FAILED, b"exit status 3"),
        (V2, b'{"status":"Success"}', b""),
        (V2, b"not json", b"not json"),
    ],
)
def test_final(protocol: str, status: bytes, said: bytes) -> None:
    assert final(protocol, status) == said


def test_sizes() -> None:
    assert sizes(b'{"Width":1,"Height":2}\nbroken\n{"Width":3,"Height":4}') == [Resize(1, 2), Resize(3, 4)]
    assert sizes(b'{"Width":-1,"Height":2}') == []
