"""Pods that a node refuses."""

from typing import Any

import pytest

from kybern.node.core.admission import decide_admission

Object = dict[str, Any]
NODE = {"status": {"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "3"}}}


def pod(port: int = 0, host_ip: str = "", protocol: str = "TCP", **requests: str) -> Object:
    ports = [{"containerPort": 80, "hostPort": port, "hostIP": host_ip, "protocol": protocol}] if port else []
    return {"spec": {"containers": [{"name": "c", "ports": ports, "resources": {"requests": requests}}]}}


CASES: dict[str, tuple[Object, list[Object], str]] = {
    "alone": (pod(80, cpu="1"), [], ""),
    "another port": (pod(80), [pod(81)], ""),
    "the same port": (pod(80), [pod(80)], "NodePorts"),
    "the same port of another protocol": (pod(80), [pod(80, protocol="UDP")], ""),
    "the same port of another address": (pod(80, "10.0.0.1"), [pod(80, "10.0.0.2")], ""),
    "the same port of all addresses": (pod(80, "10.0.0.1"), [pod(80)], "NodePorts"),
    "cpu that fits": (pod(cpu="600m"), [pod(cpu="400m")], ""),
    "too much cpu": (pod(cpu="601m"), [pod(cpu="400m")], "OutOfcpu"),
    "too many pods": (pod(), [pod(), pod(), pod()], "OutOfpods"),
    "a resource the node does not list": (pod(0, **{"example.com/x": "1"}), [], ""),
    "nothing wanted on a full node": (pod(), [pod(cpu="2")], ""),
}


@pytest.mark.parametrize("case", CASES)
def test_admission(case: str) -> None:
    wanted, others, reason = CASES[case]
    refusal = decide_admission(wanted, others, NODE)
    assert (refusal[0] if refusal else "") == reason


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"os": {"name": "linux"}, "nodeSelector": {"kubernetes.io/os": "linux"}}, ""),
        ({"os": {"name": "windows"}}, "PodOSNotSupported"),
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, "PodOSSelectorNodeLabelDoesNotMatch"),
        ({"securityContext": {"supplementalGroupsPolicy": "Merge"}}, ""),
        ({"securityContext": {"supplementalGroupsPolicy": "Strict"}}, "SupplementalGroupsPolicyNotSupported"),
    ],
)
def test_what_the_node_cannot_do(spec: Object, reason: str) -> None:
    refusal = decide_admission({"spec": {**pod()["spec"], **spec}}, [], NODE)
    assert (refusal[0] if refusal else "") == reason


def test_message_tells_the_numbers() -> None:
    refusal = decide_admission(pod(cpu="601m"), [pod(cpu="400m")], NODE)
    assert refusal is not None
    assert refusal[1] == "Node didn't have enough resource: cpu, requested: 601, used: 400, capacity: 1000"
