"""Which pod goes first: one difference per row, the first pod of each row is the victim."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kybern.controllers.replicaset.core.ranking import pods_to_delete
from kybern.kube import meta

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pod(name: str, **how: Any) -> dict[str, Any]:
    ago = {key: meta.format_time(NOW - timedelta(seconds=how.get(key, default))) for key, default in AGES.items()}
    ready = {"type": "Ready", "status": str(how.get("is_ready", True)), "lastTransitionTime": ago["ready"]}
    annotations = {"controller.kubernetes.io/pod-deletion-cost": how["cost"]} if "cost" in how else {}
    return {
        "metadata": {"name": name, "uid": name, "creationTimestamp": ago["born"], "annotations": annotations},
        "spec": {"nodeName": how.get("node", "n1")},
        "status": {
            "phase": how.get("phase", "Running"),
            "conditions": [ready],
            "containerStatuses": [{"restartCount": how.get("restarts", 0)}],
        },
    }


AGES = {"ready": 1000, "born": 2000}


@pytest.mark.parametrize(
    ("case", "victim", "other"),
    [
        ("not assigned", {"node": "", "restarts": 0}, {"phase": "Pending"}),
        ("pending before running", {"phase": "Pending"}, {"cost": "-5"}),
        ("unknown before running", {"phase": "Unknown"}, {"is_ready": False}),
        ("not ready", {"is_ready": False}, {"cost": "-5"}),
        ("lower cost", {"cost": "-1"}, {"ready": 1}),
        ("a cost that is no number counts as 0", {"cost": "x"}, {"cost": "1"}),
        ("ready for much less time", {"ready": 10}, {"restarts": 9, "ready": 1000}),
        ("ready for about as long: by uid", {"ready": 1000}, {"ready": 900}),
        ("more restarts", {"restarts": 3}, {"born": 1001}),
        ("much younger", {"born": 1010}, {"born": 100000}),
    ],
)
def test_the_first_difference_decides(case: str, victim: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = pod("a", **victim), pod("b", **other)
    assert pods_to_delete([b, a], [], 1, NOW) == (a,)
    assert pods_to_delete([a, b], [], 1, NOW) == (a,)


def test_the_fuller_node_first() -> None:
    related = [pod("x", node="n2"), pod("y", node="n2"), pod("z", node="n1")]
    a, b = pod("a", node="n1"), pod("b", node="n2")
    assert pods_to_delete([a, b], [a, b, *related], 1, NOW) == (b,)


def test_all_when_all_are_too_many() -> None:
    assert len(pods_to_delete([pod("a"), pod("b")], [], 5, NOW)) == 2
