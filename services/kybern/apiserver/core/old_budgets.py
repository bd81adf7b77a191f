"""PodDisruptionBudgets of policy/v1beta1, as they may still be stored: what they are in v1.

An empty selector meant no Pod in v1beta1 and means every Pod in v1. A label that no Pod has says the other thing in
either version: that it exists, or that it does not.
"""

from typing import Any

Object = dict[str, Any]
GROUP_VERSION = "policy/v1beta1"
LABEL = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match"
NO_POD = {"matchExpressions": [{"key": LABEL, "operator": "Exists"}]}


def as_v1(budget: Object) -> Object:
    """The same budget in v1; `budget` stays as it is."""
    new = {**budget, "apiVersion": "policy/v1"}
    spec = budget.get("spec") or {}
    if spec.get("selector") is not None:
        new["spec"] = {**spec, "selector": _selector(spec["selector"])}
    return new


def _selector(selector: Object) -> Object:
    expressions = selector.get("matchExpressions") or []
    if not expressions and not selector.get("matchLabels"):
        return NO_POD
    found = {name: value for name, value in selector.items() if name != "matchExpressions"}
    kept = [expression for expression in expressions if expression.get("key") != LABEL]
    return {**found, "matchExpressions": kept} if kept else found
