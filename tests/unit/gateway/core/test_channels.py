"""Channel messages of exec, attach and classic port-forward."""

import pytest

from kybern.gateway.core import channels
from kybern.gateway.core.channels import V4, V5, CloseStdin, Resize, Stdin

INPUTS = [
    (b"\x00ls\n", V5, Stdin(b"ls\n")),
    (b"\x00", V5, None),
    (b"", V5, None),
    (b"\xff\x00", V5, CloseStdin()),
    (b"\xff\x00", V4, None),
    (b"\xff\x01", V5, None),
    (b'\x04{"Width":80,"Height":24}', V4, Resize(80, 24)),
    (b"\x04nonsense", V4, None),
    (b"\x04{}", V4, None),
    (b"\x04[1,2]", V4, None),
    (b'\x04{"Width":-1,"Height":24}', V4, None),
    (b'\x04{"Width":80,"Height":70000}', V4, None),
    (b'\x04{"Width":1e300,"Height":24}', V4, None),
    (b"\x01no output from clients", V5, None),
]


@pytest.mark.parametrize(("message", "protocol", "wanted"), INPUTS)
def test_inputs(message: bytes, protocol: str, wanted: channels.Input | None) -> None:
    assert channels.read_input(message, protocol) == wanted


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        ("v5.channel.k8s.io,v4.channel.k8s.io", V5),
        ("v3.channel.k8s.io, v4.channel.k8s.io", V4),
        ("", None),
        ("soap", None),
    ],
)
def test_choice_of_protocol(offered: str, wanted: str | None) -> None:
    assert channels.choose(offered, channels.REMOTE_COMMAND) == wanted


def test_ports() -> None:
    assert channels.read_ports(["80,81", "90"]) == [80, 81, 90]
    assert channels.port_greeting(3, 8080) == b"\x03\x90\x1f"
    for bad in ([], ["0"], ["70000"], ["http"]):
        with pytest.raises(ValueError, match=r"port|invalid literal"):
            channels.read_ports(bad)
