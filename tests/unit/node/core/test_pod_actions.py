"""compute_pod_actions as a table: one base case, and what each change of it decides."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.node.core.labels import container_hash
from kybern.node.core.pod_actions import Health, PodActions, compute_pod_actions
from kybern.node.core.runtime_pod import Container, RuntimePod, Sandbox, State

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALL = frozenset({"a-0", "b-0", "side-0", "init-0"})
HEALTHY = Health(started=ALL, ready=ALL)


def pod(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]
    return {"metadata": {"name": "p", "namespace": "d", "uid": "u"}, "spec": {"containers": containers, **spec}}


def container(name: str, state: State = State.RUNNING, code: int = 0, attempt: int = 0, **more: Any) -> Container:
    made = {"hash": container_hash({"name": name, "image": "x"}), "sandbox": "s0", **more}
    return Container(f"{name}-{attempt}", name, attempt=attempt, state=state, exit_code=code, **made)


def runtime(*containers: Container, sandboxes: tuple[Sandbox, ...] = (Sandbox("s0", ips=("10.0.0.2",)),)) -> RuntimePod:
    return RuntimePod("u", "d", "p", sandboxes, containers)


def ruled(*codes: int) -> dict[str, Any]:
    rule = {"action": "Restart", "exitCodes": {"operator": "In", "values": list(codes)}}
    return {"name": "a", "image": "x", "restartPolicy": "Never", "restartPolicyRules": [rule]}


A, B = container("a"), container("b")
DEAD_A, FAILED_A = container("a", State.EXITED), container("a", State.EXITED, 1)
DEAD_B = container("b", State.EXITED)
INIT = {"name": "init", "image": "x"}
SIDE = {"name": "side", "image": "x", "restartPolicy": "Always"}
GONE = (Sandbox("s0", 2, ready=False),)
READY = PodActions(sandbox="s0", initialized=True)

CASES: dict[str, tuple[dict[str, Any], RuntimePod, Health, PodActions]] = {
    "all run": (pod(), runtime(A, B), HEALTHY, READY),
    "nothing yet": (pod(), runtime(sandboxes=()), HEALTHY,
                    PodActions(create_sandbox=True, start=("a", "b"), initialized=True)),
    "sandbox without containers": (pod(), runtime(), HEALTHY, replace(READY, start=("a", "b"))),
    "sandbox died": (pod(), runtime(A, B, sandboxes=GONE), HEALTHY,
                     PodActions(True, True, attempt=3, start=("a", "b"), initialized=True)),
    "sandbox died, never restart": (pod(restartPolicy="Never"), runtime(DEAD_A, B, sandboxes=GONE), HEALTHY,
                                    PodActions(kill_pod=True, attempt=3)),
    "sandbox died, on failure, one done": (
        pod(restartPolicy="OnFailure"), runtime(DEAD_A, B, sandboxes=GONE), HEALTHY,
        PodActions(True, True, attempt=3, start=("b",), initialized=True)),
    "sandbox died, all done": (pod(restartPolicy="OnFailure"), runtime(DEAD_A, DEAD_B, sandboxes=GONE), HEALTHY,
                               PodActions(kill_pod=True, attempt=3)),
    "sandbox without address": (pod(), runtime(sandboxes=(Sandbox("s0"),)), HEALTHY,
                                PodActions(True, True, attempt=1, start=("a", "b"), initialized=True)),
    "one ended": (pod(), runtime(DEAD_A, B), HEALTHY, replace(READY, start=("a",))),
    "one ended, on failure": (pod(restartPolicy="OnFailure"), runtime(DEAD_A, B), HEALTHY, READY),
    "one failed, on failure": (pod(restartPolicy="OnFailure"), runtime(FAILED_A, B), HEALTHY,
                               replace(READY, start=("a",))),
    "one failed, never": (pod(restartPolicy="Never"), runtime(FAILED_A, B), HEALTHY, READY),
    "all ended, never": (pod(restartPolicy="Never"), runtime(FAILED_A, DEAD_B), HEALTHY, replace(READY, kill_pod=True)),
    "one failed, a rule wants it back": (pod(restartPolicy="Never", containers=[ruled(1), {"name": "b", "image": "x"}]),
                                         runtime(FAILED_A, B), HEALTHY, replace(READY, start=("a",))),
    "one failed, no rule for that": (pod(restartPolicy="Never", containers=[ruled(2), {"name": "b", "image": "x"}]),
                                     runtime(FAILED_A, B), HEALTHY, READY),
    "init failed, its own policy": (
        pod(initContainers=[{**INIT, "restartPolicy": "OnFailure"}], restartPolicy="Never"),
        runtime(container("init", State.EXITED, 1)), HEALTHY, PodActions(sandbox="s0", start=("init",))),
    "init failed, never again": (
        pod(initContainers=[{**INIT, "restartPolicy": "Never"}]),
        runtime(container("init", State.EXITED, 1)), HEALTHY, PodActions(kill_pod=True, sandbox="s0")),
    "init to do": (pod(initContainers=[INIT]), runtime(sandboxes=()), HEALTHY,
                   PodActions(create_sandbox=True, start=("init",))),
    "init runs": (pod(initContainers=[INIT]), runtime(container("init")), HEALTHY, PodActions(sandbox="s0")),
    "init done": (pod(initContainers=[INIT]), runtime(container("init", State.EXITED)), HEALTHY,
                  replace(READY, start=("a", "b"))),
    "init failed": (pod(initContainers=[INIT]), runtime(container("init", State.EXITED, 1)), HEALTHY,
                    PodActions(sandbox="s0", start=("init",))),
    "init failed, never": (pod(initContainers=[INIT], restartPolicy="Never"),
                           runtime(container("init", State.EXITED, 1)), HEALTHY,
                           PodActions(kill_pod=True, sandbox="s0")),
    "init forgotten while all run": (pod(initContainers=[INIT]), runtime(A, B), HEALTHY, READY),
    "sidecar to start": (pod(initContainers=[SIDE]), runtime(), HEALTHY, PodActions(sandbox="s0", start=("side",))),
    "sidecar not started": (pod(initContainers=[SIDE]), runtime(container("side")), Health(), PodActions(sandbox="s0")),
    "sidecar started": (pod(initContainers=[SIDE]), runtime(container("side")), HEALTHY,
                        replace(READY, start=("a", "b"))),
    "sidecar died later": (pod(initContainers=[SIDE]), runtime(A, B, container("side", State.EXITED, 1)), HEALTHY,
                           replace(READY, start=("side",))),
    "sidecar alone left": (pod(initContainers=[SIDE], restartPolicy="Never"),
                           runtime(DEAD_A, DEAD_B, container("side")), HEALTHY, replace(READY, kill_pod=True)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_compute_pod_actions(case: tuple[Any, RuntimePod, Health, PodActions]) -> None:
    wish, state, health, expected = case
    assert compute_pod_actions(wish, state, health) == expected


@pytest.mark.parametrize(("change", "policy", "starts"), [
    (lambda h: replace(h, failed={"a-0": "Container a failed liveness probe"}), "Always", ("a",)),
    (lambda h: replace(h, failed={"a-0": "Container a failed liveness probe"}), "Never", ()),
])  # fmt: skip
def test_unhealthy_containers_are_killed(change: Callable[[Health], Health], policy: str, starts: Any) -> None:
    actions = compute_pod_actions(pod(restartPolicy=policy), runtime(A, B), change(HEALTHY))
    assert [(k.container.name, k.reason) for k in actions.kill] == [("a", "Unhealthy")]
    assert actions.start == starts
    assert not actions.kill_pod


def test_a_changed_image_replaces_the_container() -> None:
    actions = compute_pod_actions(pod(), runtime(replace(A, hash="old"), B), HEALTHY)
    assert [k.reason for k in actions.kill] == ["Changed"]
    assert actions.start == ("a",)


def test_only_the_newest_container_counts() -> None:
    old = container("a", State.EXITED, 1)
    actions = compute_pod_actions(pod(), runtime(container("a", attempt=1), B, old), HEALTHY)
    assert actions == READY


def test_ephemeral_containers_start_once() -> None:
    debug = {"name": "debug", "image": "x"}
    wish = pod(ephemeralContainers=[debug])
    assert compute_pod_actions(wish, runtime(A, B), HEALTHY).start == ("debug",)
    assert compute_pod_actions(wish, runtime(A, B, container("debug", State.EXITED, 1)), HEALTHY).start == ()
