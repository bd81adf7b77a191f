"""Histograms that are counted late are those that are counted at once."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import HistogramMetricFamily

from kybern.telemetry.observations import AT_ONCE, Observations

BOUNDS = (0.0, 1.0, 2.5, 10.0)


@given(st.lists(st.sampled_from((-1.0, 0.0, 0.5, 1.0, 2.0, 2.5, 9.0, 10.0, 11.0)), max_size=3 * AT_ONCE), st.booleans())
def test_every_value_is_in_its_bucket(values: list[float], at_once: bool) -> None:
    found = Observations(BOUNDS)
    wanted = [0] * (len(BOUNDS) + 1)
    for value in values:
        wanted[bisect_left(BOUNDS, value)] += 1
        if not at_once:
            found.observe(value)
    if at_once:
        found.observe_all(values)
    assert found.now() == (wanted, sum(values))
    assert len(found.kept[2]) < AT_ONCE


def test_a_look_changes_nothing() -> None:
    found = Observations(BOUNDS)
    found.observe(1.0)
    assert found.now() == found.now() == ([0, 1, 0, 0, 0], 1.0)


def test_what_saw_nothing_is_not_shown() -> None:
    family = HistogramMetricFamily("x", "", labels=("a",))
    found = Observations(BOUNDS)
    found.add_to(("b",), family)
    assert not family.samples
    found.observe(2.0)
    found.add_to(("b",), family)
    values = {sample.labels.get("le", sample.name): sample.value for sample in family.samples}
    assert values == {"0.0": 0, "1.0": 0, "2.5": 1, "10.0": 1, "+Inf": 1, "x_sum": 2, "x_count": 1}
