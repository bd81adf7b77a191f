"""TCP ports to listen on later, chosen so that nobody takes one meanwhile.

The kernel gives ports of one range to whoever connects somewhere or binds port 0, so a port of that range that is free
now may be somebody's end of a connection a moment later. The ports below it are taken by name alone. Where to begin
looking depends on the process, so that two that look at the same time find different ones.
"""

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST, NODE_PORTS = 10240, range(30000, 32768)
STEP = 101  # between processes
_taken = itertools.count()  # so that a process does not find the same ones again


def quiet_ports(low: int) -> range:
    """The ports below those that the kernel gives away (from `low` on) and below those of Services."""
    return range(FIRST, min(low, NODE_PORTS.start))


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Ports on which nobody listens, all different. Raises OSError where the address is not this host's."""
    with ExitStack() as stack:
        found: list[int] = []
        for port in _candidates():
            probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            try:
                probe.bind((address, port))
            except OSError:
                if not port:
                    raise
                continue
            found.append(int(probe.getsockname()[1]))
            if len(found) == count:
                break
        return found


def _candidates() -> Iterator[int]:
    """Quiet ports, each once; then whatever the kernel has."""
    try:
        low = int(RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        low = FIRST
    ports = quiet_ports(low)
    if ports:
        begin = os.getpid() * STEP
        for _ in ports:
            yield ports[(begin + next(_taken)) % len(ports)]
    yield from itertools.repeat(0)
