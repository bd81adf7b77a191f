"""A pod's status from what the runtime has: phases, reasons, conditions and their times."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kybern.node.core.pod_actions import Health
from kybern.node.core.pod_status import Observed, compute_status
from kybern.node.core.runtime_pod import Container, RuntimePod, Sandbox, State

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOX = Sandbox("s", ips=("10.0.0.2",))
READY = Health(started=frozenset({"a", "i"}), ready=frozenset({"a", "i"}))


def pod(policy: str = "Always", **more: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "a", "image": "x:1"}], "restartPolicy": policy, **more}
    return {"metadata": {"name": "p", "namespace": "d", "uid": "u"}, "spec": spec}


def container(state: State, code: int = 0, name: str = "a", attempt: int = 0, **more: Any) -> Container:
    more |= {"started_at": NOW, "finished_at": NOW if state is State.EXITED else None}
    return Container(name, name, "s", attempt, state, exit_code=code, image="full/x:1", image_ref="sha", **more)


def observed(*containers: Container, health: Health = READY, **more: Any) -> Observed:
    runtime = RuntimePod("u", "d", "p", (BOX,) if containers else (), containers)
    return Observed(runtime, NOW, health, host_ips=("1.1.1.1",), **more)


RUN, DONE, FAIL = container(State.RUNNING), container(State.EXITED), container(State.EXITED, 3)
INITS = [{"name": "i", "image": "x"}]


@pytest.mark.parametrize(("wish", "seen", "phase"), [
    (pod(), observed(), "Pending"),
    (pod(), observed(RUN), "Running"),
    (pod(), observed(DONE), "Running"),
    (pod("Never"), observed(DONE), "Succeeded"),
    (pod("Never"), observed(FAIL), "Failed"),
    (pod("OnFailure"), observed(DONE), "Succeeded"),
    (pod("OnFailure"), observed(FAIL), "Running"),
    (pod("OnFailure"), observed(FAIL, waiting={"a": ("CrashLoopBackOff", "")}), "Running"),
    (pod(), observed(FAIL, waiting={"a": ("CrashLoopBackOff", "")}), "Running"),
    (pod(initContainers=INITS), observed(container(State.RUNNING, name="i")), "Pending"),
    (pod("Never", initContainers=INITS), observed(container(State.EXITED, 1, name="i")), "Failed"),
    (pod(initContainers=INITS), observed(container(State.EXITED, 1, name="i")), "Pending"),
])  # fmt: skip
def test_phase(wish: Any, seen: Observed, phase: str) -> None:
    assert compute_status(wish, seen)["phase"] == phase


def test_a_running_container() -> None:
    status = compute_status(pod(), observed(RUN))
    assert status["containerStatuses"] == [
        {
            "name": "a", "image": "full/x:1", "imageID": "sha", "containerID": "containerd://a", "lastState": {},
            "ready": True, "started": True, "restartCount": 0,
            "state": {"running": {"startedAt": "2026-01-01T12:00:00Z"}},
        }
    ]  # fmt: skip
    assert status["podIPs"] == [{"ip": "10.0.0.2"}]
    assert status["hostIP"] == "1.1.1.1"


def test_crash_loop_shows_the_end_as_last_state() -> None:
    seen = observed(replace(FAIL, attempt=4, reason="OOMKilled"), waiting={"a": ("CrashLoopBackOff", "back-off")})
    status = compute_status(pod(), seen)["containerStatuses"][0]
    assert status["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    assert status["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert status["restartCount"] == 4


@pytest.mark.parametrize(("wish", "seen", "expected"), [
    (pod(), observed(RUN), {"Initialized": "True", "Ready": "True", "ContainersReady": "True"}),
    (pod(), observed(RUN, health=Health(started=frozenset("a"))), {"Ready": "False", "ContainersReady": "False"}),
    (pod(), observed(), {"PodReadyToStartContainers": "False", "Initialized": "True", "Ready": "False"}),
    (pod(initContainers=INITS), observed(container(State.RUNNING, name="i")), {"Initialized": "False"}),
    (pod(readinessGates=[{"conditionType": "gate"}]), observed(RUN), {"Ready": "False", "ContainersReady": "True"}),
])  # fmt: skip
def test_conditions(wish: Any, seen: Observed, expected: dict[str, str]) -> None:
    found = {c["type"]: c["status"] for c in compute_status(wish, seen)["conditions"]}
    assert expected.items() <= found.items()


def test_transition_times_move_only_with_the_status() -> None:
    first = compute_status(pod(), observed(RUN))
    later = replace(observed(RUN, health=Health(started=frozenset("a"))), now=NOW + timedelta(seconds=9))
    theirs = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}]
    wish = {**pod(), "status": {**first, "conditions": [*theirs, *first["conditions"]]}}
    second = {c["type"]: c for c in compute_status(wish, later)["conditions"]}
    assert second["Initialized"]["lastTransitionTime"] == "2026-01-01T12:00:00Z"
    assert second["Ready"]["lastTransitionTime"] == "2026-01-01T12:00:09Z"
    assert second["Ready"]["message"] == "containers with unready status: [a]"
    assert second["PodScheduled"] == theirs[0]


def test_a_finished_pod_stays_finished_when_the_runtime_forgets_it() -> None:
    done = compute_status(pod("Never"), observed(DONE))
    again = compute_status({**pod("Never"), "status": done}, observed())
    assert again["phase"] == "Succeeded"
    assert again["containerStatuses"] == done["containerStatuses"]


@pytest.mark.parametrize(
    ("seen", "phase", "reason"),
    [
        (observed(DONE, ended=True), "Succeeded", "Completed"),
        (observed(FAIL, ended=True), "Failed", "Error"),
        (observed(ended=True), "Failed", "ContainerStatusUnknown"),
    ],
)
def test_a_pod_stopped_for_good_is_over_whatever_its_policy(seen: Observed, phase: str, reason: str) -> None:
    status = compute_status(pod("Always"), seen)
    assert status["phase"] == phase
    assert status["containerStatuses"][0]["state"]["terminated"]["reason"] == reason


def test_containers_behind_a_failed_init_container_have_not_ended() -> None:
    wish = pod(initContainers=[{"name": "i", "image": "x"}], restartPolicy="Never")
    failed = replace(container(State.EXITED, name="i"), exit_code=1)
    status = compute_status(wish, replace(observed(failed), ended=True))
    assert status["phase"] == "Failed"
    assert [list(one["state"]) for one in status["containerStatuses"]] == [["waiting"]]
