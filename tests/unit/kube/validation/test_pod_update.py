"""The subresources of a pod: what ephemeralcontainers, resize and status may change."""

import copy
from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.defaults import apply_defaults
from kybern.kube.validation import validate_subresource_update
from kybern.kube.validation.pod_update import validate_pod_update

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
    apply_defaults(info, new)
    apply_defaults(info, old)
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
            [
                'spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be changed\n'
                '@@ -1,6 +1,6 @@\n {\n  "Name": "e",\n- "Image": "debug:1",\n+ "Image": "debug:2",\n'
                '  "Command": null,\n  "Args": null,\n  "WorkingDir": "",\n'
            ],
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
            ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
             "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"],
            id="removed",
        ),
    ],
)  # fmt: skip
def test_resize(pod: dict[str, Any], resources: dict[str, Any], wanted: list[str]) -> None:
    new = copy.deepcopy(pod)
    new["spec"]["containers"][0]["resources"] = resources
    assert problems("resize", new, pod) == wanted


INIT = {"name": "i", "image": "x", "resources": {"requests": {"cpu": "1"}}}
POLICY = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
MORE = {"resources": {"requests": {"cpu": "2"}}}


@pytest.mark.parametrize(
    ("before", "change", "wanted"),
    [
        ({}, {"initContainers": [{**INIT, **MORE}]}, []),
        (
            {"initContainers": [{**INIT, "resizePolicy": POLICY}]},
            {"initContainers": [{**INIT, **MORE, "resizePolicy": POLICY}]},
            ["spec.initContainers[0]: Forbidden: non-sidecar init containers with a resize policy of RestartContainer "
             "cannot be resized"],
        ),
        (
            {"initContainers": [{**INIT, "resizePolicy": POLICY, "restartPolicy": "Always"}]},
            {"initContainers": [{**INIT, **MORE, "resizePolicy": POLICY, "restartPolicy": "Always"}]},
            [],
        ),
        (
            {},
            {"initContainers": [{**INIT, "image": "y"}]},
            ["spec.initContainers[0]: Forbidden: only cpu and memory resources for init or sidecar containers are "
             "mutable"],
        ),
        (
            {},
            {"initContainers": []},
            ["spec.initContainers: Forbidden: initContainers may not be added or removed on resize"],
        ),
        (
            {},
            {"initContainers": [{**INIT, "name": "j"}]},
            ["spec.initContainers[0].name: Forbidden: initContainers may not be renamed or reordered on resize"],
        ),
        ({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "2"}}}, []),
        (
            {"resources": {"limits": {"cpu": "1"}}},
            {"resources": {"limits": {"memory": "1Gi"}}},
            ["spec.resources.limits: Forbidden: pod-level resource limits cannot be removed"],
        ),
        (
            {"resources": {"limits": {"cpu": "1", "hugepages-2Mi": "2Mi"}}},
            {"resources": {"limits": {"cpu": "1", "hugepages-2Mi": "4Mi"}}},
            ["spec: Forbidden: only cpu and memory resources are mutable at pod-level"],
        ),
    ],
)  # fmt: skip
def test_resize_of_others(
    pod: dict[str, Any], before: dict[str, Any], change: dict[str, Any], wanted: list[str]
) -> None:
    old = copy.deepcopy(pod)
    old["spec"] |= {"initContainers": [INIT], "restartPolicy": "Always", **before}
    new = copy.deepcopy(old)
    new["spec"] |= change
    assert problems("resize", new, old) == wanted


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}, "static pods cannot be resized"),
        ({"spec": {"os": {"name": "windows"}}}, "windows pods cannot be resized"),
        (
            {"status": {"containerStatuses": [{"name": "c", "state": {"running": {"startedAt": "x"}}}]}},
            "Pod running on node without support for resize",
        ),
    ],
)
def test_pods_that_are_not_resized(pod: dict[str, Any], change: dict[str, Any], wanted: str) -> None:
    for part, members in change.items():
        pod[part] |= members
    new = copy.deepcopy(pod)
    new["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "2"}}
    assert any(wanted in problem for problem in problems("resize", new, pod))


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
    twice = ['metadata.uid: Invalid value: "other": field is immutable'] * 2
    assert problems("unheard-of", new, pod) == twice


def test_tokens_of_nobody(pod: dict[str, Any]) -> None:
    projected = {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 600}}]}
    pod["spec"]["volumes"] = [{"name": "v", "projected": projected}]
    pod["spec"]["serviceAccountName"] = ""
    at = "spec.volumes[0].projected.sources[0].serviceAccountToken"
    assert [str(error) for error in validate_pod_update(pod, pod)] == [
        f"{at}: Forbidden: must not be specified when serviceAccountName is not set"
    ]


def test_static_pods_get_no_ephemeral_containers(pod: dict[str, Any]) -> None:
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    new = copy.deepcopy(pod)
    new["spec"]["ephemeralContainers"] = [EPHEMERAL]
    assert problems("ephemeralcontainers", new, pod) == [
        "[]: Forbidden: static pods do not support ephemeral containers"
    ]
