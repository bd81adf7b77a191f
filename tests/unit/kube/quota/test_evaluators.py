"""What one object uses of its namespace's quotas."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.kube.quota.amounts import write
from kybern.kube.quota.evaluators import counted, evaluator
from kybern.kube.quota.pods import missing, pod_amounts
from kybern.kube.quota.scopes import claim_scope, pod_scope

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def container(name: str = "c", requests: Any = None, limits: Any = None, **members: Any) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": requests or {}, "limits": limits or {}}, **members}


def usage(group: str, resource: str, obj: dict[str, Any]) -> dict[str, str]:
    return write(evaluator(group, resource).usage(obj, NOW))


ONE = container(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "2"})


@pytest.mark.parametrize(
    ("spec", "requests"),
    [
        pytest.param({"containers": [ONE, ONE]}, {"cpu": "2", "memory": "2Gi"}, id="containers add up"),
        pytest.param(
            {"containers": [ONE], "initContainers": [container(requests={"cpu": "3"})]},
            {"cpu": "3", "memory": "1Gi"},
            id="the larger of init containers and containers",
        ),
        pytest.param(
            {"containers": [ONE], "initContainers": [container(requests={"cpu": "3"}, restartPolicy="Always")]},
            {"cpu": "4", "memory": "1Gi"},
            id="sidecars run beside containers",
        ),
        pytest.param(
            {
                "containers": [ONE],
                "initContainers": [
                    container("s", requests={"cpu": "1"}, restartPolicy="Always"),
                    container("i", requests={"cpu": "5"}),
                ],
            },
            {"cpu": "6", "memory": "1Gi"},
            id="init containers run beside sidecars before them",
        ),
        pytest.param(
            {"containers": [ONE], "overhead": {"cpu": "250m"}}, {"cpu": "1250m", "memory": "1Gi"}, id="overhead"
        ),
        pytest.param(
            {"containers": [ONE], "resources": {"requests": {"cpu": "5"}}},
            {"cpu": "5", "memory": "1Gi"},
            id="stated for the pod",
        ),
    ],
)
def test_pod_requests(spec: dict[str, Any], requests: dict[str, str]) -> None:
    assert write(pod_amounts({"spec": spec}, "requests")) == requests


def test_a_resize_counts_what_is_set_aside_until_it_is_done() -> None:
    status = {"containerStatuses": [{"name": "c", "allocatedResources": {"cpu": "3"}}]}
    pod = {"spec": {"containers": [ONE]}, "status": status}
    assert write(pod_amounts(pod, "requests")) == {"cpu": "3", "memory": "1Gi"}


FULL = {
    "count/pods": "1",
    "pods": "1",
    "cpu": "1",
    "memory": "1Gi",
    "requests.cpu": "1",
    "requests.memory": "1Gi",
    "limits.cpu": "2",
}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({}, FULL, id="running"),
        pytest.param({"status": {"phase": "Succeeded"}}, {"count/pods": "1"}, id="ended"),
        pytest.param(
            {"metadata": {"deletionTimestamp": "2025-12-31T23:59:00Z", "deletionGracePeriodSeconds": 30}},
            {"count/pods": "1"},
            id="should have been gone by now",
        ),
        pytest.param(
            {"metadata": {"deletionTimestamp": "2025-12-31T23:59:50Z", "deletionGracePeriodSeconds": 30}},
            FULL,
            id="on its way out",
        ),
    ],
)
def test_pod_usage(members: dict[str, Any], expected: dict[str, str]) -> None:
    pod = {"metadata": {}, "spec": {"containers": [ONE]}, **members}
    assert usage("", "pods", pod) == expected


def test_extended_resources_and_huge_pages() -> None:
    amounts = {"example.com/gpu": "2", "hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi"}
    found = usage("", "pods", {"metadata": {}, "spec": {"containers": [container(requests=amounts)]}})
    assert found == {
        "count/pods": "1",
        "pods": "1",
        "requests.example.com/gpu": "2",
        "hugepages-2Mi": "4Mi",
        "requests.hugepages-2Mi": "4Mi",
        "ephemeral-storage": "1Gi",
        "requests.ephemeral-storage": "1Gi",
    }
    tracks = evaluator("", "pods").tracks
    assert [tracks(n) for n in ("requests.example.com/gpu", "example.com/gpu", "requests.storage", "services")] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("required", "expected"),
    [
        (["pods", "requests.cpu"], ""),
        (["limits.memory", "limits.cpu"], "must specify limits.cpu for: b; limits.memory for: a,b"),
        (["requests.ephemeral-storage"], ""),
    ],
)
def test_what_containers_must_say(required: list[str], expected: str) -> None:
    containers = [container("a", {"cpu": "1"}, {"cpu": "1"}), container("b", {"cpu": "1"})]
    assert missing({"spec": {"containers": containers}}, required) == expected


def test_what_the_pod_says_its_containers_need_not_say() -> None:
    pod = {"spec": {"containers": [container("a")], "resources": {"limits": {"cpu": "1"}}}}
    assert missing(pod, ["limits.cpu"]) == ""


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "ClusterIP", "ports": [{}]}, ("0", "0")),
        ({"type": "NodePort", "ports": [{}, {}]}, ("2", "0")),
        ({"type": "LoadBalancer", "ports": [{}]}, ("1", "1")),
        ({"type": "LoadBalancer", "ports": [{}, {"nodePort": 1}], "allocateLoadBalancerNodePorts": False}, ("1", "1")),
    ],
)
def test_services(spec: dict[str, Any], expected: tuple[str, str]) -> None:
    found = usage("", "services", {"spec": spec})
    assert (found["services.nodeports"], found["services.loadbalancers"]) == expected
    assert found["services"] == found["count/services"] == "1"


def test_claims() -> None:
    spec = {"storageClassName": "gold", "resources": {"requests": {"storage": "1Gi"}}}
    status = {"allocatedResources": {"storage": "2Gi"}}
    assert usage("", "persistentvolumeclaims", {"metadata": {}, "spec": spec, "status": status}) == {
        "count/persistentvolumeclaims": "1",
        "persistentvolumeclaims": "1",
        "requests.storage": "2Gi",
        "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "gold.storageclass.storage.k8s.io/requests.storage": "2Gi",
    }


def test_which_updates_count() -> None:
    pods, claims = evaluator("", "pods"), evaluator("", "persistentvolumeclaims")
    assert pods.handles("UPDATE", "", {"spec": {"activeDeadlineSeconds": 1}}, {"spec": {}})
    assert not pods.handles("UPDATE", "", {"spec": {"nodeName": "n"}}, {"spec": {}})
    assert pods.handles("UPDATE", "resize", {}, {})
    assert not pods.handles("CREATE", "binding", {}, None)
    assert claims.handles("UPDATE", "status", {"status": {"allocatedResources": {"storage": "2"}}}, {})
    assert not claims.handles("UPDATE", "status", {"status": {"phase": "Bound"}}, {})


def test_device_claims() -> None:
    choices = [{"deviceClassName": "a", "count": 2}, {"deviceClassName": "a", "count": 3}]
    exactly = {"deviceClassName": "b", "allocationMode": "All"}
    spec = {"devices": {"requests": [{"firstAvailable": choices}, {"exactly": exactly}]}}
    assert usage("resource.k8s.io", "resourceclaims", {"spec": spec}) == {
        "count/resourceclaims.resource.k8s.io": "1",
        "a.deviceclass.resource.k8s.io/devices": "3",
        "b.deviceclass.resource.k8s.io/devices": "32",
    }


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("count/deployments.apps", ("apps", "deployments")),
        ("count/secrets", ("", "secrets")),
        ("secrets", ("", "secrets")),
        ("pods", None),
        ("count/widgets.example.com", ("example.com", "widgets")),
    ],
)
def test_names_that_count_objects(name: str, of: tuple[str, str] | None) -> None:
    assert counted(name) == of


def test_kinds_are_counted_by_group() -> None:
    assert usage("apps", "deployments", {}) == {"count/deployments.apps": "1"}
    assert usage("", "secrets", {}) == {"count/secrets": "1", "secrets": "1"}


ELSEWHERE = {
    "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": {"namespaces": ["x"]}}]}
}


@pytest.mark.parametrize(
    ("scope", "spec", "expected"),
    [
        ({"scopeName": "Terminating"}, {"activeDeadlineSeconds": 0}, True),
        ({"scopeName": "Terminating"}, {}, False),
        ({"scopeName": "NotTerminating"}, {}, True),
        ({"scopeName": "BestEffort"}, {"containers": [container()]}, True),
        ({"scopeName": "NotBestEffort"}, {"containers": [ONE]}, True),
        ({"scopeName": "PriorityClass", "operator": "Exists"}, {"priorityClassName": "high"}, True),
        ({"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}, {"priorityClassName": "high"}, True),
        ({"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}, {}, False),
        ({"scopeName": "PriorityClass", "operator": "NotIn", "values": ["high"]}, {}, True),
        ({"scopeName": "PriorityClass", "operator": "DoesNotExist"}, {}, True),
        ({"scopeName": "CrossNamespacePodAffinity", "operator": "Exists"}, {"affinity": ELSEWHERE}, True),
        ({"scopeName": "CrossNamespacePodAffinity", "operator": "Exists"}, {"affinity": {"podAffinity": {}}}, False),
        ({"scopeName": "Unheard"}, {}, False),
    ],
)
def test_pod_scopes(scope: dict[str, Any], spec: dict[str, Any], expected: bool) -> None:
    assert pod_scope(scope, {"spec": spec}) is expected


def test_claim_scopes() -> None:
    scope = {"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["fast"]}
    assert claim_scope(scope, {"spec": {}, "status": {"currentVolumeAttributesClassName": "fast"}})
    assert not claim_scope(scope, {"spec": {"volumeAttributesClassName": "slow"}})
    assert not claim_scope({"scopeName": "BestEffort"}, {})
