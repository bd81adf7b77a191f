"""Where a cluster on one host keeps its files."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

LONGEST_RUN_DIR = 80  # bytes; a socket's whole path may have 107


def default_data_dir(root: bool, home: str, xdg_data_home: str) -> Path:
    """The system folder as root, the user's data folder otherwise."""
    if root:
        return Path("/var/lib/kybern")
    return Path(xdg_data_home or f"{home}/.local/share") / "kybern"


@dataclass(frozen=True)
class Layout:
    """Paths below one data dir."""

    data: Path

    @property
    def run(self) -> Path:
        """Sockets, lock and status; outside the data dir when its path is too long for a socket."""
        inside = self.data / "run"
        if len(bytes(inside)) <= LONGEST_RUN_DIR:
            return inside
        return Path(tempfile.gettempdir()) / f"kybern-{hashlib.sha256(bytes(self.data)).hexdigest()[:12]}"

    @property
    def pki(self) -> Path:
        return self.data / "pki"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def kubeconfig(self) -> Path:
        return self.data / "admin.kubeconfig"

    @property
    def cluster(self) -> Path:
        return self.data / "cluster.json"

    @property
    def lock(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def status(self) -> Path:
        return self.run / "status.json"

    def node(self, name: str) -> Path:
        return self.data / "nodes" / name

    def socket(self, name: str) -> str:
        """The gRPC target of a service."""
        return f"unix:{self.run / name}.sock"
