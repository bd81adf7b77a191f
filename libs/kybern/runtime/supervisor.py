"""The zygote and supervisor of a cluster on one host.

It has imported what all services share and forks one process a service before any gRPC object exists, so it must
itself never create one. Each fork imports its own package, all cores at once; the zygote does so later, when everything
is ready, so that a service that has crashed is back within milliseconds. One thread, one loop: signals, readiness,
exits, due restarts, due certificate rotations. Its state for others is `run/status.json`, replaced whole at every
change.
"""

import gc
import importlib
import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kybern.runtime.processes import Backoff, ProcessSpec
from kybern.runtime.spawn import spawn

log = logging.getLogger("kybern.supervisor")
STOP_GRACE = 10.0  # seconds from SIGTERM to SIGKILL
TICK = 1.0  # longest wait of the loop, seconds


@dataclass
class Child:
    """One process under supervision."""

    spec: ProcessSpec
    pid: int = 0
    ready: bool = False
    ready_socket: socket.socket | None = None
    started: float = 0.0
    restarts: int = 0
    exit: int = 0  # status of the last one that ended; negative: the signal that ended it
    backoff: Backoff = field(default_factory=Backoff)
    start_at: float | None = 0.0  # when to start it; None while it runs


class Supervisor:
    """Runs the given processes until SIGTERM, then stops them in order.

    `periodic` is called about once a second with the supervisor idle; it must not block (rotation of certificates).
    """

    def __init__(self, specs: Iterable[ProcessSpec], run_dir: Path, log_dir: Path, facts: dict[str, object]) -> None:
        self.children = {spec.name: Child(spec) for spec in specs}
        self.run_dir, self.log_dir, self.facts = run_dir, log_dir, facts
        self.stopping = False
        self.periodic: Callable[[], None] = lambda: None
        self._unloaded = list({child.spec.service for child in self.children.values() if child.spec.service})
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()

    def run(self) -> None:
        """Supervise until a signal ends it; returns with every process gone."""
        self._install_signals()
        gc.disable()  # in the zygote; forks turn it on again
        try:
            while not self.stopping:
                self._start_due()
                self._wait()
                self._reap()
                self._preload()
                self.periodic()
        finally:
            self._stop_all()
            self._write_status()

    def _install_signals(self) -> None:
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        signal.set_wakeup_fd(self._wake_write.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        self._selector.register(self._wake_read, selectors.EVENT_READ)

    def _on_stop(self, *_: object) -> None:
        self.stopping = True

    def _start_due(self) -> None:
        now, changed = time.monotonic(), False
        for child in self.children.values():
            if child.start_at is None or child.start_at > now:
                continue
            if child.spec.waits_for and not Path(child.spec.waits_for).exists():
                continue
            gc.freeze()  # what is shared with the forks stays shared
            child.pid, child.ready_socket = spawn(child.spec, self.log_dir / f"{child.spec.name}.log")
            child.start_at, child.started, child.ready = None, now, child.ready_socket is None
            if child.ready_socket is not None:
                self._selector.register(child.ready_socket, selectors.EVENT_READ, child)
            changed = True
        if changed:
            self._write_status()

    def _preload(self) -> None:
        """Once everything is ready, import what only the forks have so far: their next start is faster."""
        if self._unloaded and all(child.ready for child in self.children.values()):
            importlib.import_module(f"kybern.{self._unloaded.pop()}.service")

    def _wait(self) -> None:
        due = [c.start_at for c in self.children.values() if c.start_at is not None]
        waiting = any(c.start_at is not None and c.spec.waits_for for c in self.children.values())
        timeout = min([TICK, *(max(0.0, at - time.monotonic()) for at in due)])
        for key, _ in self._selector.select(max(timeout, 0.02) if waiting else timeout):
            if key.fileobj is self._wake_read:
                with suppress(BlockingIOError):
                    self._wake_read.recv(4096)
            else:
                self._on_ready(key.data)

    def _on_ready(self, child: Child) -> None:
        assert child.ready_socket is not None
        said = b""
        with suppress(OSError):
            said = child.ready_socket.recv(1)
        self._forget_socket(child)
        if said:
            child.ready = True
            self._write_status()

    def _forget_socket(self, child: Child) -> None:
        if child.ready_socket is not None:
            self._selector.unregister(child.ready_socket)
            child.ready_socket.close()
            child.ready_socket = None

    def _reap(self) -> None:
        for child in self.children.values():
            if child.pid == 0:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._on_exit(child, status)

    def _on_exit(self, child: Child, status: int) -> None:
        self._forget_socket(child)
        child.backoff, delay = child.backoff.after_exit(time.monotonic() - child.started)
        child.pid, child.ready, child.exit = 0, False, os.waitstatus_to_exitcode(status)
        if not self.stopping:
            child.restarts += 1
            child.start_at = time.monotonic() + delay
            log.warning("%s ended (%s), starts again in %.1f s", child.spec.name, child.exit, delay)
        self._write_status()

    def _stop_all(self) -> None:
        self.stopping = True
        for order in sorted({c.spec.stop_order for c in self.children.values()}):
            group = [c for c in self.children.values() if c.spec.stop_order == order and c.pid]
            for child in group:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_GRACE
            while any(c.pid for c in group):
                if time.monotonic() > deadline:
                    for child in group:
                        if child.pid:
                            log.warning("%s does not stop, killing it", child.spec.name)
                            os.kill(child.pid, signal.SIGKILL)
                    deadline = float("inf")
                self._reap()
                time.sleep(0.01)

    def _write_status(self) -> None:
        rows = [
            {
                "name": c.spec.name,
                "pid": c.pid,
                "ready": c.ready,
                "restarts": c.restarts,
                "exit": c.exit,
                "service": bool(c.spec.service),
            }
            for c in self.children.values()
        ]
        document = {**self.facts, "supervisor": os.getpid(), "stopping": self.stopping, "processes": rows}
        target = self.run_dir / "status.json"
        scratch = target.with_suffix(".tmp")
        scratch.write_text(json.dumps(document, indent=1))
        scratch.replace(target)
