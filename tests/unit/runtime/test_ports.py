"""Ports that nobody takes meanwhile."""

import socket
from pathlib import Path

import pytest

from kybern.runtime import ports


def test_they_are_free_different_and_not_the_kernels_to_give() -> None:
    low = int(ports.RANGE.read_text().split()[0])
    found = [*ports.free_ports(5), *ports.free_ports(5)]
    assert len(set(found)) == 10
    assert all(ports.FIRST <= port < low and port not in ports.NODE_PORTS for port in found)
    servers = [socket.create_server(("127.0.0.1", port)) for port in found]
    for server in servers:
        server.close()


def test_what_is_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = ports.free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        monkeypatch.setattr(ports, "quiet_ports", lambda low: range(port, port + 1))
        (other,) = ports.free_ports(1)
    assert other != port


def test_a_kernel_that_gives_all_ports_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "range"
    file.write_text("1024\t65535\n")
    monkeypatch.setattr(ports, "RANGE", file)
    assert not ports.quiet_ports(1024)
    assert len(set(ports.free_ports(3))) == 3


def test_an_address_of_another_host() -> None:
    with pytest.raises(OSError, match="assign requested address"):
        ports.free_ports(1, "203.0.113.7")
