"""The running cluster as its status file and lock tell it."""

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from kybern.cli.core.layout import Layout
from kybern.cli.core.options import UsageError

HOST_LOCK = Path("/run/kybern-nodes.lock")


def take_lock(path: Path) -> int | None:
    """A descriptor that holds the cluster's lock, or None while a supervisor holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def claim_host(data_dir: Path) -> int:
    """A descriptor that holds this host's nodes for one data dir: bridge, rules and cgroups are there once.

    Raises UsageError while another cluster has them.
    """
    handle = take_lock(HOST_LOCK)
    if handle is None:
        with suppress(OSError):
            owner = HOST_LOCK.read_text().strip()
            raise UsageError(
                f"a cluster with nodes already runs on this host, on {owner}; "
                f"stop it (kybern down --data-dir {owner}), or start this one with --nodes 0 --simulated-nodes 1"
            )
        return claim_host(data_dir)  # it has just gone
    with suppress(FileNotFoundError):
        if not os.path.samestat(os.fstat(handle), HOST_LOCK.stat()):
            raise FileNotFoundError
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{data_dir}\n".encode(), 0)
        return handle
    os.close(handle)
    return claim_host(data_dir)  # `kybern down` removed the file between our opening and locking it


def is_running(layout: Layout) -> bool:
    """Whether a supervisor holds the lock."""
    if not layout.lock.exists():
        return False
    handle = take_lock(layout.lock)
    if handle is None:
        return True
    os.close(handle)
    return False


def read_status(layout: Layout) -> dict[str, Any]:
    """The supervisor's last word; empty when there is none."""
    with suppress(OSError, ValueError):
        document = json.loads(layout.status.read_text())
        assert isinstance(document, dict)
        return document
    return {}


def require_running(layout: Layout) -> dict[str, Any]:
    """The status of a running cluster, or UsageError."""
    if not is_running(layout):
        raise UsageError(f"no cluster runs on {layout.data}; start one with `kybern up --data-dir {layout.data}`")
    return read_status(layout)


def wait_gone(layout: Layout, seconds: float) -> bool:
    """Wait until no supervisor holds the lock."""
    deadline = time.monotonic() + seconds
    while is_running(layout):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
