"""LimitRange arithmetic as a table."""

from typing import Any

import pytest

from kybern.apiserver.core.limit_ranges import ANNOTATION, check, check_claim, set_defaults, total_of, usage_of


def container(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": requests or {}, "limits": limits or {}}}


@pytest.mark.parametrize(
    ("bounds", "requests", "limits", "problems"),
    [
        ({"min": {"cpu": "100m"}}, {"cpu": "100m"}, {}, []),
        ({"min": {"cpu": "100m"}}, {}, {}, ["minimum cpu usage per Container is 100m.  No request is specified"]),
        (
            {"min": {"cpu": "100m"}},
            {"cpu": "50m"},
            {},
            ["minimum cpu usage per Container is 100m, but request is 50m"],
        ),
        ({"max": {"memory": "1Gi"}}, {}, {"memory": "1024Mi"}, []),
        ({"max": {"memory": "1Gi"}}, {}, {}, ["maximum memory usage per Container is 1Gi.  No limit is specified"]),
        ({"max": {"cpu": "1"}}, {}, {"cpu": "2"}, ["maximum cpu usage per Container is 1, but limit is 2"]),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"cpu": "1"},
            {"cpu": "3"},
            ["cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"],
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {},
            {"cpu": "3"},
            ["cpu max limit to request ratio per Container is 2, but no request is specified or request is 0"],
        ),
    ],
)
def test_check(bounds: dict[str, Any], requests: Any, limits: Any, problems: list[str]) -> None:
    assert check({"type": "Container", **bounds}, usage_of(container(requests, limits))) == problems


def test_defaults_fill_what_is_missing() -> None:
    pod = {"metadata": {}, "spec": {"containers": [container({"cpu": "1"})]}}
    set_defaults(pod, {"defaultRequest": {"cpu": "2", "memory": "1Gi"}, "default": {"memory": "2Gi"}})
    assert pod["spec"]["containers"][0]["resources"] == {  # type: ignore[index]
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"memory": "2Gi"},
    }
    assert pod["metadata"]["annotations"] == {  # type: ignore[index]
        ANNOTATION: "LimitRanger plugin set: memory request for container c; memory limit for container c"
    }


def test_a_pod_is_its_containers_or_its_largest_init_container() -> None:
    containers = [container({"cpu": "1"}), container({"cpu": "500m"})]
    pod = {"spec": {"containers": containers, "initContainers": [container({"cpu": "1", "memory": "1Gi"})]}}
    assert {name: str(amount) for name, amount in total_of(pod).requests.items()} == {"cpu": "1500m", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("bounds", "size", "problem"),
    [
        ({"min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}, "1Gi", ""),
        (
            {"min": {"storage": "1Gi"}},
            "1Mi",
            "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi",
        ),
        (
            {"max": {"storage": "1Gi"}},
            "2Gi",
            "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi",
        ),
        (
            {"max": {"storage": "1"}},
            "",
            "maximum storage usage per PersistentVolumeClaim is 1.  No request is specified",
        ),
    ],
)
def test_claims_have_no_limits(bounds: dict[str, Any], size: str, problem: str) -> None:
    requests = usage_of(container({"storage": size} if size else {})).requests
    assert check_claim({"type": "PersistentVolumeClaim", **bounds}, requests) == ([problem] if problem else [])


def test_a_pod_is_what_it_states_for_itself_and_its_overhead_is_not_its_own() -> None:
    sidecar = {**container({"cpu": "1"}), "restartPolicy": "Always"}
    spec = {"containers": [container({"cpu": "1"})], "initContainers": [sidecar], "overhead": {"cpu": "1"}}
    assert str(total_of({"spec": spec}).requests["cpu"]) == "2"
    assert str(total_of({"spec": {**spec, "resources": {"requests": {"cpu": "5"}}}}).requests["cpu"]) == "5"
