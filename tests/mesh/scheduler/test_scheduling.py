"""The scheduler against a real apiserver: pods get nodes, and say why if not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from kybern.apiserver.service import SERVICE as APISERVER
from kybern.client.objects import Client
from kybern.client.resources import EVENTS, LEASES, NAMESPACES, NODES, PODS, PRIORITY_CLASSES
from kybern.kube.conditions import get_condition
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.protos.scheduler.v1 import scheduler_pb2 as pb
from kybern.protos.scheduler.v1.scheduler_pb2_grpc import SchedulerStub
from kybern.scheduler.service import SERVICE as SCHEDULER
from kybern.testing.builders import make_node, make_pod
from kybern.testing.mesh import Mesh, mesh


@pytest.fixture
async def net() -> AsyncIterator[Mesh]:
    async with mesh() as net:
        await net.start(APISERVER, "--store", "sqlite::memory:")
        yield net


@pytest.fixture
async def admin(net: Mesh) -> AsyncIterator[Client]:
    async with net.client() as client:
        if not any(n["metadata"]["name"] == "default" for n in (await client.list(NAMESPACES)).items):
            await client.create(NAMESPACES, {"metadata": {"name": "default"}})
        yield client


async def eventually(probe: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The first true result of `probe`."""
    async with asyncio.timeout(seconds):
        while not (found := await probe()):
            await asyncio.sleep(0.01)
    return found


async def add_node(admin: Client, node: Object) -> None:
    created = await admin.create(NODES, {**node, "status": {}})
    await admin.update_status(NODES, {**created, "status": node["status"]})
    if created["spec"].get("taints") != node["spec"].get("taints"):  # not ready yet, says admission
        current = await admin.get(NODES, node["metadata"]["name"])
        await admin.update(NODES, {**current, "spec": node["spec"]})


async def add_pod(admin: Client, pod: Object, traceparent: str = "") -> None:
    metadata = {name: value for name, value in pod["metadata"].items() if name != "uid"}
    await admin.create(PODS, {**pod, "metadata": metadata}, traceparent=traceparent)


async def node_of(admin: Client, name: str) -> str:
    async def bound() -> str:
        return str((await admin.get(PODS, name, "default"))["spec"].get("nodeName") or "")

    return str(await eventually(bound))


async def unschedulable(admin: Client, name: str) -> Object:
    async def condition() -> Object | None:
        return get_condition(await admin.get(PODS, name, "default"), "PodScheduled")

    found: Object = await eventually(condition)
    return found


async def test_pods_are_bound_and_say_so(net: Mesh, admin: Client) -> None:
    for number in range(3):
        await add_node(admin, make_node(f"n{number}"))
    scheduler = await net.start(SCHEDULER)
    for number in range(9):
        await add_pod(admin, make_pod(f"p{number}", requests={"cpu": "1"}))
    nodes = [await node_of(admin, f"p{number}") for number in range(9)]
    assert sorted(nodes) == ["n0"] * 3 + ["n1"] * 3 + ["n2"] * 3
    condition = get_condition(await admin.get(PODS, "p0", "default"), "PodScheduled")
    assert condition is not None
    assert condition["status"] == "True"

    async def events() -> list[str]:
        found = [e["message"] for e in (await admin.list(EVENTS)).items if e["reason"] == "Scheduled"]
        return found if len(found) == 9 else []

    assert f"Successfully assigned default/p0 to {nodes[0]}" in await eventually(events)
    attempts = scheduler.metric("scheduler_schedule_attempts_total", result="scheduled", profile="default-scheduler")
    assert attempts == 9
    assert scheduler.metric("scheduler_pending_pods", queue="active") == 0


async def test_a_pod_waits_until_something_helps(net: Mesh, admin: Client) -> None:
    await add_node(admin, make_node("small", allocatable={"cpu": "1"}))
    await add_node(admin, make_node("tainted", taints=[("k", "v", "NoSchedule")]))
    await net.start(SCHEDULER)
    await add_pod(admin, make_pod("big", requests={"cpu": "2"}))
    condition = await unschedulable(admin, "big")
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    message = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)."
    assert condition["message"].startswith(message)

    async def failed() -> bool:
        events = (await admin.list(EVENTS)).items
        return any(e["reason"] == "FailedScheduling" and e["message"].startswith(message) for e in events)

    assert await eventually(failed)
    stub: Any = SchedulerStub(net.channel("scheduler:1"))
    queue = await stub.GetQueue(pb.GetQueueRequest())
    assert [(pod.name, pod.attempts) for pod in queue.unschedulable] == [("big", 1)]
    why = await stub.Explain(pb.ExplainRequest(namespace="default", name="big"))
    assert {(r.plugin, r.nodes) for r in why.rejections} == {("NodeResourcesFit", 1), ("TaintToleration", 1)}
    await add_node(admin, make_node("large"))
    assert await node_of(admin, "big") == "large"
    why = await stub.Explain(pb.ExplainRequest(namespace="default", name="big"))
    assert why.node_name == "large"


async def test_a_node_that_goes_may_even_out_what_is_left(net: Mesh, admin: Client) -> None:
    await add_node(admin, make_node("a"))
    await add_node(admin, make_node("b", taints=[("k", "v", "NoSchedule")]))
    await net.start(SCHEDULER)
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    for name in ("first", "second"):
        await add_pod(admin, make_pod(name, labels={"app": "web"}, topologySpreadConstraints=[spread]))
        await eventually(partial(any_verdict, admin, name))
    assert (await unschedulable(admin, "second"))["reason"] == "Unschedulable"
    await admin.delete(NODES, "b")
    assert await node_of(admin, "second") == "a"


async def any_verdict(admin: Client, name: str) -> bool:
    return get_condition(await admin.get(PODS, name, "default"), "PodScheduled") is not None


async def test_pods_wait_for_the_first_node(net: Mesh, admin: Client) -> None:
    await net.start(SCHEDULER)
    await add_pod(admin, make_pod("early"))
    assert (await unschedulable(admin, "early"))["message"] == "no nodes available to schedule pods"
    await add_node(admin, make_node("n"))
    assert await node_of(admin, "early") == "n"


async def test_a_deleted_pod_makes_room(net: Mesh, admin: Client) -> None:
    await add_node(admin, make_node("n", allocatable={"cpu": "1"}))
    await net.start(SCHEDULER)
    await add_pod(admin, make_pod("first", requests={"cpu": "1"}))
    assert await node_of(admin, "first") == "n"
    await add_pod(admin, make_pod("second", requests={"cpu": "1"}))
    await unschedulable(admin, "second")
    await admin.delete(PODS, "first", "default", grace_period_seconds=0)
    assert await node_of(admin, "second") == "n"


async def test_a_pod_of_higher_priority_makes_room_for_itself(net: Mesh, admin: Client) -> None:
    await admin.create(PRIORITY_CLASSES, {"metadata": {"name": "high"}, "value": 1000})
    await add_node(admin, make_node("n", allocatable={"cpu": "2"}))
    scheduler = await net.start(SCHEDULER)
    for name in ("low-1", "low-2"):
        await add_pod(admin, make_pod(name, requests={"cpu": "1"}, terminationGracePeriodSeconds=0))
        assert await node_of(admin, name) == "n"
    await add_pod(admin, make_pod("high", requests={"cpu": "1"}, priorityClassName="high"))
    assert await node_of(admin, "high") == "n"
    left = [pod["metadata"]["name"] for pod in (await admin.list(PODS)).items]
    assert len(left) == 2
    assert scheduler.metric("scheduler_preemption_attempts_total") == 1

    async def told() -> bool:
        return any(e["reason"] == "Preempted" for e in (await admin.list(EVENTS)).items)

    assert await eventually(told)


async def test_other_schedulers_pods_and_gated_pods_are_left_alone(net: Mesh, admin: Client) -> None:
    await add_node(admin, make_node("n"))
    await net.start(SCHEDULER)
    await add_pod(admin, make_pod("theirs", schedulerName="other"))
    await add_pod(admin, make_pod("gated", schedulingGates=[{"name": "example.com/gate"}]))
    await add_pod(admin, make_pod("ours"))
    assert await node_of(admin, "ours") == "n"
    for name in ("theirs", "gated"):
        assert not (await admin.get(PODS, name, "default"))["spec"].get("nodeName")
    gated = await admin.get(PODS, "gated", "default")
    await admin.update(PODS, {**gated, "spec": {**gated["spec"], "schedulingGates": []}})
    assert await node_of(admin, "gated") == "n"
    await net.start(SCHEDULER, "--scheduler-name", "other", address="scheduler:2")
    assert await node_of(admin, "theirs") == "n"


async def test_two_schedulers_that_race_bind_every_pod_once(net: Mesh, admin: Client) -> None:
    for number in range(4):
        await add_node(admin, make_node(f"n{number}"))
    schedulers = [await net.start(SCHEDULER, address=f"scheduler:{number}") for number in (1, 2)]
    await asyncio.gather(*(add_pod(admin, make_pod(f"p{number}")) for number in range(60)))
    for number in range(60):
        assert await node_of(admin, f"p{number}")

    async def settled() -> bool:
        waiting = [s.metric("scheduler_pending_pods", queue=q) for s in schedulers for q in ("active", "backoff")]
        counted = [s.metric("scheduler_cache_size", type="pods") for s in schedulers]
        return sum(filter(None, waiting)) == 0 and counted == [60, 60]

    assert await eventually(settled)


async def test_the_way_of_a_pod_is_in_its_trace(net: Mesh, admin: Client) -> None:
    await add_node(admin, make_node("n0"))
    await add_node(admin, make_node("n1"))
    scheduler = await net.start(SCHEDULER)
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    await add_pod(admin, make_pod("traced"), f"00-{trace_id}-b7ad6b7169203331-01")
    await node_of(admin, "traced")

    async def spans() -> list[str]:
        found = [span.name for span in scheduler.spans.spans if f"{span.context.trace_id:032x}" == trace_id]
        return found if "bind" in found else []

    assert await eventually(spans) == ["queue", "filter", "score", "bind"]
    queue, *_, bind = scheduler.spans.spans
    assert queue.start_time is not None
    assert bind.end_time is not None
    assert queue.start_time <= bind.end_time
    assert dict(bind.attributes or {})["k8s.pod.name"] == "traced"


async def test_one_of_two_schedulers_leads_and_the_other_takes_over(net: Mesh, admin: Client) -> None:
    if not any(n["metadata"]["name"] == "kube-system" for n in (await admin.list(NAMESPACES)).items):
        await admin.create(NAMESPACES, {"metadata": {"name": "kube-system"}})
    await add_node(admin, make_node("n"))
    first = await net.start(SCHEDULER, "--leader-elect")
    await eventually(lambda: _lease(admin))
    second = await net.start(SCHEDULER, "--leader-elect", address="scheduler:2")
    await add_pod(admin, make_pod("a"))
    assert await node_of(admin, "a") == "n"
    scheduled = {"result": "scheduled", "profile": "default-scheduler"}
    assert first.metric("scheduler_schedule_attempts_total", **scheduled) == 1
    await first.stop()
    await add_pod(admin, make_pod("b"))
    assert await node_of(admin, "b") == "n"
    assert second.metric("scheduler_schedule_attempts_total", **scheduled) == 1


async def _lease(admin: Client) -> Object | None:
    try:
        return await admin.get(LEASES, "kube-scheduler", "kube-system")
    except StatusError:
        return None


async def test_an_apiserver_that_cannot_be_reached_is_waited_for(net: Mesh, admin: Client) -> None:
    await add_node(admin, make_node("n"))
    scheduler = await net.start(SCHEDULER)
    net.network.cut("system:kube-scheduler", "apiserver:1")
    await add_pod(admin, make_pod("p"))
    await asyncio.sleep(0.2)
    assert not (await admin.get(PODS, "p", "default"))["spec"].get("nodeName")
    net.network.heal("system:kube-scheduler", "apiserver:1")
    assert await node_of(admin, "p") == "n"
    assert scheduler.metric("scheduler_cache_size", type="pods") == 1


async def test_only_some_may_ask(net: Mesh, admin: Client) -> None:
    import grpc

    await net.start(SCHEDULER)
    gateway: Any = SchedulerStub(net.channel("scheduler:1", "system:kybern:gateway"))
    await gateway.GetQueue(pb.GetQueueRequest())
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await gateway.Explain(pb.ExplainRequest(namespace="default", name="none"))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    other: Any = SchedulerStub(net.channel("scheduler:1", "alice"))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await other.GetQueue(pb.GetQueueRequest())
    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED
