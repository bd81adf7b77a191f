"""A TCP connection into a pod, made inside its network namespace, so that servers on the pod's localhost answer too."""

import asyncio
import ctypes
import os
import socket
from contextlib import ExitStack
from pathlib import Path

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def socket_in(namespace: Path, family: socket.AddressFamily) -> socket.socket:
    """A socket that lives in another network namespace. Runs in a thread, and brings that thread back."""
    with ExitStack() as stack:
        own = stack.enter_context(open("/proc/thread-self/ns/net"))
        other = stack.enter_context(namespace.open())
        if _libc.setns(other.fileno(), CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(namespace))
        try:
            return socket.socket(family, socket.SOCK_STREAM)
        finally:
            _libc.setns(own.fileno(), CLONE_NEWNET)


async def connect(
    pid: int, port: int, address: str, timeout: float = 10.0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a port of the pod whose sandbox has this process (0: unknown, its address is used). Raises OSError."""
    async with asyncio.timeout(timeout):
        if pid == 0:
            return await asyncio.open_connection(address, port)
        namespace = Path(f"/proc/{pid}/ns/net")
        last: OSError | None = None
        for family, local in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            sock = await asyncio.to_thread(socket_in, namespace, family)
            sock.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(sock, (local, port))
            except OSError as error:
                sock.close()
                last = last or error
                continue
            return await asyncio.open_connection(sock=sock)
        assert last is not None
        raise last
