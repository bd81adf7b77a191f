"""Times of the first layers."""

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from kybern.apiserver.metrics import ApiMetrics
from kybern.apiserver.passages import Passages
from kybern.rpc.exchange.context import CallContext
from kybern.rpc.transport import Identity
from kybern.telemetry.exposition import exposition


class Watch:
    """A clock."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def passing(passages: Passages, watch: Watch, call: CallContext, *seconds: float) -> None:
    """The layers, one after the other."""
    passages.begin(call)
    for layer, wait in enumerate(seconds):
        watch.now += wait
        passages.passed(call, layer)


def count(families: dict[str, Metric], name: str, bound: str, **labels: str) -> float:
    (found,) = (
        sample.value
        for sample in families[name].samples
        if sample.name.endswith("_bucket") and sample.labels == {**labels, "le": bound}
    )
    return found


def test_each_layer_is_timed_once_whatever_begins_again() -> None:
    watch = Watch()
    passages, call = Passages(watch), CallContext(Identity("u"))
    passing(passages, watch, call, 0.005)  # then it has to wait for a seat, and begins again
    watch.now += 2.0
    passing(passages, watch, call, 0.0, 0.0, 0.02)
    families = {family.name: family for family in passages.collect(10, 1, 2)}
    authentication, filters = "authentication_duration_seconds", "apiserver_request_filter_duration_seconds"
    assert count(families, authentication, "0.001", result="success") == 9  # those that were not timed
    assert count(families, authentication, "0.008", result="success") == 10
    assert count(families, authentication, "+Inf", result="error") == 1
    assert count(families, "authorization_duration_seconds", "0.016", result="allowed") == 7
    assert count(families, "authorization_duration_seconds", "0.032", result="allowed") == 8
    assert count(families, "authorization_duration_seconds", "+Inf", result="no-opinion") == 2
    assert count(families, filters, "1.0", filter="priorityandfairness") == 9
    assert count(families, filters, "5.0", filter="priorityandfairness") == 10
    assert count(families, filters, "0.03", filter="authorization") == 10


def test_they_are_shown_with_the_attempts() -> None:
    registry, watch = CollectorRegistry(), Watch()
    passages = Passages(watch)
    metrics = ApiMetrics(registry, lambda: 0, passages)
    passing(passages, watch, CallContext(Identity("u")), 0.0, 0.0, 0.0)
    metrics.series("GET", "", "pods").record(200, 0.1)
    metrics.access(401)
    text = exposition(registry).decode()
    for line in (
        'authentication_duration_seconds_count{result="success"} 1',
        'authentication_duration_seconds_count{result="error"} 1',
        'authorization_duration_seconds_count{result="allowed"} 1',
        'apiserver_request_filter_duration_seconds_count{filter="authentication"} 1',
    ):
        assert line in text.splitlines()
