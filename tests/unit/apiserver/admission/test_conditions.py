"""matchConditions: false decides before errors do."""

import pytest

from kybern.apiserver.admission.conditions import OUT_OF_BUDGET, Conditions

VALUES = {"object": {"metadata": {"name": "web"}}, "oldObject": None, "request": {"operation": "CREATE"}}
TRUE, FALSE = "object.metadata.name == 'web'", "request.operation == 'DELETE'"
BROKEN = "object.missing == 1"

TABLE: dict[str, tuple[list[str], bool, str]] = {
    "none": ([], True, ""),
    "all true": ([TRUE, "oldObject == null"], True, ""),
    "one false": ([TRUE, FALSE], False, ""),
    "false before error": ([BROKEN, FALSE], False, ""),
    "error": ([TRUE, BROKEN], False, "c1"),
    "not compiled": (["nothing"], False, "c0"),
}


@pytest.mark.parametrize("name", TABLE)
def test_decisions(name: str) -> None:
    expressions, matched, failed = TABLE[name]
    conditions = Conditions({"name": f"c{i}", "expression": text} for i, text in enumerate(expressions))
    decision = conditions.decide({**VALUES, "authorizer": None})
    assert (decision.matched, decision.failed) == (matched, failed)
    assert bool(decision.error) == bool(failed)


DEAR = "[" + ", ".join(["1"] * 400) + "].all(a, [" + ", ".join(["1"] * 200) + "].all(b, a == b))"


@pytest.mark.parametrize(("count", "why"), [(3, ""), (30, OUT_OF_BUDGET)])
def test_what_all_cost_together(count: int, why: str) -> None:
    """A condition that has gone past what all may cost is not to blame; what follows is not looked at."""
    conditions = Conditions({"name": f"c{i}", "expression": DEAR} for i in range(count))
    decision = conditions.decide({**VALUES, "authorizer": None})
    assert (decision.matched, decision.error) == (not why, why)
