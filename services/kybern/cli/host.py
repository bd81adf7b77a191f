"""Look at the host: who we are, which tools are there, which address others reach it at, which ports are free."""

import glob
import os
import shutil
import socket

from kybern.cli.core.options import UsageError
from kybern.cli.core.preflight import HostFacts
from kybern.runtime.containerd import search_path
from kybern.runtime.ports import free_ports

BINARIES = ("containerd", "ctr", "runc", "iptables", "busybox", "catatonit")
LONGEST_SOCKET = 107  # bytes of a socket's path


def look_at_host() -> HostFacts:
    """The facts that `decide_nodes` asks for."""
    tools = {name for name in BINARIES if shutil.which(name, path=search_path())}
    if os.path.exists("/usr/lib/cni/bridge"):
        tools.add("cni")
    if glob.glob("/usr/lib/*/libnftables.so.1"):
        tools.add("nftables")
    return HostFacts(root=os.geteuid() == 0, tools=frozenset(tools))


def primary_address() -> str:
    """The address that packets to the outside leave from; loopback on a host without a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # no packet is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def check_runtime(endpoint: str) -> None:
    """UsageError when nothing listens at a container runtime's address."""
    path = endpoint.removeprefix("unix://")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise UsageError(f"no container runtime answers at {path} ({error.strerror or error})") from None


def check_nodes(host: str, longest_socket: str) -> None:
    """UsageError where real nodes cannot be: without a network, or with sockets whose path is too long."""
    if host.startswith("127."):
        raise UsageError("no network: this host has no address but loopback; use --nodes 0 --simulated-nodes 1")
    if len(os.fsencode(longest_socket)) > LONGEST_SOCKET:
        room = LONGEST_SOCKET - len(os.fsencode(longest_socket))
        raise UsageError(
            f"the path of the data dir is {-room} bytes too long for containerd's sockets; give a shorter one"
        )


def choose_port(port: int, address: str) -> int:
    """The port itself, or a free one for 0; UsageError when it is taken."""
    try:
        if not port:
            return free_ports(1, address)[0]
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        raise UsageError(
            f"port {port} on {address} cannot be used ({error.strerror}); stop what uses it, or give --secure-port"
        ) from None
    return port
