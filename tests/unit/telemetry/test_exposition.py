"""The text of metrics as Go writes it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric

from kybern.telemetry.exposition import exposition, go_number, joined

NUMBERS = [
    (0, "0"), (1.0, "1"), (-2.5, "-2.5"), (100_000, "100000"), (1e6, "1e+06"), (1.05e6, "1.05e+06"),
    (123456.5, "123456.5"), (999999.5, "999999.5"), (1234567.5, "1.2345675e+06"), (0.0001, "0.0001"), (5e-06, "5e-06"),
    (0.00016, "0.00016"), (2.3333333333333335, "2.3333333333333335"), (1e21, "1e+21"), (1.5e-100, "1.5e-100"),
    (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), NUMBERS, ids=[row[1] for row in NUMBERS])
def test_numbers(value: float, text: str) -> None:
    assert go_number(value) == text


@given(st.floats(allow_nan=False))
def test_a_number_is_read_as_it_was(value: float) -> None:
    assert float(go_number(value)) == value


class Counts:
    """Kubernetes has counters whose names do not end in _total."""

    def collect(self) -> list[Metric]:
        family = Metric("attempts", "Tried.", "counter")
        family.add_sample("attempts", {"result": 'a"b\\'}, 2)
        return [family]


def test_families() -> None:
    registry = CollectorRegistry()
    registry.register(Counts())  # type: ignore[arg-type]
    Histogram("seconds", "Took.\nLong.", ["b", "a"], registry=registry, buckets=(0.5, 1)).labels("x", "y").observe(0.7)
    Counter("none", "Never.", ["a"], registry=registry)
    Counter("all", "Ever.", registry=registry).inc()
    Gauge("now", "At present.", registry=registry).set(2e6)
    assert exposition(registry).decode().splitlines() == [
        "# HELP all_total Ever.",
        "# TYPE all_total counter",
        "all_total 1",
        "# HELP attempts Tried.",
        "# TYPE attempts counter",
        'attempts{result="a\\"b\\\\"} 2',
        "# HELP now At present.",
        "# TYPE now gauge",
        "now 2e+06",
        "# HELP seconds Took.\\nLong.",
        "# TYPE seconds histogram",
        'seconds_bucket{a="y",b="x",le="0.5"} 0',
        'seconds_bucket{a="y",b="x",le="1"} 1',
        'seconds_bucket{a="y",b="x",le="+Inf"} 1',
        'seconds_sum{a="y",b="x"} 0.7',
        'seconds_count{a="y",b="x"} 1',
    ]


def test_of_what_two_processes_have_the_first_is_shown() -> None:
    own = b"# HELP b B\n# TYPE b gauge\nb 1\n"
    others = b"# HELP a A\n# TYPE a gauge\na 2\n# HELP b B\n# TYPE b gauge\nb 3\n"
    assert joined(own, others) == others.replace(b"b 3", b"b 1")
