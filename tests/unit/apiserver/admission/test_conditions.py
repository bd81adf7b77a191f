"""matchConditions: false decides before errors do."""

import pytest

from kybern.apiserver.admission.conditions import Conditions

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
