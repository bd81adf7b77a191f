"""Deployments and ReplicaSets end to end, in virtual time."""

import asyncio
from typing import Any

import pytest

from kybern.client.resources import DEPLOYMENTS, EVENTS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, SERVICE_ACCOUNTS
from kybern.kube import meta
from kybern.kube.conditions import get_condition

TRACE = "00-11111111111111111111111111111111-2222222222222222-01"


def test_a_deployment_comes_up_and_tells_of_it(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment()
        deployment = await cluster.rolled_out()
        assert len(await cluster.names(PODS)) == 3
        assert meta.annotations(deployment)["deployment.kubernetes.io/revision"] == "1"
        await asyncio.sleep(1)
        events = [event["reason"] for event in (await cluster.admin.list(EVENTS, "default")).items]
        assert events.count("SuccessfulCreate") == 3
        assert events.count("ScalingReplicaSet") == 1
        settled = await cluster.admin.get(DEPLOYMENTS, "web", "default")
        await asyncio.sleep(1000)
        later = await cluster.admin.get(DEPLOYMENTS, "web", "default")
        assert later["metadata"]["resourceVersion"] == settled["metadata"]["resourceVersion"]  # at rest

    simulate(test)


def test_a_rolling_update_never_falls_below_its_bounds(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment(replicas=4)
        await cluster.rolled_out()
        await cluster.set_image("v2")
        lowest, highest = 4, 4

        async def done() -> bool:
            nonlocal lowest, highest
            pods = [p for p in (await cluster.admin.list(PODS, "default")).items if not meta.is_deleting(p)]
            lowest = min(lowest, sum((get_condition(p, "Ready") or {}).get("status") == "True" for p in pods))
            highest = max(highest, len(pods))
            return {p["spec"]["containers"][0]["image"] for p in pods} == {"v2"} and len(pods) == 4

        await cluster.until(done)
        assert (lowest, highest) == (3, 5)
        await cluster.rolled_out()
        assert sorted(rs["spec"]["replicas"] for rs in (await cluster.admin.list(REPLICA_SETS, "default")).items) == [
            0,
            4,
        ]

    simulate(test)


def test_rollback_scaling_and_a_stuck_rollout(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment(replicas=4, progressDeadlineSeconds=60)
        await cluster.rolled_out()
        await cluster.set_image("broken")

        async def stuck() -> bool:
            deployment = await cluster.admin.get(DEPLOYMENTS, "web", "default")
            condition = get_condition(deployment, "Progressing")
            return condition is not None and condition.get("reason") == "ProgressDeadlineExceeded"

        await cluster.until(stuck, 100)
        available = (await cluster.admin.get(DEPLOYMENTS, "web", "default"))["status"]["availableReplicas"]
        assert available == 3
        await cluster.set_image("v1")
        deployment = await cluster.rolled_out()
        assert meta.annotations(deployment)["deployment.kubernetes.io/revision"] == "3"
        await cluster.admin.patch(DEPLOYMENTS, "web", "default", patch={"spec": {"replicas": 7}}, subresource="scale")
        await cluster.rolled_out()
        assert len(await cluster.names(PODS)) == 7
        await cluster.admin.patch(DEPLOYMENTS, "web", "default", patch={"spec": {"replicas": 0}}, subresource="scale")
        await cluster.rolled_out()
        await asyncio.sleep(2)
        assert await cluster.names(PODS) == []

    simulate(test)


def test_recreate_never_runs_two_versions_at_once(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment(strategy={"type": "Recreate"})
        await cluster.rolled_out()
        await cluster.set_image("v2")

        async def done() -> bool:
            images = {p["spec"]["containers"][0]["image"] for p in (await cluster.admin.list(PODS, "default")).items}
            assert len(images) <= 1
            return images == {"v2"}

        await cluster.until(done)
        await cluster.rolled_out()

    simulate(test)


def test_deleted_and_relabelled_pods_are_replaced_and_orphans_adopted(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment()
        await cluster.rolled_out()
        first, second, *_ = await cluster.names(PODS)
        await cluster.admin.delete(PODS, first, "default")
        await cluster.admin.patch(PODS, second, "default", patch={"metadata": {"labels": {"app": "debug"}}})
        await asyncio.sleep(5)
        released = await cluster.admin.get(PODS, second, "default")
        assert meta.owner_references(released) == []
        mine = await cluster.names(PODS, label_selector="app=web")
        assert len(mine) == 3
        assert first not in mine
        labels = {"app": "web", "pod-template-hash": meta.labels(released)["pod-template-hash"]}
        await cluster.admin.patch(PODS, second, "default", patch={"metadata": {"labels": labels}})
        await asyncio.sleep(5)
        assert len(await cluster.names(PODS, label_selector="app=web")) == 3

    simulate(test)


def test_a_replication_controller_keeps_its_pods(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        await cluster.create(REPLICATION_CONTROLLERS, "rc", spec={"replicas": 2, "template": template})

        async def up() -> bool:
            rc = await cluster.admin.get(REPLICATION_CONTROLLERS, "rc", "default")
            return bool(rc.get("status", {}).get("availableReplicas") == 2)

        await cluster.until(up)
        assert len(await cluster.names(PODS)) == 2

    simulate(test)


def test_refused_pods_are_told_of_and_made_later(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        spec = {"serviceAccountName": "missing", "containers": [{"name": "c", "image": "v1"}]}
        await cluster.deployment(template={"metadata": {"labels": {"app": "web"}}, "spec": spec})

        async def failed() -> bool:
            deployment = await cluster.admin.get(DEPLOYMENTS, "web", "default")
            condition = get_condition(deployment, "ReplicaFailure")
            return condition is not None and condition["reason"] == "FailedCreate"

        await cluster.until(failed)
        assert await cluster.names(PODS) == []
        await cluster.create(SERVICE_ACCOUNTS, "missing")
        await cluster.rolled_out()
        await asyncio.sleep(1)
        deployment = await cluster.admin.get(DEPLOYMENTS, "web", "default")
        assert get_condition(deployment, "ReplicaFailure") is None

    simulate(test)


def test_min_ready_seconds_delays_availability(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment(replicas=1, minReadySeconds=30)
        await asyncio.sleep(10)
        status = (await cluster.admin.get(DEPLOYMENTS, "web", "default"))["status"]
        assert (status["readyReplicas"], status.get("availableReplicas", 0)) == (1, 0)
        await cluster.rolled_out()

    simulate(test)


def test_pods_carry_the_trace_of_their_deployment(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment(traceparent=TRACE)
        await cluster.rolled_out()
        traces = {cluster.nodes.pods.traceparent(f"default/{name}").split("-")[1] for name in await cluster.names(PODS)}
        assert traces == {"1" * 32}
        names = {span.name for span in cluster.controllers.spans.take()}
        assert {"reconcile deployment-controller", "reconcile replicaset-controller"} <= names

    simulate(test)


@pytest.mark.parametrize("seed", range(3))
def test_many_deployments_settle_in_any_order(simulate: Any, seed: int) -> None:
    async def test(cluster: Any) -> None:
        for number in range(6):
            await cluster.deployment(f"web{number}", replicas=number)
        for number in range(6):
            await cluster.rolled_out(f"web{number}")
            await cluster.set_image("v2", f"web{number}")
        for number in range(6):
            await cluster.rolled_out(f"web{number}")
        await asyncio.sleep(5)
        assert len(await cluster.names(PODS)) == 15

    simulate(test, seed=seed)
