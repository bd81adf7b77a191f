"""Addresses to listen on: `unix:/path` and `host:port`, checked so that a failing bind says what is wrong."""

import errno
import os
import socket
import stat
from contextlib import closing

UNIX = "unix:"
MAX_UNIX_PATH = 107  # bytes the kernel keeps of a socket's path


class CannotListen(Exception):
    """A server cannot have its address; the message is a sentence for whoever started it."""


def unix_path(address: str) -> str | None:
    """The path of `unix:/path` and `unix:///path`; None for other addresses."""
    return address.removeprefix(UNIX).removeprefix("//") if address.startswith(UNIX) else None


def prepare(address: str) -> None:
    """Make an address bindable: a socket file that nobody listens on is removed, everything else raises."""
    path = unix_path(address)
    if path is not None:
        _prepare_unix(path)
    else:
        _check_tcp(address)


def _prepare_unix(path: str) -> None:
    if len(os.fsencode(path)) > MAX_UNIX_PATH:
        raise CannotListen(f"cannot listen on {path}: the path is longer than {MAX_UNIX_PATH} bytes")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise CannotListen(f"cannot listen on {path}: its folder does not exist")
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise CannotListen(f"cannot listen on {path}: there is a file that is not a socket")
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            os.unlink(path)  # left by a process that was killed
        except OSError as error:
            raise CannotListen(f"cannot listen on {path}: {os.strerror(error.errno or 0)}") from error
        else:
            raise CannotListen(f"cannot listen on {path}: another process listens there")


def _check_tcp(address: str) -> None:
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        raise CannotListen(f"cannot listen on {address!r}: expected host:port or unix:/path")
    if port == "0":
        return
    host = host.strip("[]") or "::"
    try:
        family, kind, proto, _, target = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind, proto)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
    except OSError as error:
        why = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise CannotListen(f"cannot listen on {address}: {why}") from error
