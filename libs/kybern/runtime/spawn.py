"""Start one process of a cluster: fork a service from the zygote, or execute a program.

The child gets its own session and log file, dies with its parent, and enters its network namespace before it runs.
"""

import ctypes
import gc
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from kybern.runtime.processes import ProcessSpec

PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
NETNS = Path("/run/netns")
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that happens; raises SystemExit if it has."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(128 + signal.SIGTERM)


def enter_namespace(name: str) -> None:
    """Move this process into a named network namespace."""
    with open(NETNS / name) as handle:
        if _libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter network namespace {name}")


def spawn(spec: ProcessSpec, log: Path) -> tuple[int, socket.socket | None]:
    """Fork; returns the pid and, for a service, a socket that turns readable when it is ready."""
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _become(spec, log, theirs, parent)
    theirs.close()
    if spec.service:
        return pid, ours
    ours.close()
    return pid, None


def _become(spec: ProcessSpec, log: Path, ready: socket.socket, parent: int) -> NoReturn:
    """The child: never returns to the caller's stack."""
    status = 70
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        die_with_parent(parent)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(spec.environment)
        if spec.namespace:
            enter_namespace(spec.namespace)
        if spec.program:
            os.execv(spec.program, [spec.program, *spec.arguments])
        status = _run_forked_service(spec, ready)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run_forked_service(spec: ProcessSpec, ready: socket.socket) -> int:
    from kybern.runtime.main import READY_FD, load_service, run_service

    gc.enable()
    os.environ[READY_FD] = str(ready.detach())
    set_title(f"kybern-{spec.name}")
    return run_service(load_service(spec.service), spec.arguments)


def set_title(title: str) -> None:
    """Name the process as `ps -o comm` shows it (15 bytes)."""
    Path("/proc/self/comm").write_text(title[:15])
