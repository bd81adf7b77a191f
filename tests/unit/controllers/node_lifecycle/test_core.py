"""Heartbeats, conditions, taints and zones, row by row."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.controllers.node_lifecycle.core import (
    ZoneState,
    compute_no_execute,
    compute_no_schedule,
    compute_pod_not_ready,
    compute_unknown_conditions,
    eviction_rate,
    is_silent,
    observe,
    zone_state,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def node(ready: str | None = "True", heartbeat: str = "1", *, taints: Any = (), **conditions: str) -> dict[str, Any]:
    found = [{"type": type_, "status": status} for type_, status in conditions.items()]
    if ready is not None:
        found.append({"type": "Ready", "status": ready, "lastHeartbeatTime": heartbeat})
    return {
        "metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"taints": [{"key": key, "effect": effect} for key, effect in taints]},
        "status": {"conditions": found},
    }


def lease(renewed: str) -> dict[str, Any]:
    return {"spec": {"renewTime": renewed}}


@pytest.mark.parametrize(
    ("case", "before", "after", "alive"),
    [
        ("nothing new", (node(), lease("1")), (node(), lease("1")), False),
        ("lease renewed", (node(), lease("1")), (node(), lease("2")), True),
        ("heartbeat in status", (node(), None), (node(heartbeat="2"), None), True),
        ("the controller itself said Unknown", (node(), lease("1")), (node("Unknown"), lease("1")), False),
        ("the node said False", (node(), lease("1")), (node("False"), lease("1")), True),
    ],
)
def test_signs_of_life(case: str, before: Any, after: Any, alive: bool) -> None:
    health = observe(observe(None, before[0], before[1], 10.0), after[0], after[1], 40.0)
    assert (health.seen_at == 40.0) == alive


def test_silence_takes_the_grace_period_and_a_minute_at_first() -> None:
    known = observe(None, node(), lease("1"), 0.0)
    assert not is_silent(known, 50.0, 50.0)
    assert is_silent(known, 50.0, 50.1)
    new = observe(None, node(None), None, 0.0)
    assert not is_silent(new, 50.0, 60.0)
    assert is_silent(new, 50.0, 60.1)


def test_unknown_conditions() -> None:
    conditions = compute_unknown_conditions(node("True", MemoryPressure="False", NetworkUnavailable="False"), NOW)
    assert conditions is not None
    found = {c["type"]: (c["status"], c.get("reason")) for c in conditions}
    assert found == {
        "Ready": ("Unknown", "NodeStatusUnknown"),
        "MemoryPressure": ("Unknown", "NodeStatusUnknown"),
        "DiskPressure": ("Unknown", "NodeStatusNeverUpdated"),
        "PIDPressure": ("Unknown", "NodeStatusNeverUpdated"),
        "NetworkUnavailable": ("False", None),
    }
    assert compute_unknown_conditions({**node(), "status": {"conditions": conditions}}, NOW) is None


SCHEDULE, EXECUTE = "NoSchedule", "NoExecute"
READY, REACH = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
DISK = "node.kubernetes.io/disk-pressure"


@pytest.mark.parametrize(
    ("case", "given", "schedule", "execute"),
    [
        ("fine", node(), None, None),
        ("not ready", node("False"), {(READY, SCHEDULE)}, {(READY, EXECUTE)}),
        ("unreachable", node("Unknown"), {(REACH, SCHEDULE)}, {(REACH, EXECUTE)}),
        ("never spoke", node(None), None, None),
        ("pressure", node(DiskPressure="True"), {(DISK, SCHEDULE)}, None),
        (
            "from not ready to unreachable",
            node("Unknown", taints=[(READY, SCHEDULE), (READY, EXECUTE), ("mine", EXECUTE)]),
            {(REACH, SCHEDULE), (READY, EXECUTE), ("mine", EXECUTE)},
            {(READY, SCHEDULE), (REACH, EXECUTE), ("mine", EXECUTE)},
        ),
        ("recovered", node(taints=[(REACH, SCHEDULE), ("mine", SCHEDULE)]), {("mine", SCHEDULE)}, None),
        ("already said", node("False", taints=[(READY, SCHEDULE), (READY, EXECUTE)]), None, None),
    ],
)
def test_taints(case: str, given: Any, schedule: Any, execute: Any) -> None:
    def flat(taints: Any) -> Any:
        return None if taints is None else {(taint["key"], taint["effect"]) for taint in taints}

    assert flat(compute_no_schedule(given, NOW)) == schedule
    assert flat(compute_no_execute(given, NOW)) == execute


def test_cordoned_nodes_and_disruptions() -> None:
    cordoned = node()
    cordoned["spec"]["unschedulable"] = True
    taints = compute_no_schedule(cordoned, NOW)
    assert [taint["key"] for taint in taints or []] == ["node.kubernetes.io/unschedulable"]
    tainted = node("Unknown", taints=[(REACH, EXECUTE)])
    assert compute_no_execute(tainted, NOW, none=True) == []


@pytest.mark.parametrize(
    ("ready", "unready", "state", "rate"),
    [
        (3, 0, ZoneState.NORMAL, 0.1),
        (1, 2, ZoneState.NORMAL, 0.1),
        (2, 3, ZoneState.PARTIAL_DISRUPTION, 0.0),
        (30, 40, ZoneState.PARTIAL_DISRUPTION, 0.01),
        (0, 1, ZoneState.FULL_DISRUPTION, 0.1),
    ],
)
def test_zones(ready: int, unready: int, state: ZoneState, rate: float) -> None:
    nodes = [node() for _ in range(ready)] + [node("Unknown") for _ in range(unready)]
    assert zone_state(nodes) is state
    assert eviction_rate(state, len(nodes)) == rate


def test_pods_of_a_silent_node_are_not_ready() -> None:
    pod = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    status = compute_pod_not_ready(pod, NOW)
    assert status is not None
    assert status["conditions"][0]["status"] == "False"
    assert compute_pod_not_ready({"status": status}, NOW) is None
    assert pod["status"]["conditions"][0]["status"] == "True"  # type: ignore[index]
