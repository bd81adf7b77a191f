"""Aggregated rules."""

from typing import Any

from kybern.controllers.clusterrole_aggregation.reconcile import compute_rules


def role(name: str, *rules: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "rules": [{"verbs": [rule]} for rule in rules]}


def test_rules_of_matching_roles_by_name_and_once() -> None:
    selectors = [{"matchLabels": {"to": "admin"}}, {"matchLabels": {"also": "yes"}}]
    admin = {**role("admin", "own", to="admin"), "aggregationRule": {"clusterRoleSelectors": selectors}}
    others = [role("z", "get", to="admin"), role("b", "list", "get", also="yes"), role("c", "watch")]
    assert [rule["verbs"][0] for rule in compute_rules(admin, [admin, *others])] == ["list", "get"]
