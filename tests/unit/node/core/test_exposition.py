"""A Summary as Prometheus metrics."""

from prometheus_client.parser import text_string_to_metric_families

from kybern.node.core.exposition import cadvisor_metrics, resource_metrics

USAGE = {"cpu": {"usageCoreNanoSeconds": 1_500_000_000}, "memory": {"workingSetBytes": 123_456_789, "rssBytes": 7}}
SUMMARY = {
    "node": {"nodeName": "n", **USAGE},
    "pods": [
        {
            "podRef": {"name": "p", "namespace": "ns"},
            **USAGE,
            "containers": [{"name": 'c"', **USAGE, "rootfs": {"usedBytes": 10}}],
        }
    ],
}


def samples(text: str) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text)
    return {(s.name, s.labels.get("container", "")): s.value for family in families for s in family.samples}


def test_resource_metrics() -> None:
    found = samples(resource_metrics(SUMMARY))
    assert found["node_cpu_usage_seconds_total", ""] == 1.5
    assert found["pod_memory_working_set_bytes", ""] == 123_456_789
    assert found["container_cpu_usage_seconds_total", 'c"'] == 1.5
    assert found["resource_scrape_error", ""] == 0


def test_cadvisor_metrics() -> None:
    found = samples(cadvisor_metrics(SUMMARY, {"cores": 2.0, "memory": 4096.0}))
    assert found["container_memory_rss", 'c"'] == 7
    assert found["container_fs_usage_bytes", 'c"'] == 10
    assert found["machine_memory_bytes", ""] == 4096


def test_a_node_without_pods() -> None:
    assert samples(resource_metrics({"node": {"nodeName": "n"}, "pods": []}))["node_memory_working_set_bytes", ""] == 0
