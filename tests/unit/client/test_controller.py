"""Controllers: back-off after failures, one worker per key, spans and metrics."""

import asyncio

from kybern.client.controller import Controller, RequeueAfter
from kybern.client.tracing import current_traceparent
from kybern.client.workqueue import ItemExponentialFailureRateLimiter
from kybern.clock import virtual
from kybern.kube.status import conflict
from kybern.telemetry import Telemetry


async def run_for(controller: Controller, seconds: float) -> None:
    task = asyncio.create_task(controller.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_failures_come_back_later_and_later_until_success() -> None:
    times: list[float] = []

    async def reconcile(key: str) -> None:
        times.append(asyncio.get_running_loop().time())
        if len(times) < 5:
            raise conflict("", "pods", key) if len(times) % 2 else ValueError("broken")

    async def main(clock: object, random: object) -> None:
        telemetry = Telemetry("test")
        limiter = ItemExponentialFailureRateLimiter(1.0, 100.0)
        controller = Controller("c", reconcile, telemetry, limiter=limiter)
        controller.queue.add("a")
        await run_for(controller, 100)
        value = telemetry.registry.get_sample_value
        assert value("workqueue_retries_total", {"name": "c"}) == 4
        assert value("workqueue_adds_total", {"name": "c"}) == 5
        assert value("workqueue_depth", {"name": "c"}) == 0
        assert value("workqueue_work_duration_seconds_count", {"name": "c"}) == 5

    virtual.run(main, seed=1)
    assert [round(time) for time in times] == [0, 1, 3, 7, 15]


def test_requeue_after_and_one_worker_per_key() -> None:
    running: set[str] = set()
    runs: list[tuple[str, float]] = []

    async def reconcile(key: str) -> RequeueAfter | None:
        assert key not in running
        running.add(key)
        await asyncio.sleep(1)
        running.remove(key)
        runs.append((key, asyncio.get_running_loop().time()))
        return RequeueAfter(10) if len(runs) < 3 else None

    async def main(clock: object, random: object) -> None:
        controller = Controller("c", reconcile, Telemetry("test"), workers=3)
        controller.queue.add("a")
        controller.queue.add("b")
        adding = asyncio.get_running_loop().call_later(0.5, controller.queue.add, "a")
        await run_for(controller, 60)
        adding.cancel()

    virtual.run(main, seed=1)
    assert sorted(runs)[:2] == [("a", 1.0), ("a", 2.0)]
    assert len(runs) == 5


def test_reconciles_run_under_the_trace_of_their_object() -> None:
    trace = "00-11111111111111111111111111111111-2222222222222222-01"
    seen: dict[str, str] = {}

    async def reconcile(key: str) -> None:
        await asyncio.sleep(0.1)
        seen[key] = current_traceparent()

    async def main(clock: object, random: object) -> None:
        traces = {"a": trace}
        controller = Controller("c", reconcile, Telemetry("test"), traceparent=lambda key: traces.get(key, ""))
        controller.queue.add("a")
        controller.queue.add("b")
        await run_for(controller, 1)

    virtual.run(main, seed=1)
    assert seen == {"a": trace, "b": ""}
