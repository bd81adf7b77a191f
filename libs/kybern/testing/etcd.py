"""etcd as a process of the test: real members on loopback that can be killed, stopped, and started again."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kybern.testing.ports import free_ports

NEWER = Path(__file__).resolve().parents[3] / "build" / "tools" / "etcd-3.6"  # tools/etcd.sh builds it


def binary(newer: bool = False) -> str:
    """The program; empty if it is not here."""
    if newer:
        return str(NEWER) if NEWER.exists() else ""
    return shutil.which("etcd") or ""


@dataclass
class Etcd:
    """One member."""

    name: str
    directory: Path
    client: str
    peer: str
    flags: Sequence[str] = ()
    tls: bool = False
    program: str = "etcd"
    fsync: bool = False
    process: subprocess.Popen[bytes] | None = None

    def start(self, cluster: str = "") -> None:
        """Start, or start again on the same data and ports."""
        scheme = "https" if self.tls else "http"
        command = [self.program, f"--name={self.name}", f"--data-dir={self.directory}"]
        command += [] if self.fsync else ["--unsafe-no-fsync"]
        command += [f"--listen-client-urls={scheme}://{self.client}", "--logger=zap", "--log-level=error"]
        command += [f"--advertise-client-urls={scheme}://{self.client}", f"--listen-peer-urls=http://{self.peer}"]
        command += [f"--initial-advertise-peer-urls=http://{self.peer}", *self.flags]
        command += [f"--initial-cluster={cluster or f'{self.name}=http://{self.peer}'}"]
        with self.directory.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def pause(self) -> None:
        """SIGSTOP: the connections stand, nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)  # on a busy machine it runs on for a while

    def resume(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def new_member(
    directory: Path, name: str, flags: Sequence[str] = (), tls: bool = False, program: str = "", fsync: bool = False
) -> Etcd:
    """A member that is not started yet; without `fsync` a power cut may lose what it acknowledged."""
    client, peer = (f"127.0.0.1:{port}" for port in free_ports(2))
    return Etcd(name, directory / name, client, peer, flags, tls, program or binary(), fsync)


@contextmanager
def clusters(directory: Path) -> Iterator[Callable[..., list[Etcd]]]:
    """Yields `make(count, flags, tls, program)`, which starts a cluster; all are killed at the end."""
    members: list[Etcd] = []

    def make(count: int = 1, flags: Sequence[str] = (), tls: bool = False, program: str = "") -> list[Etcd]:
        new = [new_member(directory, f"m{len(members) + i}", flags, tls, program) for i in range(count)]
        members.extend(new)
        for member in new:
            member.start(",".join(f"{other.name}=http://{other.peer}" for other in new))
        return new

    try:
        yield make
    finally:
        for member in members:
            member.kill()
