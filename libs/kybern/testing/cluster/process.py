"""A cluster started and stopped through the command line, as a person does it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

UP_WITHIN, DOWN_WITHIN = 90, 120  # seconds
LOG_TAIL = 3000  # characters of a log that a failure shows


class ClusterError(Exception):
    """The cluster did not start or stop; the message has what the command printed."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster and what a client needs to reach it."""

    data_dir: Path

    @classmethod
    def start(cls, *flags: str) -> Cluster:
        """`kybern up` on any free port, with a data dir short enough for its sockets. Raises ClusterError."""
        cluster = cls(Path(tempfile.mkdtemp(prefix="kc")))
        try:
            cluster.kybern("up", "--secure-port", "0", *flags, timeout=UP_WITHIN)
        except ClusterError:
            shutil.rmtree(cluster.data_dir, ignore_errors=True)
            raise
        return cluster

    def stop(self) -> None:
        """`kybern down --purge`; a data dir that stays is an error."""
        self.kybern("down", "--purge", timeout=DOWN_WITHIN)
        if self.data_dir.exists():
            raise ClusterError(f"kybern down --purge left {self.data_dir}")

    def kybern(self, command: str, *flags: str, timeout: float = 30) -> str:
        """Run one command of `kybern` on this cluster; its output. Raises ClusterError."""
        line = [sys.executable, "-m", "kybern.cli.main", command, "--data-dir", str(self.data_dir), *flags]
        try:
            done = subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as late:
            raise ClusterError(f"kybern {command} takes longer than {late.timeout} s") from None
        if done.returncode:
            raise ClusterError(f"kybern {command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def log(self, service: str) -> str:
        """The end of a service's log."""
        path = self.data_dir / "logs" / f"{service}.log"
        return path.read_text(errors="replace")[-LOG_TAIL:] if path.exists() else ""

    def processes(self) -> dict[str, dict[str, Any]]:
        """Every process by name: pid, ready, restarts; as the supervisor wrote it last."""
        document = json.loads((self.data_dir / "run" / "status.json").read_text())
        return {row["name"]: row for row in document["processes"]}

    def works(self) -> bool:
        """Whether everything of it is ready."""
        try:
            self.status()
        except ClusterError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        """`kybern status -o json`."""
        document = json.loads(self.kybern("status", "-o", "json"))
        assert isinstance(document, dict)
        return document

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.data_dir / "admin.kubeconfig"

    @cached_property
    def server(self) -> str:
        """https://HOST:PORT."""
        return str(self._entry("clusters")["cluster"]["server"])

    @cached_property
    def ca(self) -> bytes:
        """The certificate (PEM) that the server is verified with."""
        return base64.b64decode(self._entry("clusters")["cluster"]["certificate-authority-data"])

    def _entry(self, section: str) -> dict[str, Any]:
        entry = yaml.safe_load(self.kubeconfig.read_text())[section][0]
        assert isinstance(entry, dict)
        return entry
