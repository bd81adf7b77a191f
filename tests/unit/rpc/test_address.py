import socket
from pathlib import Path

import pytest

from kybern.rpc.address import CannotListen, prepare, unix_path


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("unix:/run/a.sock", "/run/a.sock"),
        ("unix:///run/a.sock", "/run/a.sock"),
        ("unix:a.sock", "a.sock"),
        ("127.0.0.1:1", None),
    ],
)
def test_unix_path(address: str, path: str | None) -> None:
    assert unix_path(address) == path


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("unix:/nowhere/a.sock", "its folder does not exist"),
        ("unix:/" + "x" * 107, "longer than 107 bytes"),
        ("nonsense", "expected host:port or unix:/path"),
        ("127.0.0.1:http", "expected host:port or unix:/path"),
        ("192.0.2.77:7777", "Cannot assign requested address"),
    ],
)
def test_what_cannot_be_listened_on(address: str, why: str) -> None:
    with pytest.raises(CannotListen, match=f"cannot listen on .*{why}"):
        prepare(address)


def test_sockets_in_use_and_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(CannotListen, match="another process listens there"):
            prepare(f"unix:{path}")
        assert path.exists()
    prepare(f"unix:{path}")
    assert not path.exists()


def test_a_file_that_is_no_socket_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("precious")
    with pytest.raises(CannotListen, match="not a socket"):
        prepare(f"unix:{path}")
    assert path.read_text() == "precious"
