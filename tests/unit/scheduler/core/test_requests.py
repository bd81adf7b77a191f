"""What a pod requests, as one table."""

from typing import Any

import pytest

from kybern.scheduler.core.requests import NONZERO, host_ports, pod_requests
from kybern.testing.builders import make_pod


def box(cpu: str = "", memory: str = "", **more: Any) -> dict[str, Any]:
    wanted = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"resources": {"requests": wanted}, **more}


TABLE: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "nothing": ({"containers": [box()]}, {}),
    "containers add up": ({"containers": [box("100m", "1Ki"), box("1")]}, {"cpu": 1100, "memory": 1024}),
    "fractions round up": ({"containers": [box("0.1m", "1500m")]}, {"cpu": 1, "memory": 2}),
    "the largest init step": ({"containers": [box("1")], "initContainers": [box("3"), box("2")]}, {"cpu": 3000}),
    "init smaller than containers": ({"containers": [box("4")], "initContainers": [box("3")]}, {"cpu": 4000}),
    "a sidecar runs beside containers": (
        {"containers": [box("1")], "initContainers": [box("2", restartPolicy="Always")]},
        {"cpu": 3000},
    ),
    "a sidecar runs beside later init steps": (
        {"containers": [box("1")], "initContainers": [box("2", restartPolicy="Always"), box("5")]},
        {"cpu": 7000},
    ),
    "an init step before the sidecar": (
        {"containers": [box("1")], "initContainers": [box("5"), box("2", restartPolicy="Always")]},
        {"cpu": 5000},
    ),
    "overhead comes on top": ({"containers": [box("1")], "overhead": {"cpu": "250m"}}, {"cpu": 1250}),
    "the pod level overrides": (
        {"containers": [box("1", "1Ki")], "resources": {"requests": {"cpu": "3"}}},
        {"cpu": 3000, "memory": 1024},
    ),
    "extended resources": (
        {"containers": [{"resources": {"requests": {"example.com/gpu": "2"}}}]},
        {"example.com/gpu": 2},
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_pod_requests(name: str) -> None:
    spec, expected = TABLE[name]
    assert pod_requests(spec) == expected


def test_containers_without_requests_weigh_something() -> None:
    spec = {"containers": [box(), box("50m", "1Mi")]}
    assert pod_requests(spec, NONZERO) == {"cpu": 150, "memory": 201 * 1024 * 1024}


def test_host_ports_default_to_all_addresses_and_tcp() -> None:
    pod = make_pod(host_ports=[80, ("10.0.0.1", "UDP", 53), 80])
    assert host_ports(pod["spec"]["containers"]) == (("0.0.0.0", "TCP", 80), ("10.0.0.1", "UDP", 53))
