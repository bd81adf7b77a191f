"""Requests under Kubernetes' labels: verbs, scopes, what is under way."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from kybern.gateway.core.router import resource_path
from kybern.gateway.metrics import RequestMetrics, labels_of

ROWS = [
    ("/api/v1/namespaces/a/pods", "list", False, ("LIST", "pods", "", "namespace")),
    ("/api/v1/pods", "list", False, ("LIST", "pods", "", "cluster")),
    ("/api/v1/namespaces/a/pods", "create", False, ("POST", "pods", "", "resource")),
    ("/api/v1/namespaces/a/pods", "deletecollection", False, ("DELETE", "pods", "", "namespace")),
    ("/api/v1/namespaces/a/pods/x", "update", False, ("PUT", "pods", "", "resource")),
    ("/api/v1/namespaces/a/pods/x/exec", "create", True, ("CONNECT", "pods", "exec", "resource")),
    ("/api/v1/namespaces/a/pods/x/log", "get", True, ("GET", "pods", "log", "resource")),
    ("/api/v1/nodes", "watch", False, ("WATCH", "nodes", "", "cluster")),
]


@pytest.mark.parametrize(("path", "verb", "connects", "wanted"), ROWS, ids=[f"{row[1]} {row[0]}" for row in ROWS])
def test_labels(path: str, verb: str, connects: bool, wanted: tuple[str, ...]) -> None:
    found = resource_path(path)
    assert found is not None
    labels = labels_of(found, verb, connects=connects)
    assert (labels.verb, labels.resource, labels.subresource, labels.scope) == wanted


def test_what_is_under_way() -> None:
    registry = CollectorRegistry()
    metrics = RequestMetrics(registry)
    path = resource_path("/api/v1/pods")
    assert path is not None
    labels = labels_of(path, "watch")
    with metrics.flying("GET"), metrics.flying("POST"):
        assert metrics.in_flight == {"mutating": 1, "readOnly": 1}
        with metrics.lasting("GET", labels), metrics.lasting("GET", labels._replace(scope="namespace")):
            assert metrics.in_flight["readOnly"] == -1, "two last, one flies"
            text = generate_latest(registry).decode()
            assert text.count("apiserver_longrunning_requests{") == 2
    assert metrics.in_flight == {"mutating": 0, "readOnly": 0}
    assert "apiserver_longrunning_requests{" not in generate_latest(registry).decode()


def test_times_without_dry_runs() -> None:
    registry = CollectorRegistry()
    metrics = RequestMetrics(registry)
    path = resource_path("/api/v1/namespaces/a/pods")
    assert path is not None
    labels = labels_of(path, "create")
    metrics.series(labels).record(201, 0.1)
    metrics.series(labels._replace(dry_run="All")).record(201, 0.1)
    text = generate_latest(registry).decode()
    assert text.count("apiserver_request_duration_seconds_count{") == 2
    assert text.count("apiserver_request_sli_duration_seconds_count{") == 1
