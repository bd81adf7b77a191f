"""How many replicas metrics ask for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kybern.controllers.podautoscaler.core.usage import (
    Measured,
    MetricsError,
    Proposal,
    Tolerance,
    pod_requests,
    replicas_for_average,
    replicas_for_utilization,
    replicas_for_value,
    replicas_for_value_per_pod,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)


def pod(name: str, phase: str = "Running", ready: bool = True, since: datetime = LONG_AGO, **metadata: Any) -> Any:
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": since.isoformat()}
    status = {"phase": phase, "startTime": since.isoformat(), "conditions": [condition]}
    return {"metadata": {"name": name, **metadata}, "spec": {}, "status": status}


def utilization(current: int, percent: int, pods: list[Any], used: dict[str, int], request: int = 100) -> Proposal:
    measured = {name: Measured(value, NOW) for name, value in used.items()}
    requests = {p["metadata"]["name"]: request for p in pods}
    return replicas_for_utilization(current, percent, pods, measured, requests, "cpu", NOW, Tolerance())


A, B, C = pod("a"), pod("b"), pod("c")
STARTING = pod("c", ready=False, since=NOW - timedelta(seconds=10))


@pytest.mark.parametrize(
    ("current", "percent", "pods", "used", "expected"),
    [
        pytest.param(2, 50, [A, B], {"a": 50, "b": 50}, 2, id="as it should be"),
        pytest.param(2, 50, [A, B], {"a": 54, "b": 54}, 2, id="within the tolerance"),
        pytest.param(2, 50, [A, B], {"a": 100, "b": 100}, 4, id="twice as much"),
        pytest.param(2, 50, [A, B], {"a": 60, "b": 60}, 3, id="rounded up"),
        pytest.param(3, 50, [A, B, C], {"a": 10, "b": 10, "c": 10}, 1, id="less"),
        pytest.param(3, 50, [A, B, C], {"a": 100, "b": 100}, 4, id="an unknown pod uses nothing on the way up"),
        pytest.param(3, 50, [A, B, C], {"a": 10, "b": 10}, 3, id="and all it may on the way down"),
        pytest.param(3, 50, [A, B, STARTING], {"a": 100, "b": 100, "c": 500}, 4, id="a starting pod uses nothing"),
        pytest.param(3, 50, [A, B, STARTING], {"a": 20, "b": 20, "c": 1}, 1, id="and does not count on the way down"),
        pytest.param(2, 50, [A, pod("b", "Failed")], {"a": 100, "b": 900}, 2, id="failed pods are no pods"),
        pytest.param(
            2, 50, [A, pod("b", deletionTimestamp="2026-01-01T00:00:00Z")], {"a": 100}, 2, id="nor are those that end"
        ),
    ],
)
def test_utilization(current: int, percent: int, pods: Any, used: Any, expected: int) -> None:
    assert utilization(current, percent, pods, used).replicas == expected


def test_what_is_told_of_a_proposal() -> None:
    assert utilization(2, 50, [A, B], {"a": 100, "b": 50}) == Proposal(3, 75, 75)


@pytest.mark.parametrize(
    ("pods", "used", "why"),
    [([], {}, "no pods returned by selector"), ([STARTING], {"c": 5}, "did not receive metrics for targeted pods")],
)
def test_no_metrics(pods: Any, used: Any, why: str) -> None:
    with pytest.raises(MetricsError, match=why):
        utilization(1, 50, pods, used)


def test_average_value() -> None:
    measured = {"a": Measured(3000), "b": Measured(1000)}
    assert replicas_for_average(2, 1000, [A, B], measured, "", NOW, Tolerance()) == Proposal(4, None, 2000)


def test_one_value_for_all() -> None:
    assert replicas_for_value(2, 3000, 1000, [A, B], Tolerance()).replicas == 6
    assert replicas_for_value(0, 3000, 1000, [], Tolerance()).replicas == 3
    assert replicas_for_value_per_pod(2, 9000, 3000, Tolerance()) == Proposal(3, None, 4500)
    assert replicas_for_value_per_pod(3, 9100, 3000, Tolerance()).replicas == 3


def test_requests_must_be_said() -> None:
    said = {"name": "x", "resources": {"requests": {"cpu": "500m"}}}
    silent = {"name": "y"}
    both = {"metadata": {"name": "p"}, "spec": {"containers": [said, said]}}
    assert pod_requests([both], "cpu") == {"p": 1000}
    part = {"metadata": {"name": "p"}, "spec": {"containers": [said, silent]}}
    assert pod_requests([part], "cpu", "x") == {"p": 500}
    with pytest.raises(MetricsError, match="container z not found in Pod p"):
        pod_requests([part], "cpu", "z")
    with pytest.raises(MetricsError, match="missing request for cpu in container y of Pod p"):
        pod_requests([part], "cpu")
    whole = {"metadata": {"name": "p"}, "spec": {"containers": [silent], "resources": {"requests": {"cpu": "3"}}}}
    assert pod_requests([whole], "cpu") == {"p": 3000}
