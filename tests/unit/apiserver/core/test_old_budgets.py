"""Budgets of policy/v1beta1: an empty selector meant no Pod there."""

from typing import Any

import pytest

from kybern.apiserver.core.old_budgets import LABEL, NO_POD, as_v1

APP = {"key": "app", "operator": "Exists"}
ABSENT = {"key": LABEL, "operator": "DoesNotExist"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(None, None, id="none"),
        pytest.param({}, NO_POD, id="no Pod"),
        pytest.param({"matchExpressions": []}, NO_POD, id="no Pod, in other words"),
        pytest.param({"matchExpressions": [ABSENT]}, {}, id="every Pod"),
        pytest.param({"matchLabels": {"a": "b"}}, {"matchLabels": {"a": "b"}}, id="labels"),
        pytest.param(
            {"matchLabels": {"a": "b"}, "matchExpressions": [ABSENT]},
            {"matchLabels": {"a": "b"}},
            id="labels beside the one that no Pod has",
        ),
        pytest.param({"matchExpressions": [APP, ABSENT]}, {"matchExpressions": [APP]}, id="expressions beside it"),
        pytest.param({"matchLabels": {LABEL: "x"}}, {"matchLabels": {LABEL: "x"}}, id="with a value"),
    ],
)
def test_selectors(old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
    budget = {"apiVersion": "policy/v1beta1", "metadata": {"name": "a"}, "spec": {"minAvailable": 1}}
    wanted: dict[str, Any] = {"apiVersion": "policy/v1", "metadata": {"name": "a"}, "spec": {"minAvailable": 1}}
    if old is not None:
        budget["spec"] = {"minAvailable": 1, "selector": old}
        wanted["spec"]["selector"] = new
    assert as_v1(budget) == wanted
    assert budget["apiVersion"] == "policy/v1beta1"


def test_without_a_spec() -> None:
    assert as_v1({"apiVersion": "policy/v1beta1", "metadata": {}}) == {"apiVersion": "policy/v1", "metadata": {}}
