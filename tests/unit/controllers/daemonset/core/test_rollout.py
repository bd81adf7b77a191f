"""Which pods of a DaemonSet an update replaces, and in what order."""

from datetime import UTC, datetime

import pytest

from kybern.controllers.core.history import HASH_LABEL
from kybern.controllers.daemonset.core.placement import Changes, by_node, compute_changes, excess
from kybern.controllers.daemonset.core.rollout import compute_rollout
from kybern.kube import meta
from kybern.kube.meta import Object

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NODES = [{"metadata": {"name": f"n{number}"}} for number in range(4)]


def daemon_set(kind: str = "RollingUpdate", min_ready: int = 0, **rolling: object) -> Object:
    strategy = {"type": kind, "rollingUpdate": rolling}
    return {"spec": {"updateStrategy": strategy, "minReadySeconds": min_ready, "template": {"spec": {}}}}


def pod(name: str, *, ready: bool = True) -> Object:
    """`old-n0` is of the old template, on node n0; new pods came a day later."""
    age, node = name.split("-")[:2]
    since = "2025-12-31T23:59:50Z"
    return {
        "metadata": {
            "name": name,
            "labels": {HASH_LABEL: age},
            "creationTimestamp": f"2025-12-{'01' if age == 'old' else '02'}T00:00:00Z",
        },
        "spec": {"nodeName": node},
        "status": {"conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": since}]},
    }


def rollout(wanted: Object, *pods: Object) -> Changes:
    return compute_rollout(wanted, NODES, by_node(pods), "new", NOW)


def names(pods: object) -> list[str]:
    return [meta.name(one) for one in pods]  # type: ignore[attr-defined]  # any iterable of pods


def too_many(wanted: Object, *running: Object) -> list[str]:
    return names(excess(wanted, running, "new", NOW))


def test_old_pods_make_room_within_the_limit_and_broken_ones_at_once() -> None:
    pods = [pod("old-n0"), pod("old-n1", ready=False), pod("old-n2"), pod("new-n3")]
    assert names(rollout(daemon_set(maxUnavailable=1), *pods).delete) == ["old-n1"]
    assert names(rollout(daemon_set(maxUnavailable="50%"), *pods).delete) == ["old-n1", "old-n0"]


def test_on_delete_nothing_is_replaced() -> None:
    assert rollout(daemon_set("OnDelete", maxSurge=1), pod("old-n0"), pod("old-n1", ready=False)) == Changes()


@pytest.mark.parametrize(
    ("surge", "pods", "create"),
    [
        (2, [pod("old-n0"), pod("old-n1"), pod("old-n2")], ("n0", "n1")),
        ("25%", [pod("old-n0"), pod("old-n1"), pod("old-n2")], ("n0",)),
        # One new pod waits beside its old one: it counts.
        (2, [pod("old-n0"), pod("new-n0", ready=False), pod("old-n1"), pod("old-n2")], ("n1",)),
        # A new pod by itself does not.
        (1, [pod("new-n0"), pod("old-n1"), pod("old-n2")], ("n1",)),
        # Where the old one does not work, a new one comes whatever the limit.
        (1, [pod("old-n0", ready=False), pod("old-n1"), pod("old-n2", ready=False)], ("n0", "n2", "n1")),
    ],
)
def test_with_surge_new_pods_come_beside_old_ones(surge: object, pods: list[Object], create: tuple[str, ...]) -> None:
    assert rollout(daemon_set(maxSurge=surge, maxUnavailable=0), *pods) == Changes(create=create)


def test_without_surge_the_oldest_of_a_nodes_pods_stays() -> None:
    assert too_many(daemon_set(), pod("old-n0"), pod("new-n0")) == ["new-n0"]
    assert too_many(daemon_set("OnDelete", maxSurge=1), pod("old-n0"), pod("new-n0")) == ["new-n0"]


def test_with_surge_the_old_pod_stays_until_the_new_one_is_available() -> None:
    wanted = daemon_set(maxSurge=1, min_ready=30)
    assert too_many(wanted, pod("old-n0"), pod("new-n0", ready=False)) == []
    assert too_many(wanted, pod("old-n0"), pod("new-n0")) == []  # ready for ten seconds, thirty are asked
    assert too_many(daemon_set(maxSurge=1, min_ready=10), pod("old-n0"), pod("new-n0")) == ["old-n0"]
    assert too_many(wanted, pod("old-n0", ready=False), pod("new-n0", ready=False)) == ["old-n0"]
    assert too_many(wanted, pod("old-n0"), pod("old-n0-b"), pod("new-n0"), pod("new-n0-b")) == ["old-n0-b", "new-n0-b"]


def test_a_surging_pod_is_not_taken_for_one_too_many() -> None:
    pods = by_node([pod("old-n0"), pod("new-n0", ready=False), pod("old-n1")])
    assert compute_changes(daemon_set(maxSurge=1), NODES[:2], pods, "new", NOW) == Changes()
