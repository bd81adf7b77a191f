"""The one cluster with containers that a host can have at a time (bridge, nftables, ports): a lock, and turns.

Tests that share a cluster ask for `shared()`; a test that starts its own asks for `free()` first. Other processes wait.
"""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from kybern.testing.cluster.process import Cluster, ClusterError

LOCK = Path(tempfile.gettempdir()) / "kybern-real-node.lock"
NODES_LOCK = Path("/run/kybern-nodes.lock")  # what a running cluster with nodes holds
LOCKED_WITHIN = 900  # seconds that another process may hold the host
NEEDED = ("containerd", "runc", "busybox", "catatonit")


def skip_without_containers() -> None:
    """Skip by name where real nodes cannot run."""
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip("needs root and " + ", ".join(missing or NEEDED))


class ContainerHost:
    """Holds the host's lock from the first use to `close()`."""

    def __init__(self) -> None:
        self._handle = -1
        self._shared: Cluster | None = None

    def _lock(self) -> None:
        if self._handle >= 0:
            return
        end = time.monotonic() + LOCKED_WITHIN
        self._handle = wait_for(LOCK, end)
        if NODES_LOCK.exists():  # a cluster that nobody started for a test
            os.close(wait_for(NODES_LOCK, end))

    def shared(self) -> Cluster:
        """A cluster with one node, the same for every test that asks while it works."""
        skip_without_containers()
        self._lock()
        if self._shared is not None and not self._shared.works():
            self.free()
        if self._shared is None:
            self._shared = Cluster.start("--nodes", "1")
        return self._shared

    def free(self) -> None:
        """Nothing of ours runs on the host, and nothing else will until `close()`."""
        skip_without_containers()
        self._lock()
        if self._shared is not None:
            stopping, self._shared = self._shared, None
            stopping.stop()

    def close(self) -> None:
        """Stop what is shared and let others have the host."""
        try:
            if self._shared is not None:
                self._shared.stop()
        except ClusterError as error:
            pytest.fail(str(error))
        finally:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1


def wait_for(lock: Path, end: float) -> int:
    """A descriptor that holds a lock; the test fails when another process keeps it."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(handle)
                pytest.fail(f"another process holds {lock}")
            time.sleep(0.1)
