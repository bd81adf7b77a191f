"""Resources of running containers, brought to what their pod asks for."""

import json
from typing import Any

import pytest

from kybern.node.core import labels
from kybern.node.core.resize import compute_resize, room_for_both, update_request
from kybern.node.core.runtime_pod import Container, RuntimePod, State

Object = dict[str, Any]


def resources(cpu: str = "", memory: str = "") -> Object:
    found = {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount}
    return {"requests": found, "limits": dict(found)} if found else {}


def pod(wanted: Object, *restart: str) -> Object:
    rules = [{"resourceName": name, "restartPolicy": "RestartContainer"} for name in restart]
    return {"spec": {"containers": [{"name": "a", "resources": wanted, "resizePolicy": rules}]}}


def running(has: Object, state: State = State.RUNNING) -> RuntimePod:
    notes = {labels.RESOURCES: json.dumps(has)}
    return RuntimePod("u", "d", "p", (), (Container("id", "a", "s", state=state, annotations=notes),))


CASES: dict[str, tuple[Object, Object, list[str]]] = {
    "nothing new": (resources("1"), pod(resources("1")), []),
    "more cpu": (resources("1"), pod(resources("2")), ["update"]),
    "cpu of a container that restarts for it": (resources("1"), pod(resources("2"), "cpu"), ["restart"]),
    "cpu of a container that restarts for memory": (
        resources("1", "1Gi"),
        pod(resources("2", "1Gi"), "memory"),
        ["update"],
    ),
    "the same written otherwise": (resources("1"), pod(resources("1000m"), "cpu"), ["update"]),
    "resources where there were none": ({}, pod(resources("1")), ["update"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_resize_takes(case: str) -> None:
    has, wanted, expected = CASES[case]
    found = compute_resize(wanted, running(has), {})
    assert ["update"] * len(found.update) + ["restart"] * len(found.restart) == expected


def test_what_has_been_given_counts() -> None:
    assert compute_resize(pod(resources("2")), running(resources("1")), {"id": resources("2")}).update == ()


def test_what_does_not_run_is_left() -> None:
    assert compute_resize(pod(resources("2")), running(resources("1"), State.EXITED), {}).update == ()


def test_the_request_to_the_runtime() -> None:
    request = update_request(pod(resources("2", "64Mi"))["spec"]["containers"][0])
    assert (request.cpu_shares, request.cpu_quota, request.memory_limit_in_bytes) == (2048, 200_000, 64 << 20)


def test_the_pod_has_room_for_before_and_after() -> None:
    room = room_for_both(pod(resources("2", "32Mi")), running(resources("1", "64Mi")), {})
    assert (room.cpu_shares, room.cpu_quota, room.memory_limit) == (2048, 200_000, 64 << 20)
