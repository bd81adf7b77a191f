"""The machine a node runs on: its facts and pressures, read from /proc and /sys. Blocking, quick."""

import os
import platform
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from kybern.node.core.node_status import NodeFacts, NodeHealth

MIN_MEMORY = 100 << 20  # bytes available: memory.available's hard eviction threshold
MIN_DISK = 0.10  # of the file system
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
HostDns = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def read(path: str) -> str:
    """A file's text without its end of line; "" when there is none."""
    with suppress(OSError):
        return Path(path).read_text(errors="replace").strip()
    return ""


def meminfo(field: str) -> int:
    """A field of /proc/meminfo in bytes."""
    for line in read("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return 0


def os_image() -> str:
    for line in read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def own_address() -> str:
    """The address of the interface with the default route, else of any interface, else loopback."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])
    with suppress(OSError):
        for address in socket.gethostbyname_ex(socket.gethostname())[2]:
            if not address.startswith("127."):
                return address
    return "127.0.0.1"


def facts(name: str, root: Path, address: str, hostname: str) -> NodeFacts:
    """What the node will say of itself."""
    return NodeFacts(
        name=name,
        hostname=hostname,
        addresses=(address or own_address(),),
        architecture=MACHINES.get(platform.machine(), platform.machine()),
        cpus=len(os.sched_getaffinity(0)),
        memory=meminfo("MemTotal"),
        storage=shutil.disk_usage(root).total,
        machine_id=read("/etc/machine-id"),
        system_uuid=read("/sys/class/dmi/id/product_uuid") or read("/etc/machine-id"),
        boot_id=read("/proc/sys/kernel/random/boot_id"),
        kernel=platform.release(),
        os_image=os_image(),
    )


def simulated_facts(name: str) -> NodeFacts:
    """A node that is not there: 8 CPUs and 32 GiB of nothing."""
    return NodeFacts(
        name=name,
        hostname=name,
        addresses=("127.0.0.1",),
        cpus=8,
        memory=32 << 30,
        storage=100 << 30,
        kernel="simulated",
        os_image="Kybern simulated node",
        labels={"kybern.io/simulated": "true"},
    )


def health(root: Path) -> NodeHealth:
    """Which resources are short."""
    disk = shutil.disk_usage(root)
    available = meminfo("MemAvailable")
    limit = int(read("/proc/sys/kernel/pid_max") or "32768")
    tasks = read("/proc/loadavg").split()
    running = int(tasks[3].partition("/")[2]) if len(tasks) > 3 else 0
    return NodeHealth(
        memory_pressure=0 < available < MIN_MEMORY,
        disk_pressure=disk.free < disk.total * MIN_DISK,
        pid_pressure=running > limit * 0.95,
    )


def host_dns(path: str = "/etc/resolv.conf") -> HostDns:
    """(servers, searches, options) of the node's own resolv.conf."""
    found: dict[str, list[str]] = {"nameserver": [], "search": [], "options": []}
    for line in read(path).splitlines():
        words = line.split()
        if len(words) > 1 and words[0] in found:
            found[words[0]] += words[1:] if words[0] != "nameserver" else words[1:2]
    return tuple(found["nameserver"]), tuple(found["search"]), tuple(found["options"])
