"""Seats of the default configuration, and how levels borrow."""

from importlib.resources import files

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.apiserver.core.flowcontrol.limits import (
    Demand,
    Level,
    Limits,
    Queuing,
    current_limits,
    level,
    nominal_limits,
    smoothed,
)

FLOW = orjson.loads((files("kybern.apiserver.bootstrap") / "data" / "flow.json").read_bytes())
DEFAULTS = [level({"metadata": {"name": r["name"]}, "spec": r["spec"]}) for r in FLOW["prioritylevelconfigurations"]]


def limited(name: str, shares: int, lendable: int = 0, borrowing: int | None = None) -> Level:
    return Level(name, "", False, shares, lendable, borrowing, Queuing(1, 1, 1))


def test_the_default_levels_share_600_seats() -> None:
    found = {name: (x.nominal, x.minimum) for name, x in nominal_limits(600, DEFAULTS).items()}
    assert found == {
        "catch-all": (13, 13),
        "exempt": (0, 0),
        "global-default": (49, 25),
        "leader-election": (25, 25),
        "node-high": (98, 74),
        "system": (74, 50),
        "workload-high": (98, 49),
        "workload-low": (245, 25),
    }


def test_borrowing_is_limited_where_the_level_says_so() -> None:
    found = nominal_limits(100, [limited("a", 1, borrowing=50), limited("b", 1), limited("jail", 0)])
    assert found == {"a": Limits(50, 50, 75), "b": Limits(50, 50, 100), "jail": Limits(0, 0, 0)}


def test_who_wants_much_borrows_from_who_wants_little() -> None:
    levels = [limited("a", 50, lendable=50), limited("b", 50, lendable=50)]
    limits = nominal_limits(100, levels)
    current = current_limits(100, levels, limits, {"a": Demand(500, 500), "b": Demand(5, 5)}).seats
    assert current == {"a": 75, "b": 25}
    both = current_limits(100, levels, limits, {"a": Demand(500, 500), "b": Demand(500, 500)})
    assert both.seats == {"a": 50, "b": 50}
    assert both.targets == {"a": 500, "b": 500}
    assert both.fraction == pytest.approx(0.1)


def test_exempt_requests_are_served_before_others_share() -> None:
    exempt = Level("exempt", "", True, 0, 0, None, None)
    levels = [exempt, limited("a", 50, lendable=50)]
    limits = nominal_limits(100, levels)
    assert current_limits(100, levels, limits, {"exempt": Demand(30, 30), "a": Demand(99, 99)}).seats["exempt"] == 30


def test_demand_rises_at_once_and_falls_slowly() -> None:
    risen = smoothed(0, [10, 10], 10)
    assert risen.smooth == 10
    fallen = smoothed(risen.smooth, [0, 0], 0)
    assert 9.5 < fallen.smooth < 10


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100), st.integers(0, 500)), min_size=1, max_size=6),
    st.integers(10, 1000),
)
def test_no_level_falls_below_its_minimum(rows: list[tuple[int, int, int]], server: int) -> None:
    levels = [limited(str(index), shares, lendable) for index, (shares, lendable, _) in enumerate(rows)]
    limits = nominal_limits(server, levels)
    demands = {str(index): Demand(wanted, wanted) for index, (_, _, wanted) in enumerate(rows)}
    current = current_limits(server, levels, limits, demands).seats
    for name, seats in current.items():
        assert limits[name].minimum <= seats <= limits[name].maximum
