"""The subresources of a pod: what ephemeralcontainers, resize and status may change."""

import copy
from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.defaults import apply_defaults
from kybern.kube.validation import validate_subresource_update

EPHEMERAL = {"name": "e", "image": "debug:1"}


@pytest.fixture
def pod() -> dict[str, Any]:
    obj: dict[str, Any] = {
        "metadata": {"name": "x", "namespace": "ns"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "c", "image": "web:1", "resources": {"requests": {"cpu": "1"}}}],
            "ephemeralContainers": [dict(EPHEMERAL)],
        },
        "status": {
            "qosClass": "Burstable",
            "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 1}}}],
        },
    }
    info = schema.kind("", "v1", "Pod")
    assert info is not None
    apply_defaults(info, obj)
    return obj


def problems(subresource: str, new: dict[str, Any], old: dict[str, Any]) -> list[str]:
    info = schema.kind("", "v1", "Pod")
    assert info is not None
    return [str(error) for error in validate_subresource_update(info, subresource, new, old)]


@pytest.mark.parametrize(
    ("containers", "wanted"),
    [
        pytest.param([EPHEMERAL, {"name": "f", "image": "x", "targetContainerName": "c"}], [], id="one-more"),
        pytest.param(
            [],
            ['spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed\n'],
            id="removed",
        ),
        pytest.param(
            [{**EPHEMERAL, "image": "debug:2"}],
            ['spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be changed\n'],
            id="changed",
        ),
        pytest.param(
            [EPHEMERAL, {"name": "c", "image": "x"}],
            ['spec.ephemeralContainers[1].name: Duplicate value: "c"'],
            id="name-of-a-container",
        ),
        pytest.param(
            [EPHEMERAL, {"name": "f", "image": "x", "targetContainerName": "z"}],
            ['spec.ephemeralContainers[1].targetContainerName: Not found: "z"'],
            id="no-such-target",
        ),
        pytest.param(
            [EPHEMERAL, {"name": "f", "image": "x", "ports": [{"containerPort": 1}]}],
            ["spec.ephemeralContainers[1].ports: Forbidden: cannot be set for an Ephemeral Container"],
            id="ports",
        ),
    ],
)
def test_ephemeral_containers(pod: dict[str, Any], containers: list[dict[str, Any]], wanted: list[str]) -> None:
    old = copy.deepcopy(pod)
    old["spec"]["ephemeralContainers"] = [dict(EPHEMERAL)]
    new = copy.deepcopy(old)
    new["spec"]["ephemeralContainers"] = containers
    assert problems("ephemeralcontainers", new, old) == wanted


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        pytest.param({"requests": {"cpu": "2"}}, [], id="more-cpu"),
        pytest.param(
            {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
            ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
            id="above-limit",
        ),
        pytest.param(
            {"requests": {"cpu": "1", "ephemeral-storage": "1Gi"}},
            ["spec: Forbidden: only cpu and memory resources are mutable"],
            id="storage",
        ),
        pytest.param(
            {},
            ["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
             'spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing'],
            id="removed",
        ),
    ],
)  # fmt: skip
def test_resize(pod: dict[str, Any], resources: dict[str, Any], wanted: list[str]) -> None:
    new = copy.deepcopy(pod)
    new["spec"]["containers"][0]["resources"] = resources
    assert problems("resize", new, pod) == wanted


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        pytest.param({"phase": "Failed"}, [], id="phase"),
        pytest.param(
            {"qosClass": "BestEffort"}, ['status.qosClass: Invalid value: "BestEffort": field is immutable'], id="qos"
        ),
        pytest.param(
            {"podIPs": [{"ip": "x"}]},
            ['status.podIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
            id="address",
        ),
        pytest.param(
            {"containerStatuses": [{"name": "c", "state": {"running": {}}}]},
            ["status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"],
            id="revival",
        ),
    ],
)
def test_status(pod: dict[str, Any], change: dict[str, Any], wanted: list[str]) -> None:
    new = copy.deepcopy(pod)
    new["status"] |= change
    assert problems("status", new, pod) == wanted


def test_metadata_is_checked_whatever_the_subresource(pod: dict[str, Any]) -> None:
    new = copy.deepcopy(pod)
    new["metadata"]["uid"] = "other"
    assert problems("unheard-of", new, pod) == ['metadata.uid: Invalid value: "other": field is immutable']
