"""Subsets: addresses that serve the same ports stand together."""

from typing import Any

import pytest

from kybern.controllers.endpoints.core import compute_endpoints, compute_subsets
from kybern.testing.builders import make_pod


def service(**spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "admin", "port": 81, "targetPort": "admin"}]
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"a": "b"}, "ports": ports, **spec},
    }


def pod(ip: str, *, ready: bool = True, admin: int = 0, deleting: bool = False) -> dict[str, Any]:
    made = make_pod(f"p{ip}")
    made["metadata"]["uid"] = f"u{ip}"
    made["spec"]["containers"] = [{"ports": [{"name": "admin", "containerPort": admin}] if admin else []}]
    made["status"] = {"phase": "Running", "podIP": ip, "conditions": [{"type": "Ready", "status": str(ready)}]}
    if deleting:
        made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return made


def flat(subsets: list[dict[str, Any]]) -> list[tuple[list[str], list[str], list[int]]]:
    return [
        (
            [a["ip"] for a in subset.get("addresses", [])],
            [a["ip"] for a in subset.get("notReadyAddresses", [])],
            [p["port"] for p in subset.get("ports", [])],
        )
        for subset in subsets
    ]


@pytest.mark.parametrize(
    ("case", "spec", "pods", "wanted"),
    [
        ("none", {}, [], []),
        ("ready and not", {}, [pod("1"), pod("2", ready=False)], [(["1"], ["2"], [8080])]),
        ("named port of some", {}, [pod("1", admin=9), pod("2")], [(["1", "2"], [], [8080]), (["1"], [], [9])]),
        ("different named ports", {}, [pod("1", admin=9), pod("2", admin=7)], None),
        ("deleting", {}, [pod("1", deleting=True)], []),
        (
            "published all the same",
            {"publishNotReadyAddresses": True},
            [pod("1", deleting=True), pod("2", ready=False)],
            [(["1", "2"], [], [8080])],
        ),
        ("headless without ports", {"ports": [], "clusterIP": "None"}, [pod("1")], [(["1"], [], [])]),
    ],
)
def test_subsets(
    case: str,
    spec: dict[str, Any],
    pods: list[dict[str, Any]],
    wanted: list[tuple[list[str], list[str], list[int]]] | None,
) -> None:
    found = flat(compute_subsets(service(**spec), pods).subsets)
    if wanted is None:
        wanted = [(["1", "2"], [], [8080]), (["1"], [], [9]), (["2"], [], [7])]
    assert sorted(found) == sorted(wanted)


def test_at_most_a_thousand_addresses_the_ready_ones_first() -> None:
    pods = [pod(f"10.{n // 200}.{n % 200}", ready=n % 2 == 0) for n in range(1600)]
    wanted = compute_endpoints(service(), pods, None)
    assert wanted is not None
    assert wanted["metadata"]["annotations"]["endpoints.kubernetes.io/over-capacity"] == "truncated"
    assert len(wanted["subsets"][0]["addresses"]) == 800
    assert len(wanted["subsets"][0]["notReadyAddresses"]) == 200


def test_nothing_is_written_when_nothing_changed() -> None:
    first = compute_endpoints(service(), [pod("1")], None)
    assert first is not None
    assert compute_endpoints(service(), [pod("1")], first) is None
    assert compute_endpoints(service(), [pod("1"), pod("2")], first) is not None
