"""APIServices as data."""

from datetime import UTC, datetime, timedelta

import pytest

from kybern.apiserver.core.api_services import (
    LOCAL,
    ON_START,
    PASSED,
    Said,
    built_in_priority,
    decide_status,
    group_order,
    is_available,
    local,
    priority_of,
)
from kybern.apiserver.crd.definition import version_order
from kybern.kube import schema

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DOWN = Said(False, "FailedDiscoveryCheck", "no answer")


def test_a_local_one() -> None:
    made = local("apps", "v1", built_in_priority("apps", "v1"), ON_START)
    assert made["metadata"]["name"] == "v1.apps"
    assert priority_of(made) == (17800, 15)
    assert local("", "v1", (18000, 1), ON_START)["metadata"]["name"] == "v1."
    assert "group" not in local("", "v1", (18000, 1), ON_START)["spec"]


def test_transitions() -> None:
    status = decide_status({}, DOWN, NOW)
    assert not is_available({"status": status})
    same = decide_status({"status": status}, Said(False, "ServiceNotFound", "gone"), LATER)
    assert same["conditions"][0]["lastTransitionTime"] == status["conditions"][0]["lastTransitionTime"]
    assert same["conditions"][0]["reason"] == "ServiceNotFound"
    up = decide_status({"status": same}, PASSED, LATER)
    assert is_available({"status": up})
    assert up["conditions"][0]["lastTransitionTime"] == "2026-01-01T01:00:00Z"
    assert decide_status({"status": up}, PASSED, LATER + timedelta(hours=1)) == up
    assert is_available({"status": decide_status({}, LOCAL, NOW)})


def test_conditions_of_others_stay() -> None:
    other = {"type": "Other", "status": "True"}
    assert decide_status({"status": {"conditions": [other]}}, PASSED, NOW)["conditions"][0] == other


def test_the_tables_priorities_give_the_schemas_order() -> None:
    groups = schema.load().groups
    priorities = {(g.name, v): built_in_priority(g.name, v) for g in groups for v in g.versions}
    assert group_order(priorities, version_order) == [(g.name, g.versions) for g in groups]


@pytest.mark.parametrize(
    ("priority", "before"),
    [((17450, 1), "batch"), ((17500, 1), "autoscaling"), ((2000, 1), None), ((20000, 1), "apps")],
)
def test_where_a_group_goes(priority: tuple[int, int], before: str | None) -> None:
    groups = schema.load().groups
    priorities = {(g.name, v): built_in_priority(g.name, v) for g in groups for v in g.versions}
    priorities["a.example.com", "v1"] = priority
    names = [name for name, _ in group_order(priorities, version_order)]
    after = names[names.index("a.example.com") + 1 :]
    assert (after[0] if after else None) == before


def test_versions_by_priority_then_by_name() -> None:
    priorities = {("g", "v1"): (1, 10), ("g", "v2"): (1, 10), ("g", "v1beta1"): (1, 20), ("g", "v1alpha1"): (1, 10)}
    assert group_order(priorities, version_order) == [("g", ("v1beta1", "v2", "v1", "v1alpha1"))]
