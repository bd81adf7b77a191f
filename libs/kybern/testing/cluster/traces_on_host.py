"""What a cluster could leave on its host. Others may use the host meanwhile, so only what can be the cluster's counts.

Processes, mounts, network namespaces, interfaces, routes, rules, cgroups, sockets of shims, files of CNI.
"""

import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
SHIM_SOCKETS = Path("/run/containerd/s")
CNI_RESULTS = Path("/var/lib/cni/results")
COUNTERS = re.compile(r"packets \d+ bytes \d+")


def run(*command: str) -> list[str]:
    """Lines that a command prints; none when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.splitlines()


def processes(data_dir: Path, *, containers: bool = True) -> set[int]:
    """Processes with a cluster's data dir in their command line, and (with `containers`) those in nodes' cgroups."""
    found = set()
    for entry in (entry for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        with suppress(OSError):
            if (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                continue  # ended, and init's to reap
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            named = any(str(data_dir) in word for word in words)
            if named or (containers and ":/kybern/node-" in (entry / "cgroup").read_text()):
                found.add(int(entry.name))
    return found


def cgroups() -> set[str]:
    """Cgroups of nodes in every hierarchy."""
    tops = [CGROUPS, *(entry for entry in CGROUPS.iterdir() if entry.is_dir() and not entry.is_symlink())]
    return {folder for top in tops for node in (top / "kybern").glob("node-*") for folder, _, _ in os.walk(node)}


def rules() -> set[str]:
    """nftables' tables, chains and rules, iptables' included; tables of tests that run beside are left out."""
    found, table, chain = set(), "", ""
    for line in run("nft", "list", "ruleset"):
        if line.startswith("table "):
            table, chain = line.removesuffix(" {"), ""
        elif line.startswith("\tchain "):
            chain = line.strip().removesuffix(" {")
        found.add(f"{table} / {chain} / {COUNTERS.sub('', line.strip())}")
    return {line for line in found if "kybtest" not in line and "kybbench" not in line}


def abandoned_sockets() -> set[str]:
    """Sockets of shims that nothing listens on any more."""
    open_ones = {line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()}
    there = SHIM_SOCKETS.iterdir() if SHIM_SOCKETS.is_dir() else ()
    return {str(path) for path in there if str(path) not in open_ones}


def links() -> set[str]:
    """Interfaces that belong to no bridge (a pod's that lost its bridge is one of them)."""
    lines = [line for line in run("ip", "-o", "link") if " master " not in line]
    return {line.split()[1].partition("@")[0].rstrip(":") for line in lines}


def namespaces() -> set[str]:
    """Network namespaces of further nodes."""
    return {str(path) for path in Path("/run/netns").glob("kybern-*")}


def results() -> set[str]:
    """What CNI remembers of pods on a node's bridge."""
    there = CNI_RESULTS.iterdir() if CNI_RESULTS.is_dir() else ()
    found = set()
    for path in there:
        with suppress(OSError):
            if re.search(r'"kybern\d', path.read_text(errors="replace")):
                found.add(str(path))
    return found


def nothing_left(data_dir: Path, before: set[str]) -> bool:
    """AssertionError that names what is there and was not."""
    left = host_state(data_dir) - before
    assert not left, "\n".join(sorted(left))
    return True


def host_state(data_dir: Path) -> set[str]:
    """All of it as lines that can be compared before and after."""
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    found = {f"mount {point}" for point in mounts if point.startswith(str(data_dir.resolve()))}
    found |= {f"process {pid}" for pid in processes(data_dir)}
    found |= {f"interface {name}" for name in links()} | {f"route {line}" for line in run("ip", "route")}
    found = {line for line in found if "kybtest" not in line and "kybbench" not in line}  # of tests beside this one
    found |= {f"file {name}" for name in namespaces() | results() | abandoned_sockets()}
    return found | {f"rule {line}" for line in rules()} | {f"cgroup {folder}" for folder in cgroups()}
