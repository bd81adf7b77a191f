"""Jobs, to their end."""

import asyncio
from typing import Any

from kybern.client.resources import EVENTS, JOBS, PODS
from kybern.kube import meta
from kybern.kube.conditions import get_condition
from kybern.kube.meta import Object


async def create_job(cluster: Any, image: str = "done", **spec: Any) -> None:
    pod = {"containers": [{"name": "c", "image": image}], "restartPolicy": "Never"}
    await cluster.create(JOBS, "job", spec={"template": {"spec": pod}, **spec})


async def ended(cluster: Any, type_: str, seconds: float = 60.0) -> Object:
    async def probe() -> Object | None:
        job: Object = await cluster.admin.get(JOBS, "job", "default")
        return job if (get_condition(job, type_) or {}).get("status") == "True" else None

    job: Object = await cluster.until(probe, seconds)
    return job


def test_a_job_runs_its_completions_and_counts_each_once(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_job(cluster, completions=7, parallelism=3)
        most = 0

        async def probe() -> bool:
            nonlocal most
            job = await cluster.admin.get(JOBS, "job", "default")
            most = max(most, job.get("status", {}).get("active", 0))
            return (get_condition(job, "Complete") or {}).get("status") == "True"

        await cluster.until(probe)
        job = await cluster.admin.get(JOBS, "job", "default")
        assert (job["status"]["succeeded"], job["status"].get("active", 0), most) == (7, 0, 3)
        assert "failed" not in job["status"]
        pods = (await cluster.admin.list(PODS, "default")).items
        assert len(pods) == 7
        await asyncio.sleep(1)
        assert all(meta.finalizers(pod) == [] for pod in (await cluster.admin.list(PODS, "default")).items)
        reasons = [event["reason"] for event in (await cluster.admin.list(EVENTS, "default")).items]
        assert "Completed" in reasons

    simulate(test)


def test_a_failing_job_backs_off_and_gives_up(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_job(cluster, "fails", backoffLimit=2)
        start = cluster.clock.now()
        job = await ended(cluster, "Failed", 200)
        condition = get_condition(job, "Failed")
        assert condition is not None
        assert condition["reason"] == "BackoffLimitExceeded"
        assert job["status"]["failed"] == 3
        assert 30 <= (cluster.clock.now() - start).total_seconds() <= 60  # 10 s and 20 s between three tries

    simulate(test)


def test_a_job_that_takes_too_long_is_ended(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_job(cluster, "runs", activeDeadlineSeconds=30, parallelism=2, completions=2)
        job = await ended(cluster, "Failed", 100)
        condition = get_condition(job, "Failed")
        assert condition is not None
        assert condition["reason"] == "DeadlineExceeded"
        await asyncio.sleep(5)
        assert await cluster.names(PODS) == []

    simulate(test)


def test_an_indexed_job_runs_every_index(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_job(cluster, completions=5, parallelism=2, completionMode="Indexed")
        job = await ended(cluster, "Complete")
        assert job["status"]["completedIndexes"] == "0-4"
        pods = (await cluster.admin.list(PODS, "default")).items
        assert sorted(pod["spec"]["hostname"] for pod in pods) == [f"job-{n}" for n in range(5)]

    simulate(test)


def test_a_suspended_job_has_no_pods_and_goes_on_later(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_job(cluster, "runs", parallelism=2, completions=2)
        await asyncio.sleep(5)
        assert len(await cluster.names(PODS)) == 2
        await cluster.admin.patch(JOBS, "job", "default", patch={"spec": {"suspend": True}})
        await asyncio.sleep(5)
        job = await cluster.admin.get(JOBS, "job", "default")
        assert (get_condition(job, "Suspended") or {})["status"] == "True"
        assert await cluster.names(PODS) == []
        await cluster.admin.patch(JOBS, "job", "default", patch={"spec": {"suspend": False}})
        await asyncio.sleep(5)
        assert len(await cluster.names(PODS)) == 2
        job = await cluster.admin.get(JOBS, "job", "default")
        assert "failed" not in job["status"]

    simulate(test)


def test_pods_of_a_job_that_is_gone_are_let_go(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_job(cluster, "pause")

        async def running() -> bool:
            pods = (await cluster.admin.list(PODS, "default")).items
            return len(pods) == 1 and (pods[0].get("status") or {}).get("phase") == "Running"

        await cluster.until(running)
        await cluster.admin.delete(JOBS, "job", "default", propagation_policy="Background", grace_period_seconds=0)

        async def gone() -> bool:
            return not (await cluster.admin.list(PODS, "default")).items

        await cluster.until(gone, 60.0)

    simulate(test)


def test_a_pod_that_lost_its_job_is_adopted_again(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_job(cluster, "pause")

        async def owned() -> bool:
            pods = (await cluster.admin.list(PODS, "default")).items
            return len(pods) == 1 and bool(meta.controller_of(pods[0]))

        await cluster.until(owned)
        name = meta.name((await cluster.admin.list(PODS, "default")).items[0])
        await cluster.admin.patch(PODS, name, "default", patch={"metadata": {"ownerReferences": None}})
        await cluster.until(owned)

    simulate(test)


def test_a_pod_that_a_job_has_released_is_held_no_longer(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_job(cluster, "pause")

        async def running() -> list[Object]:
            pods: list[Object] = (await cluster.admin.list(PODS, "default")).items
            return [pod for pod in pods if meta.controller_of(pod)]

        (pod,) = await cluster.until(running)
        labels = {name: None for name in meta.labels(pod) if name.endswith("controller-uid")}
        await cluster.admin.patch(PODS, meta.name(pod), "default", patch={"metadata": {"labels": labels}})

        async def released() -> bool:
            now = await cluster.admin.get(PODS, meta.name(pod), "default")
            return meta.controller_of(now) is None and meta.finalizers(now) == []

        await cluster.until(released)

    simulate(test)


def test_a_job_of_another_controller_is_left_alone(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await create_job(cluster, managedBy="example.com/batch")
        await asyncio.sleep(10)
        job = await cluster.admin.get(JOBS, "job", "default")
        assert (await cluster.names(PODS), job.get("status")) == ([], {})

    simulate(test)
