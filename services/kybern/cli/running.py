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
