"""Plain numbers as families."""

from prometheus_client import CollectorRegistry

from kybern.telemetry.counted import Counts, Timings
from kybern.telemetry.exposition import exposition


def text(registry: CollectorRegistry) -> list[str]:
    return [line for line in exposition(registry).decode().splitlines() if not line.startswith("# HELP")]


def test_counters_keep_their_names() -> None:
    registry = CollectorRegistry()
    plain = Counts(registry, "attempts", "[ALPHA] Tries.", ("result",), start=[("ok",)])
    Counts(registry, "never_total", "[ALPHA] Never.")
    plain.add("bad")
    plain.add("bad", by=2)
    assert text(registry) == [
        "# TYPE attempts counter", 'attempts{result="ok"} 0', 'attempts{result="bad"} 3',
        "# TYPE never_total counter", "never_total 0",
    ]  # fmt: skip


def test_gauges() -> None:
    registry = CollectorRegistry()
    Counts(registry, "now", "[ALPHA] Now.", kind="gauge").add(by=2)
    assert text(registry) == ["# TYPE now gauge", "now 2"]


def test_histograms_without_labels_are_there_from_the_start() -> None:
    registry = CollectorRegistry()
    Timings(registry, "a_seconds", "[ALPHA] A.", (1.0, 2.0))
    by_kind = Timings(registry, "b_seconds", "[ALPHA] B.", (1.0, 2.0), ("kind",))
    assert text(registry)[1:] == [
        'a_seconds_bucket{le="1"} 0', 'a_seconds_bucket{le="2"} 0', 'a_seconds_bucket{le="+Inf"} 0',
        "a_seconds_sum 0", "a_seconds_count 0",
    ]  # fmt: skip
    by_kind.of("x").observe(1.5)
    assert 'b_seconds_bucket{kind="x",le="2"} 1' in text(registry)
