"""Requests under Kubernetes' labels: verbs, scopes, what is under way."""

import pytest
from prometheus_client import CollectorRegistry

from kybern.gateway.core.router import resource_path
from kybern.gateway.metrics import Labels, RequestMetrics, Sizes, labels_of, other_labels
from kybern.telemetry.exposition import exposition

ROWS = [
    ("/api/v1/namespaces/a/pods", "list", False, ("LIST", "pods", "", "namespace")),
    ("/api/v1/pods", "list", False, ("LIST", "pods", "", "cluster")),
    ("/api/v1/namespaces/a/pods", "create", False, ("POST", "pods", "", "resource")),
    ("/api/v1/namespaces/a/pods", "deletecollection", False, ("DELETE", "pods", "", "namespace")),
    ("/api/v1/namespaces/a/pods/x", "update", False, ("PUT", "pods", "", "resource")),
    ("/api/v1/namespaces/a/pods/x/exec", "create", True, ("CONNECT", "pods", "exec", "resource")),
    ("/api/v1/namespaces/a/pods/x/log", "get", True, ("CONNECT", "pods", "log", "resource")),
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
    metrics = RequestMetrics(registry, Sizes())
    path = resource_path("/api/v1/pods")
    assert path is not None
    labels = labels_of(path, "watch")
    with metrics.flying("GET"), metrics.flying("POST"):
        assert metrics.in_flight == {"mutating": 1, "readOnly": 1}
        with metrics.lasting("GET", labels), metrics.lasting("GET", labels._replace(scope="namespace")):
            assert metrics.in_flight["readOnly"] == -1, "two last, one flies"
            text = exposition(registry).decode()
            assert text.count("apiserver_longrunning_requests{") == 2
    assert metrics.in_flight == {"mutating": 0, "readOnly": 0}
    lines = exposition(registry).decode().splitlines()
    over = [line for line in lines if line.startswith("apiserver_longrunning_requests{")]
    assert [line.rpartition(" ")[2] for line in over] == ["0", "0"], "as upstream shows it"


def test_times_without_dry_runs() -> None:
    registry = CollectorRegistry()
    metrics = RequestMetrics(registry, Sizes())
    path = resource_path("/api/v1/namespaces/a/pods")
    assert path is not None
    labels = labels_of(path, "create")
    metrics.series(labels).record(201, 0.1)
    metrics.series(labels._replace(dry_run="All")).record(201, 0.1)
    text = exposition(registry).decode()
    assert text.count("apiserver_request_duration_seconds_count{") == 2
    assert text.count("apiserver_request_sli_duration_seconds_count{") == 1


OTHERS = [
    ("/readyz", "/readyz"),
    ("/readyz/etcd", None),
    ("/livez", "/livez"),
    ("/openapi/v3", "openapi/v3"),
    ("/openapi/v3/apis/apps/v1", "openapi/v3/"),
    ("/version", None),
    ("/readyzy", None),
]


@pytest.mark.parametrize(("path", "wanted"), OTHERS, ids=[row[0] for row in OTHERS])
def test_labels_of_what_is_no_resource(path: str, wanted: str | None) -> None:
    labels = other_labels("GET", path)
    assert (labels and (labels.subresource, labels.component)) == (wanted and (wanted, ""))


def test_no_objective_is_about_what_lasts() -> None:
    registry = CollectorRegistry()
    metrics = RequestMetrics(registry, Sizes())
    for verb in ("WATCH", "CONNECT", "GET"):
        metrics.series(Labels(verb, "", "v1", "pods", "", "namespace")).record(200, 3.0)
    text = exposition(registry).decode()
    assert text.count("apiserver_request_duration_seconds_count{") == 3
    assert text.count("apiserver_request_sli_duration_seconds_count{") == 1
    assert 'verb="GET",version="v1",le="3"} 1' in text
    assert (
        'request_sli_duration_seconds_bucket{component="apiserver",group="",resource="pods",scope="namespace",' in text
    )
    assert text.count('le="0.005"') == 3, "objectives begin at 50 ms"


def test_sizes() -> None:
    registry, sizes = CollectorRegistry(), Sizes()
    metrics = RequestMetrics(registry, sizes)
    labels = Labels("GET", "", "v1", "endpoints", "", "resource")
    metrics.series(labels).record(200, 0.1, 1000)
    metrics.series(labels._replace(verb="POST")).record(201, 0.1, 1000)
    path = resource_path("/api/v1/namespaces/a/endpoints")
    assert path is not None
    sizes.of_bodies(path, "create").observe(51_000)
    sizes.of_events(path).observe_all((10, 2000))
    lines = exposition(registry).decode().splitlines()
    seen = 'group="",resource="endpoints",scope="resource",subresource="",verb="GET",version="v1"'
    assert f'apiserver_response_sizes_bucket{{component="apiserver",{seen},le="1000"}} 1' in lines
    assert sum("apiserver_response_sizes_count" in line for line in lines) == 1, "of reads alone"
    assert 'apiserver_request_body_size_bytes_bucket{group="",resource="endpoints",verb="create",le="50000"} 0' in lines
    assert (
        'apiserver_request_body_size_bytes_bucket{group="",resource="endpoints",verb="create",le="150000"} 1' in lines
    )
    assert 'apiserver_watch_events_total{group="",resource="endpoints",version="v1"} 2' in lines
    deprecated = 'group="",removed_release="",resource="endpoints",subresource="",version="v1"'
    assert f"apiserver_requested_deprecated_apis{{{deprecated}}} 1" in lines
