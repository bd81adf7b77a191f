"""When a pod has to go."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kybern.controllers.taint_eviction.core import eviction_time, no_execute_taints

SEEN = datetime(2026, 1, 1, tzinfo=UTC)
GONE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
DATED = {**GONE, "timeAdded": "2025-12-31T23:59:00Z"}
OTHER = {"key": "mine", "value": "a", "effect": "NoExecute"}


def exists(key: str = "", seconds: int | None = None, effect: str = "NoExecute") -> dict[str, Any]:
    toleration: dict[str, Any] = {"operator": "Exists", "effect": effect}
    if key:
        toleration["key"] = key
    return toleration if seconds is None else {**toleration, "tolerationSeconds": seconds}


@pytest.mark.parametrize(
    ("case", "taints", "tolerations", "after"),
    [
        ("nothing tolerated", [GONE], [], 0),
        ("another taint tolerated", [GONE], [exists("mine")], 0),
        ("another effect tolerated", [GONE], [exists(GONE["key"], effect="NoSchedule")], 0),
        ("for ever", [GONE], [exists(GONE["key"])], None),
        ("everything, for ever", [GONE, OTHER], [exists()], None),
        ("for a while", [GONE], [exists(GONE["key"], 300)], 300),
        ("from when it was added", [DATED], [exists(GONE["key"], 300)], 240),
        ("the shortest", [GONE], [exists(GONE["key"], 300), exists("", 100)], 100),
        ("both tolerated for a while", [GONE, OTHER], [exists(GONE["key"], 300), exists("mine", 50)], 50),
        ("one not tolerated", [GONE, OTHER], [exists(GONE["key"])], 0),
        ("by value", [OTHER], [{"key": "mine", "value": "a"}], None),
        ("by another value", [OTHER], [{"key": "mine", "value": "b"}], 0),
        ("negative is at once", [GONE], [exists(GONE["key"], -5)], 0),
    ],
)
def test_eviction_time(case: str, taints: Any, tolerations: Any, after: int | None) -> None:
    found = eviction_time({"spec": {"tolerations": tolerations}}, taints, SEEN)
    assert found == (None if after is None else SEEN + timedelta(seconds=after))


def test_only_no_execute_counts() -> None:
    node = {"spec": {"taints": [GONE, {"key": "x", "effect": "NoSchedule"}]}}
    assert no_execute_taints(node) == [GONE]
    assert no_execute_taints({}) == []
