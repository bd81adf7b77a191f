"""Rollouts, step by step, in a world of nothing but a Deployment and its ReplicaSets."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.controllers.deployment.core.model import REVISION, find_new, max_surge, max_unavailable
from kybern.controllers.deployment.core.plan import Plan, compute_plan
from kybern.kube import meta
from kybern.kube.conditions import get_condition

START = datetime(2026, 1, 1, tzinfo=UTC)


def deployment(replicas: int = 3, image: str = "a", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": image}]}},
            **spec,
        },
    }


class World:
    """Carries plans out, and lets pods come up and go away."""

    def __init__(self, deployment: dict[str, Any]) -> None:
        self.deployment = deployment
        self.replica_sets: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, list[dict[str, Any]]] = {}
        self.now = START
        self.works = True

    def step(self) -> Plan:
        plan = compute_plan(copy.deepcopy(self.deployment), [*self.replica_sets.values()], self.pods, self.now)
        if plan.create is not None:
            rs = copy.deepcopy(plan.create)
            rs["metadata"] |= {"uid": meta.name(rs), "creationTimestamp": meta.format_time(self.now), "generation": 1}
            assert meta.name(rs) not in self.replica_sets
            self.replica_sets[meta.name(rs)] = rs
        for update in plan.updates:
            self.replica_sets[meta.name(update.replica_set)] = copy.deepcopy(update.replica_set)
        for rs in plan.deletes:
            del self.replica_sets[meta.name(rs)]
        if plan.revision is not None:
            self.deployment["metadata"].setdefault("annotations", {})[REVISION] = plan.revision
        if plan.status is not None:
            self.deployment["status"] = plan.status
        self.now += timedelta(seconds=1)
        return plan

    def pods_follow(self, available: int = 1000) -> None:
        """Every ReplicaSet has the pods it wants; new ones come up, `available` of them in all at most."""
        new = find_new(self.deployment, self.replica_sets.values())
        for rs in self.replica_sets.values():
            size = rs["spec"]["replicas"]
            had = (rs.get("status") or {}).get("availableReplicas", 0)
            up = min(size, had) if rs is new and not self.works else min(size, max(had, available))
            rs["status"] = {"replicas": size, "readyReplicas": up, "availableReplicas": up, "observedGeneration": 1}

    def settle(self, steps: int = 200) -> None:
        for _ in range(steps):
            plan = self.step()
            self.pods_follow()
            if plan == Plan(look_again=plan.look_again):
                return
        raise AssertionError("the rollout does not come to rest")

    def image(self, image: str) -> None:
        self.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image
        self.deployment["metadata"]["generation"] += 1

    def sizes(self) -> dict[str, int]:
        images = {
            rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"]
            for rs in self.replica_sets.values()
        }
        return dict(sorted(images.items()))


def test_first_rollout_makes_one_replica_set_and_completes() -> None:
    world = World(deployment())
    plan = world.step()
    assert plan.create is not None
    assert plan.create["spec"]["replicas"] == 3
    assert plan.create["metadata"]["labels"]["pod-template-hash"] in plan.create["metadata"]["name"]
    assert plan.create["spec"]["selector"]["matchLabels"].keys() == {"app", "pod-template-hash"}
    assert plan.revision == "1"
    progressing = get_condition(world.deployment, "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "NewReplicaSetCreated"
    world.pods_follow()
    world.settle()
    status = world.deployment["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (3, 3, 3)
    assert "unavailableReplicas" not in status
    reasons = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    assert reasons == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }


def test_rolling_update_and_rollback_reuse_the_old_replica_set() -> None:
    world = World(deployment())
    world.settle()
    world.image("b")
    world.settle()
    assert world.sizes() == {"a": 0, "b": 3}
    assert world.deployment["metadata"]["annotations"][REVISION] == "2"
    world.image("a")
    world.settle()
    assert world.sizes() == {"a": 3, "b": 0}
    assert world.deployment["metadata"]["annotations"][REVISION] == "3"
    back = find_new(world.deployment, world.replica_sets.values())
    assert back is not None
    assert meta.annotations(back)["deployment.kubernetes.io/revision-history"] == "1"


def test_a_rollout_that_does_not_come_up_stops_and_times_out() -> None:
    world = World(deployment(4))
    world.settle()
    world.works = False
    world.image("broken")
    world.settle()
    assert world.sizes() == {"a": 3, "broken": 2}  # 4 + 1 surge, 4 - 1 available
    world.now += timedelta(seconds=601)
    world.step()
    progressing = get_condition(world.deployment, "Progressing")
    assert progressing is not None
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
    world.image("a")
    world.settle()
    assert world.sizes() == {"a": 4, "broken": 0}


def test_recreate_starts_nothing_while_an_old_pod_runs() -> None:
    world = World(deployment(strategy={"type": "Recreate"}))
    world.settle()
    old = next(iter(world.replica_sets.values()))
    world.pods = {meta.uid(old): [{"status": {"phase": "Running"}}]}
    world.image("b")
    world.step()
    world.pods_follow()
    assert world.sizes() == {"a": 0}
    world.step()
    assert world.sizes() == {"a": 0}
    world.pods = {meta.uid(old): [{"status": {"phase": "Failed"}}]}
    world.settle()
    assert world.sizes() == {"a": 0, "b": 3}


def test_a_paused_deployment_scales_but_does_not_roll() -> None:
    world = World(deployment())
    world.settle()
    world.deployment["spec"]["paused"] = True
    world.image("b")
    world.settle()
    assert world.sizes() == {"a": 3}
    progressing = get_condition(world.deployment, "Progressing")
    assert progressing is not None
    assert (progressing["status"], progressing["reason"]) == ("Unknown", "DeploymentPaused")
    world.deployment["spec"]["replicas"] = 5
    world.settle()
    assert world.sizes() == {"a": 5}
    world.deployment["spec"]["paused"] = False
    world.settle()
    assert world.sizes() == {"a": 0, "b": 5}


@pytest.mark.parametrize(
    ("case", "sizes", "replicas", "wanted"),
    [
        ("up, as in the documentation of Deployments", {"a": 8, "b": 5}, 15, {"a": 11, "b": 7}),
        ("down", {"a": 8, "b": 5}, 5, {"a": 5, "b": 3}),
        ("to nothing", {"a": 8, "b": 5}, 0, {"a": 0, "b": 0}),
        ("one only", {"a": 10}, 4, {"a": 4}),
    ],
)
def test_scaling_in_proportion(case: str, sizes: dict[str, int], replicas: int, wanted: dict[str, int]) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    world = World(deployment(10, strategy=rolling))
    world.settle()
    if "b" in sizes:
        world.works = False
        world.image("b")
        world.settle()
    for rs in world.replica_sets.values():
        rs["spec"]["replicas"] = sizes[rs["spec"]["template"]["spec"]["containers"][0]["image"]]
    world.deployment["spec"]["replicas"] = replicas
    world.step()
    assert world.sizes() == wanted
    assert all(
        meta.annotations(rs)["deployment.kubernetes.io/desired-replicas"] == str(replicas)
        for rs in world.replica_sets.values()
        if rs["spec"]["replicas"]
    )


def test_old_revisions_beyond_the_limit_are_deleted() -> None:
    world = World(deployment(1, revisionHistoryLimit=2))
    for image in "abcde":
        world.image(image)
        world.settle()
    assert world.sizes() == {"c": 0, "d": 0, "e": 1}


def test_collision_count_changes_the_name() -> None:
    plain, collided = World(deployment()), World(deployment())
    collided.deployment["status"] = {"collisionCount": 1}
    first, second = plain.step().create, collided.step().create
    assert first is not None
    assert second is not None
    assert meta.name(first) != meta.name(second)
    assert collided.deployment["status"]["collisionCount"] == 1


@settings(max_examples=150, deadline=None)
@given(
    replicas=st.integers(0, 12),
    surge=st.sampled_from([0, 1, 3, "25%", "100%"]),
    unavailable=st.sampled_from([0, 1, 2, "25%", "50%"]),
    changes=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), min_size=1, max_size=5),
)
def test_a_rollout_keeps_its_bounds_and_ends(
    replicas: int, surge: int | str, unavailable: int | str, changes: list[tuple[str, int]]
) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    world = World(deployment(replicas, strategy=rolling))
    world.settle()
    most = replicas + max_surge(world.deployment)
    least = replicas - max_unavailable(world.deployment)
    for image, steps in changes:
        world.image(image)
        for _ in range(steps):
            world.step()
            total = sum(rs["spec"]["replicas"] for rs in world.replica_sets.values())
            assert total <= most
            world.pods_follow()
            up = sum(rs["status"].get("availableReplicas", 0) for rs in world.replica_sets.values())
            assert up >= min(least, replicas)
    world.settle()
    new = find_new(world.deployment, world.replica_sets.values())
    assert new is not None
    assert new["spec"]["replicas"] == replicas
    assert sum(rs["spec"]["replicas"] for rs in world.replica_sets.values()) == replicas
    progressing = get_condition(world.deployment, "Progressing")
    assert progressing is not None
    assert progressing["reason"] == "NewReplicaSetAvailable"
