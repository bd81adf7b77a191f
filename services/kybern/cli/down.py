"""`kybern down`: stop the cluster and leave nothing behind but its data dir."""

import argparse
import os
import shutil
import signal
from contextlib import suppress

from kybern.cli.core.layout import Layout
from kybern.cli.core.options import UsageError
from kybern.cli.progress import Progress
from kybern.cli.running import HOST_LOCK, claim_host, is_running, read_status, wait_gone

STOPPED_WITHIN = 90.0  # seconds


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `kybern down`."""
    parser.add_argument("--purge", action="store_true", help="delete the data dir too: objects, certificates, logs")


def run(options: argparse.Namespace, layout: Layout) -> int:
    """0 when nothing is left."""
    progress = Progress()
    if not layout.data.exists():
        raise UsageError(f"there is no cluster on {layout.data}")
    if is_running(layout):
        pid = int(read_status(layout).get("supervisor", 0))
        if not pid:
            raise UsageError("the cluster is just starting; try again in a moment")
        progress.waiting("stopping services and pods")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if not wait_gone(layout, STOPPED_WITHIN):
            raise UsageError(f"the supervisor (pid {pid}) does not stop; see {layout.logs / 'supervisor.log'}")
        progress.step("services stopped")
    clean(layout, progress)
    shutil.rmtree(layout.run, ignore_errors=True)
    if options.purge:
        shutil.rmtree(layout.data)
        progress.step(f"{layout.data} deleted")
    return 0


def clean(layout: Layout, progress: Progress) -> None:
    """Leave the host as it was, unless its nodes are another cluster's now."""
    from kybern.cli.cleanup import clean_host, node_names

    if os.geteuid() != 0 or not node_names(layout):
        return
    try:
        lock = claim_host(layout.data)
    except UsageError:
        progress.step("host left alone: nodes of another cluster run on it")
        return
    left = clean_host(layout)
    HOST_LOCK.unlink(missing_ok=True)
    os.close(lock)
    progress.step("host clean" if not left else "could not remove: " + ", ".join(left))
