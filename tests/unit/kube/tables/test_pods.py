"""The STATUS, READY and RESTARTS of pods, as kubectl users know them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.kube.tables.pods import pod_cells

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RUNNING = {"state": {"running": {}}, "ready": True, "restartCount": 0}
DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}, "restartCount": 0}
INIT_DONE = {**DONE, "name": "i"}


def waiting(reason: str, **extra: Any) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason}}, "restartCount": 0, **extra}


def ended(code: int, reason: str = "", signal: int = 0) -> dict[str, Any]:
    state = {"exitCode": code, **({"reason": reason} if reason else {}), **({"signal": signal} if signal else {})}
    return {"state": {"terminated": state}, "restartCount": 1}


def pod(
    containers: list[Any], inits: Any = (), conditions: Any = (), spec: Any = None, **status: Any
) -> dict[str, Any]:
    states = {"containerStatuses": containers, "initContainerStatuses": inits, "conditions": conditions}
    declared = {"containers": [{}] * max(1, len(containers)), "initContainers": [{"name": "i"}] * len(inits)}
    return {
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T11:58:00Z", **status.pop("metadata", {})},
        "spec": {**declared, **(spec or {})},
        "status": {"phase": "Running", **states, **status},
    }


READY = [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]
SIDECAR = {"initContainers": [{"name": "i", "restartPolicy": "Always"}]}
GATED = [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]
DELETED = {"deletionTimestamp": "2026-01-01T12:00:00Z"}
LAST = {"terminated": {"finishedAt": "2026-01-01T11:55:00Z"}}
CASES = [
    ("running", pod([RUNNING], conditions=READY), "1/1", "Running", "0"),
    ("pending", pod([], phase="Pending"), "0/1", "Pending", "0"),
    ("gated", pod([], phase="Pending", conditions=GATED), "0/1", "SchedulingGated", "0"),
    ("creating", pod([waiting("ContainerCreating")], phase="Pending"), "0/1", "ContainerCreating", "0"),
    (
        "crash loop",
        pod([{**waiting("CrashLoopBackOff", lastState=LAST), "restartCount": 2}]),
        "0/1",
        "CrashLoopBackOff",
        "2 (5m ago)",
    ),
    ("completed", pod([DONE], phase="Succeeded"), "0/1", "Completed", "0"),
    ("one completed, one running", pod([RUNNING, DONE], conditions=READY), "1/2", "Running", "0"),
    ("one completed, one not ready", pod([RUNNING, DONE]), "1/2", "NotReady", "0"),
    ("exit code", pod([ended(3)], phase="Failed"), "0/1", "ExitCode:3", "1"),
    ("signal", pod([ended(137, signal=9)], phase="Failed"), "0/1", "Signal:9", "1"),
    ("error", pod([ended(1, "Error")], phase="Failed"), "0/1", "Error", "1"),
    ("evicted", pod([], phase="Failed", reason="Evicted"), "0/1", "Evicted", "0"),
    (
        "init running",
        pod(
            [waiting("PodInitializing")],
            inits=[INIT_DONE, {"name": "i", "state": {"running": {}}, "restartCount": 0}],
            phase="Pending",
        ),
        "0/1",
        "Init:1/2",
        "0",
    ),
    (
        "init failing",
        pod([waiting("PodInitializing")], inits=[{"name": "i", **ended(1, "Error")}], phase="Pending"),
        "0/1",
        "Init:Error",
        "1",
    ),
    (
        "init backing off",
        pod([waiting("PodInitializing")], inits=[waiting("CrashLoopBackOff", name="i")], phase="Pending"),
        "0/1",
        "Init:CrashLoopBackOff",
        "0",
    ),
    (
        "init exit code",
        pod([waiting("PodInitializing")], inits=[{"name": "i", **ended(2)}], phase="Pending"),
        "0/1",
        "Init:ExitCode:2",
        "1",
    ),
    (
        "inits done",
        pod([waiting("PodInitializing")], inits=[INIT_DONE], phase="Pending"),
        "0/1",
        "PodInitializing",
        "0",
    ),
    (
        "sidecar",
        pod([RUNNING], inits=[{**RUNNING, "name": "i", "started": True}], spec=SIDECAR, conditions=READY),
        "2/2",
        "Running",
        "0",
    ),
    ("terminating", pod([RUNNING], conditions=READY, metadata=DELETED), "1/1", "Terminating", "0"),
    ("node lost", pod([RUNNING], conditions=READY, metadata=DELETED, reason="NodeLost"), "1/1", "Unknown", "0"),
    ("deleted after its end", pod([DONE], phase="Succeeded", metadata=DELETED), "0/1", "Completed", "0"),
]


@pytest.mark.parametrize(("obj", "ready", "status", "restarts"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_pod_row(obj: dict[str, Any], ready: str, status: str, restarts: str) -> None:
    assert pod_cells(obj, NOW)[:5] == ["p", ready, status, restarts, "2m"]


def test_wide_columns() -> None:
    obj = pod(
        [RUNNING], conditions=[*READY, {"type": "x", "status": "True"}], podIPs=[{"ip": "10.0.0.1"}], podIP="10.0.0.1"
    )
    obj["spec"] |= {"nodeName": "n1", "readinessGates": [{"conditionType": "x"}, {"conditionType": "y"}]}
    assert pod_cells(obj, NOW)[5:] == ["10.0.0.1", "n1", "<none>", "1/2"]
    assert pod_cells(pod([]), NOW)[5:] == ["<none>"] * 4
