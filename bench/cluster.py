"""Clusters for the benchmarks: started by the real command, on a data dir of their own, always stopped again."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KYBERN = [sys.executable, "-m", "kybern.cli.main"]


@dataclass(frozen=True)
class Cluster:
    """A running cluster; `seconds` is what `kybern up` took."""

    data_dir: Path
    seconds: float

    @property
    def status(self) -> dict[str, Any]:
        done = subprocess.run(
            [*KYBERN, "status", "-o", "json", "--data-dir", str(self.data_dir)], capture_output=True, text=True
        )
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    @property
    def memory_mb(self) -> float:
        """PSS of all services together."""
        return sum(self._pss_mb().values())

    @property
    def api_memory_mb(self) -> float:
        """PSS of what answers the API: apiserver (with its store) and gateway."""
        pss = self._pss_mb()
        return pss["apiserver"] + pss["gateway"]

    def _pss_mb(self) -> dict[str, float]:
        return {row["name"]: float(row["pss_kb"]) / 1024 for row in self.status["processes"] if row["service"]}

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        command = ["kubectl", "--kubeconfig", str(self.data_dir / "admin.kubeconfig"), *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout


@contextmanager
def cluster(*flags: str) -> Iterator[Cluster]:
    """`kybern up` with these flags and a free port; `kybern down --purge` at the end."""
    with tempfile.TemporaryDirectory(prefix="kb") as folder:
        data_dir = Path(folder) / "d"
        began = time.monotonic()
        command = [*KYBERN, "up", "--data-dir", str(data_dir), "--secure-port", "0", *flags]
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.monotonic() - began
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        try:
            yield Cluster(data_dir, seconds)
        finally:
            subprocess.run([*KYBERN, "down", "--purge", "--data-dir", str(data_dir)], capture_output=True)


def process_cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(c: Cluster) -> dict[str, float]:
    """CPU time of every service so far."""
    rows = c.status["processes"]
    return {row["name"]: process_cpu_seconds(row["pid"]) for row in rows if row["pid"] and row["service"]}
