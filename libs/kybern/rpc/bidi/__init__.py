"""Bidirectional gRPC streams in the event loop, over Unix sockets beside those of grpc.aio.

grpc.aio polls in a thread of its own: each message wakes that thread and then the loop, at both ends. Here a message is
in its handler's hands in the callback in which its bytes arrived. The wire is gRPC's (HTTP/2, mutual TLS), one stream
to a connection. Only streams of raw bytes are served (Exchange); everything else goes through grpc.aio.
"""

import os

from kybern.rpc.address import MAX_UNIX_PATH, unix_path

SUFFIX = ".bidi"


def beside(address: str) -> str | None:
    """The path of the socket for streams beside a server's `unix:/path`; None where there can be none."""
    path = unix_path(address)
    return path + SUFFIX if path and len(os.fsencode(path)) + len(SUFFIX) <= MAX_UNIX_PATH else None


def offered(target: str) -> str | None:
    """The path to reach a server's streams by; None where the server has grpc.aio's socket alone."""
    path = beside(target)
    if path is None or os.path.exists(path) or not os.path.exists(path.removesuffix(SUFFIX)):
        return path
    return None
