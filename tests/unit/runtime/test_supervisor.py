"""The supervisor with small programs and one real service: start, readiness, restart, order of stopping."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle

SCRIPT = """
import sys, json
from pathlib import Path
from kybern.runtime.processes import ProcessSpec
from kybern.runtime.supervisor import Supervisor
run, logs, specs = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
specs = [ProcessSpec(**{**s, "arguments": tuple(s["arguments"])}) for s in specs]
Supervisor(specs, run, logs, {"fact": 1}).run()
"""


class Supervised:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, specs: list[dict[str, Any]]) -> None:
        self.folder = folder
        (folder / "run").mkdir()
        (folder / "logs").mkdir()
        arguments = [str(folder / "run"), str(folder / "logs"), json.dumps(specs)]
        self.process = subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stderr=subprocess.DEVNULL)

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        path = self.folder / "run" / "status.json"
        return {row["name"]: row for row in json.loads(path.read_text())["processes"]} if path.exists() else {}

    def wait(self, condition: Callable[[dict[str, dict[str, Any]]], bool], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not ((rows := self.rows) and condition(rows)):
            assert time.monotonic() < deadline, rows
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    running: list[Supervised] = []

    def begin(*specs: dict[str, Any]) -> Supervised:
        running.append(Supervised(tmp_path, list(specs)))
        return running[-1]

    yield begin
    for supervised in running:
        supervised.stop()


def program(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "program": "/bin/sh", "arguments": ["-c", script], **more}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_crashed_program_starts_again_and_others_carry_on(start: Callable[..., Supervised]) -> None:
    supervised = start(program("steady", "sleep 60"), program("shaky", "sleep 60"))
    supervised.wait(lambda rows: all(row["ready"] for row in rows.values()))
    before = supervised.rows
    os.kill(before["shaky"]["pid"], signal.SIGKILL)
    supervised.wait(lambda rows: rows["shaky"]["restarts"] == 1 and rows["shaky"]["ready"])
    after = supervised.rows
    assert after["shaky"]["pid"] != before["shaky"]["pid"]
    assert after["steady"] == before["steady"]


def test_restarts_wait_longer_each_time(start: Callable[..., Supervised]) -> None:
    supervised = start(program("broken", "exit 3"))
    supervised.wait(lambda rows: rows["broken"]["restarts"] == 3)
    time.sleep(0.3)
    assert supervised.rows["broken"]["restarts"] == 3


def test_stopping_ends_everything_in_order(start: Callable[..., Supervised], tmp_path: Path) -> None:
    note = f"trap 'echo $0 >> {tmp_path}/order; exit 0' TERM; while :; do sleep 0.05; done"
    specs = [{**program(n, note), "stop_order": order} for n, order in (("c", 2), ("a", 0), ("b", 1))]
    for spec in specs:
        spec["arguments"] = [*spec["arguments"], spec["name"]]
    supervised = start(*specs)
    supervised.wait(lambda rows: all(row["ready"] for row in rows.values()))
    time.sleep(0.3)
    pids = [row["pid"] for row in supervised.rows.values()]
    supervised.stop()
    assert (tmp_path / "order").read_text().split() == ["a", "b", "c"]
    assert not any(alive(pid) for pid in pids)


def test_everything_ends_with_a_killed_supervisor(start: Callable[..., Supervised]) -> None:
    supervised = start(program("child", "exec sleep 60"))
    supervised.wait(lambda rows: rows["child"]["ready"])
    pid = supervised.rows["child"]["pid"]
    supervised.process.kill()
    supervised.process.wait()
    deadline = time.monotonic() + 5
    while alive(pid) and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_program_waits_for_the_socket_it_needs(start: Callable[..., Supervised], tmp_path: Path) -> None:
    supervised = start(program("late", "sleep 60", waits_for=str(tmp_path / "socket")), program("first", "sleep 60"))
    supervised.wait(lambda rows: rows["first"]["ready"])
    assert supervised.rows["late"]["pid"] == 0
    (tmp_path / "socket").touch()
    supervised.wait(lambda rows: rows["late"]["pid"] != 0)


def test_a_forked_service_says_when_it_is_ready(start: Callable[..., Supervised], tmp_path: Path) -> None:
    now = datetime.now(UTC)
    identity = Identity("system:kybern:traces", (), ("traces.kybern",))
    write_bundle(tmp_path / "pki", issue(create_ca(tmp_path, now), identity, timedelta(hours=1), now))
    arguments = ["--address", f"unix:{tmp_path}/traces.sock", "--pki", str(tmp_path / "pki")]
    supervised = start({"name": "traces", "service": "traces", "arguments": arguments})
    supervised.wait(lambda rows: rows["traces"]["ready"])
    pid = supervised.rows["traces"]["pid"]
    assert Path(f"/proc/{pid}/comm").read_text() == "kybern-traces\n"
    supervised.stop()
    assert supervised.rows["traces"] == {
        "name": "traces", "pid": 0, "ready": False, "restarts": 0, "exit": 0, "service": True,
    }  # fmt: skip
