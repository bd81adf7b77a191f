"""Leaving nothing behind of a node: its containers, shims, containerd, mounts, cgroups, interfaces and rules.

Each step finds what is left by something only this node has (its socket, its directories, its cgroup, its bridge), so
the order of a crash does not matter and running it twice is harmless. Blocking; no step raises for what is gone.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from kybern.runtime.cni_cleanup import forget_sandboxes
from kybern.runtime.containerd import Layout, answers

CGROUPS = Path("/sys/fs/cgroup")
SHIM_SOCKETS = Path("/run/containerd/s")


def cleanup(layout: Layout, *, cgroup_root: str, bridge: str, pods_dir: Path | None = None) -> list[str]:
    """Remove everything that a node left on this machine, containerd included; the data in `layout.root` stays.

    `cgroup_root` and `bridge` are the node agent's flags, `pods_dir` is `pods` in its state directory: with it, cgroups
    of pods that are not there are left alone (another cluster's, of the same name). The result names what could not be
    removed.
    """
    if answers(layout.socket):
        stop_sandboxes(layout.socket)
    kill(processes_with(("containerd", "--config", str(layout.config))), signal.SIGTERM)
    uids = pod_uids(pods_dir)
    shims = processes_with(("-address", str(layout.socket)))
    kill([*cgroup_processes(cgroup_root, uids), *descendants(shims), *shims], signal.SIGKILL)
    folders = [layout.directory, *([pods_dir] if pods_dir else [])]
    unmount(mounts_below(folders))
    remove_cgroups(cgroup_root, uids)
    run("ip", "link", "delete", bridge)
    run("nft", "delete", "table", "ip", nft_table(bridge))
    forget_sandboxes(layout.cni_conf_dir)
    shutil.rmtree(layout.cni_conf_dir / "ipam", ignore_errors=True)  # addresses of pods that are gone
    remove_shim_sockets()
    layout.socket.unlink(missing_ok=True)
    left = [f"mount {path}" for path in mounts_below(folders)]
    left += [f"cgroup {path}" for path in cgroup_folders(cgroup_root, uids)]
    return left + [f"process {pid}" for pid in processes_with((str(layout.socket),))]


def nft_table(bridge: str) -> str:
    """The nftables table (family ip) that holds a node's masquerade rule."""
    return f"kybern-node-{bridge}"


def run(*command: str) -> str:
    """A command's output, or "" when it fails or is not installed: what it removes may be gone already."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def stop_sandboxes(socket: Path) -> None:
    """Stop and remove every sandbox through CRI, so that CNI takes its addresses and rules back."""
    import grpc

    from kybern.protos.runtime.v1 import api_pb2 as cri
    from kybern.protos.runtime.v1.api_pb2_grpc import RuntimeServiceStub

    with grpc.insecure_channel(f"unix:{socket}") as channel:
        stub = RuntimeServiceStub(channel)

        def remove(sandbox: str) -> None:
            with suppress(grpc.RpcError):
                stub.StopPodSandbox(cri.StopPodSandboxRequest(pod_sandbox_id=sandbox), timeout=30)
                stub.RemovePodSandbox(cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox), timeout=30)

        with suppress(grpc.RpcError), ThreadPoolExecutor(8) as pool:
            # Containers are killed first: StopPodSandbox would wait for each one's SIGTERM.
            containers = stub.ListContainers(cri.ListContainersRequest(), timeout=10).containers
            list(
                pool.map(
                    lambda c: stop_container(stub, c.id), [c for c in containers if c.state == cri.CONTAINER_RUNNING]
                )
            )
            items = stub.ListPodSandbox(cri.ListPodSandboxRequest(), timeout=10).items
            list(pool.map(remove, [item.id for item in items]))


def stop_container(stub: Any, container: str) -> None:
    """Kill one container at once."""
    import grpc

    from kybern.protos.runtime.v1 import api_pb2 as cri

    with suppress(grpc.RpcError):
        stub.StopContainer(cri.StopContainerRequest(container_id=container, timeout=0), timeout=30)


def processes_with(arguments: tuple[str, ...]) -> list[int]:
    """Processes whose command line contains all of these arguments, but not this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if all(a in line or os.path.basename(line[0]) == a for a in arguments):
                found.append(int(entry.name))
    return found


def remove_shim_sockets() -> None:
    """Files of shims that were killed: sockets on which nobody listens any more, whoever's they were."""
    for path in SHIM_SOCKETS.iterdir() if SHIM_SOCKETS.is_dir() else ():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                continue


def pod_uids(pods_dir: Path | None) -> set[str] | None:
    """The pods that a node has or had; None when nobody knows."""
    if pods_dir is None or not pods_dir.is_dir():
        return None
    return {entry.name for entry in pods_dir.iterdir()}


def cgroup_folders(cgroup_root: str, uids: set[str] | None = None) -> list[Path]:
    """Every cgroup at or below the node's (of these pods alone, if given), deepest first, in every hierarchy."""
    relative = cgroup_root.strip("/")
    if not relative or not CGROUPS.is_dir():
        return []
    tops = {(hierarchy / relative).resolve() for hierarchy in [CGROUPS, *CGROUPS.iterdir()] if hierarchy.is_dir()}
    found = [Path(folder) for top in tops if top.is_dir() for folder, _, _ in os.walk(top)]
    if uids is not None:
        found = [path for path in found if any(part.startswith("pod") and part[3:] in uids for part in path.parts)]
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def cgroup_processes(cgroup_root: str, uids: set[str] | None = None) -> list[int]:
    """Processes that still run in one of the node's cgroups."""
    found: set[int] = set()
    for folder in cgroup_folders(cgroup_root, uids):
        with suppress(OSError):
            found.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
    return sorted(found - {0})  # 0 stands for processes of other PID namespaces; to kill it would be to kill ourselves


def descendants(pids: Iterable[int]) -> list[int]:
    """Children of these processes, and theirs."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    waiting = list(pids)
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def kill(pids: Iterable[int], with_signal: signal.Signals, wait: float = 5.0) -> None:
    """Signal processes and wait until they are gone; those that outlast `wait` are killed."""
    waiting = set()
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, with_signal)
            waiting.add(pid)
    end = time.monotonic() + wait
    while waiting and time.monotonic() < end:
        waiting = {pid for pid in waiting if alive(pid)}
        time.sleep(0.01)
    if waiting and with_signal != signal.SIGKILL:
        kill(waiting, signal.SIGKILL, wait)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not, and a child of ours is reaped by looking."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def mounts_below(folders: Iterable[Path]) -> list[str]:
    """Mount points below these folders, deepest first."""
    tops = tuple(f"{folder.resolve()}/" for folder in folders)
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split(" ")[4].replace("\\040", " ") for line in lines]
    return sorted((point for point in points if point.startswith(tops)), key=len, reverse=True)


def unmount(points: list[str]) -> None:
    """Detach mounts, whoever still looks into them."""
    for start in range(0, len(points), 100):
        run("umount", "-l", "--", *points[start : start + 100])


def remove_cgroups(cgroup_root: str, uids: set[str] | None = None) -> None:
    """Remove the node's cgroups, and the parents that are empty then."""
    for folder in cgroup_folders(cgroup_root, uids):
        for _ in range(50):
            try:
                folder.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.01)  # the kernel needs a moment after the last process ended
    for folder in cgroup_folders(cgroup_root):
        with suppress(OSError):
            folder.rmdir()
    for hierarchy in CGROUPS.iterdir() if CGROUPS.is_dir() else ():
        parent = (hierarchy / cgroup_root.strip("/")).parent
        if parent not in (hierarchy, CGROUPS):
            with suppress(OSError):
                parent.rmdir()
