"""Metrics of availability."""

from prometheus_client import CollectorRegistry, generate_latest

from kybern.apiserver.aggregation.metrics import AvailabilityMetrics
from kybern.apiserver.core.api_services import PASSED, Said

DOWN = Said(False, "FailedDiscoveryCheck", "")


def test_a_time_is_counted_once() -> None:
    registry = CollectorRegistry()
    metrics = AvailabilityMetrics(registry)
    for said in (DOWN, DOWN, PASSED, DOWN, Said(False, "ServiceNotFound", "")):
        metrics.record("v1.a", said)
    metrics.record("v1.b", PASSED)
    times = {"name": "v1.a", "reason": "FailedDiscoveryCheck"}
    assert registry.get_sample_value("aggregator_unavailable_apiservice", {"name": "v1.a"}) == 1
    assert registry.get_sample_value("aggregator_unavailable_apiservice", {"name": "v1.b"}) == 0
    assert registry.get_sample_value("aggregator_unavailable_apiservice_total", times) == 2
    metrics.forget("v1.a")
    assert registry.get_sample_value("aggregator_unavailable_apiservice", {"name": "v1.a"}) is None
    assert b"aggregator_unavailable_apiservice_total" in generate_latest(registry)
