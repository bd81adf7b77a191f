"""CronJobs and what is cleaned up after them; budgets and roles."""

import asyncio
from typing import Any

from kybern.client.resources import CLUSTER_ROLES, CRON_JOBS, EVENTS, JOBS, POD_DISRUPTION_BUDGETS, PODS
from kybern.kube.meta import Object


def job_template(image: str = "done", **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "c", "image": image}], "restartPolicy": "Never"}
    return {"spec": {"template": {"spec": pod}, **spec}}


def test_a_cron_job_starts_jobs_and_keeps_few(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        spec = {"schedule": "*/2 * * * *", "jobTemplate": job_template(), "successfulJobsHistoryLimit": 2}
        await cluster.create(CRON_JOBS, "tick", spec=spec)
        await asyncio.sleep(60 * 11)
        jobs = await cluster.names(JOBS)
        assert len(jobs) == 2
        tick = await cluster.admin.get(CRON_JOBS, "tick", "default")
        assert tick["status"]["lastScheduleTime"] == "2026-01-01T00:10:00Z"
        assert "lastSuccessfulTime" in tick["status"]
        assert len(await cluster.names(PODS)) == 2  # those of older jobs are gone

    simulate(test)


def test_a_day_that_never_comes_is_told_of(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        spec = {"schedule": "59 23 31 2 *", "jobTemplate": job_template()}
        await cluster.create(CRON_JOBS, "never", spec=spec)
        await asyncio.sleep(5)
        (event,) = (await cluster.admin.list(EVENTS, "default")).items
        assert (event["reason"], event["involvedObject"]["name"]) == ("InvalidSchedule", "never")

    simulate(test)


def test_a_job_that_somebody_deleted_is_missed(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        spec = {"schedule": "*/30 * * * *", "jobTemplate": job_template("runs")}
        await cluster.create(CRON_JOBS, "tick", spec=spec)
        await asyncio.sleep(60 * 31)
        (job,) = await cluster.names(JOBS)
        await cluster.admin.delete(JOBS, job, "default", propagation_policy="Background")
        await asyncio.sleep(10)
        tick = await cluster.admin.get(CRON_JOBS, "tick", "default")
        assert "active" not in tick["status"]
        found = (await cluster.admin.list(EVENTS, "default")).items
        said = [event["message"] for event in found if event["reason"] == "MissingJob"]
        assert said == [f"Active job went missing: {job}"]

    simulate(test)


def test_forbid_and_replace(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        for policy in ("Forbid", "Replace"):
            spec = {"schedule": "* * * * *", "jobTemplate": job_template("runs"), "concurrencyPolicy": policy}
            await cluster.create(CRON_JOBS, policy.lower(), spec=spec)
        await asyncio.sleep(70)
        first = await cluster.names(JOBS)
        await asyncio.sleep(120)
        later = await cluster.names(JOBS)
        assert len(first) == len(later) == 2
        assert [name for name in first if name.startswith("forbid")] == [n for n in later if n.startswith("forbid")]
        assert [name for name in first if name.startswith("replace")] != [n for n in later if n.startswith("replace")]

    simulate(test)


def test_a_finished_job_lives_as_long_as_it_says(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(JOBS, "job", **job_template(ttlSecondsAfterFinished=30))
        await asyncio.sleep(20)
        assert await cluster.names(JOBS) == ["job"]
        await asyncio.sleep(25)
        assert await cluster.names(JOBS) == []
        assert await cluster.names(PODS) == []

    simulate(test)


def test_a_budget_counts_its_pods(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        selector = {"matchLabels": {"app": "web"}}
        await cluster.create(POD_DISRUPTION_BUDGETS, "web", spec={"maxUnavailable": "50%", "selector": selector})
        await cluster.deployment(replicas=4)
        await cluster.rolled_out()
        await asyncio.sleep(1)
        status = (await cluster.admin.get(POD_DISRUPTION_BUDGETS, "web", "default"))["status"]
        assert (status["expectedPods"], status["currentHealthy"], status["disruptionsAllowed"]) == (4, 4, 2)

    simulate(test)


def test_a_budget_over_pods_of_unknown_worth_allows_no_eviction_and_says_why(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        container = {"name": "c", "image": "runs"}
        spec: Object = {"restartPolicy": "Never", "containers": [container]}
        pod = {"metadata": {"labels": {"app": "batch"}}, "spec": spec}
        await cluster.create(JOBS, "batch", spec={"template": pod})
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "batch"}}}
        await cluster.create(POD_DISRUPTION_BUDGETS, "batch", spec=spec)

        async def failed() -> Object | None:
            status: Object = (await cluster.admin.get(POD_DISRUPTION_BUDGETS, "batch", "default")).get("status") or {}
            conditions = status.get("conditions") or []
            return status if conditions and conditions[0]["reason"] == "SyncFailed" else None

        status = await cluster.until(failed)
        assert status["disruptionsAllowed"] == 0
        assert status["conditions"][0]["message"].startswith('found no controllers for pod "batch-')

    simulate(test)


def test_a_role_takes_up_what_is_labelled_for_it(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        rule = {"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}
        labels = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
        await cluster.create(CLUSTER_ROLES, "widgets-view", metadata={"labels": labels}, rules=[rule])
        await asyncio.sleep(2)
        for name in ("view", "edit", "admin"):
            assert rule in (await cluster.admin.get(CLUSTER_ROLES, name))["rules"]

    simulate(test)


def test_a_cron_job_of_an_interval(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        spec = {"schedule": "@every 1m30s", "jobTemplate": job_template()}
        await cluster.create(CRON_JOBS, "tick", spec=spec)
        await asyncio.sleep(60 * 7)
        tick = await cluster.admin.get(CRON_JOBS, "tick", "default")
        assert tick["status"]["lastScheduleTime"] == "2026-01-01T00:06:00Z"
        assert len(await cluster.names(JOBS)) == 3

    simulate(test)
