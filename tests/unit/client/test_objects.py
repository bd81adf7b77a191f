"""The objects client against a server: verbs, errors, traces; unary and over Exchange; leases and events."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from kybern.client.events import EventRecorder
from kybern.client.leader import LeaderElector, LeadershipLost
from kybern.client.objects import JSON_PATCH, Client
from kybern.client.resources import CONFIG_MAPS, EVENTS, LEASES, NODES
from kybern.client.tracing import under
from kybern.clock import SystemClock, virtual
from kybern.kube.status import StatusError, service_unavailable
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity, Policy
from kybern.telemetry import Telemetry
from kybern.testing.objects import FakeObjects

TRACE = "00-11111111111111111111111111111111-2222222222222222-01"


class World:
    """A fake server with clients."""

    def __init__(self) -> None:
        self.server = FakeObjects()
        self.network = MemoryNetwork(Random(1))
        self.serving = MemoryTransport(self.network, Identity("server"), Telemetry("server"))

    async def start(self) -> None:
        server = self.serving.server("apiserver:1", Policy({"/kybern.api.v1.Objects/": frozenset({"client"})}))
        self.server.serve(server)
        await server.start()

    def client(self) -> Client:
        transport = MemoryTransport(self.network, Identity("client"), Telemetry("client"))
        return Client(transport.channel("apiserver:1", "apiserver.kybern"))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.start()
    yield world
    await world.serving.close()


@pytest.fixture(params=["unary", "exchange"])
async def client(world: World, request: Any) -> AsyncIterator[Client]:
    if request.param == "unary":
        yield world.client()
    else:
        async with world.client() as client:
            yield client


async def test_verbs(client: Client) -> None:
    made = await client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "n"}, "data": {"k": "1"}})
    assert (made["kind"], made["apiVersion"]) == ("ConfigMap", "v1")
    changed = await client.update(CONFIG_MAPS, {**made, "data": {"k": "2"}})
    with pytest.raises(StatusError) as stale:
        await client.update(CONFIG_MAPS, {**made, "data": {"k": "3"}})
    assert (stale.value.code, stale.value.reason) == (409, "Conflict")
    merged = await client.patch(CONFIG_MAPS, "a", "n", patch={"data": {"l": "4"}})
    assert merged["data"] == {"k": "2", "l": "4"}
    assert (await client.get(CONFIG_MAPS, "a", "n"))["data"] == merged["data"]
    assert changed["metadata"]["resourceVersion"] != merged["metadata"]["resourceVersion"]
    await client.create(CONFIG_MAPS, {"metadata": {"name": "b"}}, "n")
    await client.create(CONFIG_MAPS, {"metadata": {"name": "c", "labels": {"x": "y"}}}, "m")
    listed = await client.list(CONFIG_MAPS, label_selector="x=y")
    assert [item["metadata"]["name"] for item in listed.items] == ["c"]
    assert len((await client.list(CONFIG_MAPS)).items) == 3
    with pytest.raises(StatusError) as other:
        await client.delete(CONFIG_MAPS, "a", "n", uid="another")
    assert other.value.code == 409
    await client.delete(CONFIG_MAPS, "a", "n", uid=made["metadata"]["uid"])
    with pytest.raises(StatusError) as gone:
        await client.get(CONFIG_MAPS, "a", "n")
    assert (gone.value.code, gone.value.details["name"]) == (404, "a")
    await client.delete_collection(CONFIG_MAPS, "n")
    assert len((await client.list(CONFIG_MAPS)).items) == 1


async def test_status_and_cluster_scope(client: Client) -> None:
    node = await client.create(NODES, {"metadata": {"name": "n1"}, "spec": {"a": 1}})
    await client.update_status(NODES, {**node, "spec": {"a": 2}, "status": {"b": 1}})
    found = await client.get(NODES, "n1")
    assert (found["spec"], found["status"]) == ({"a": 1}, {"b": 1})


async def test_writes_carry_the_trace_of_the_work_under_way(world: World, client: Client) -> None:
    with under(TRACE):
        await client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "n"}})
        await client.get(CONFIG_MAPS, "a", "n")
    await client.delete(CONFIG_MAPS, "a", "n", traceparent=TRACE)
    assert [(verb, trace) for verb, _, trace in world.server.requests] == [
        ("create", TRACE),
        ("get", ""),
        ("delete", TRACE),
    ]


async def test_json_patches_are_lists(client: Client) -> None:
    with pytest.raises(StatusError):  # the object is not there; the patch itself goes through
        await client.patch(CONFIG_MAPS, "a", "n", patch=[{"op": "remove", "path": "/x"}], patch_type=JSON_PATCH)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StatusError) as error:
        await World().client().get(NODES, "n")
    assert error.value.code == 503


async def test_events_are_counted_and_retried(world: World) -> None:
    async with world.client() as client, asyncio.TaskGroup() as tasks:
        recorder = EventRecorder(client, "tester", SystemClock(), Telemetry("test"), host="h")
        running = tasks.create_task(recorder.run())
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n", "uid": "u"}}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "w", "uid": "v"}}
        for _ in range(3):
            recorder.event(pod, "Warning", "BackOff", "again and again")
        recorder.event(node, "Normal", "Ready", "fine")
        await asyncio.sleep(0.05)
        running.cancel()
        events = {event["reason"]: event for event in (await client.list(EVENTS)).items}
    assert events["BackOff"]["count"] == 3
    assert events["BackOff"]["involvedObject"]["uid"] == "u"
    assert events["BackOff"]["source"] == {"component": "tester", "host": "h"}
    assert events["BackOff"]["reportingComponent"] == "tester"
    assert events["Ready"]["metadata"]["namespace"] == "default"


def test_one_candidate_leads_and_stops_when_it_cannot_renew() -> None:
    async def main(clock: virtual.VirtualClock, random: Random) -> None:
        world = World()
        await world.start()
        led: list[str] = []

        async def lead(name: str) -> None:
            led.append(name)
            await asyncio.Event().wait()

        async def candidate(name: str) -> None:
            async with world.client() as client:
                elector = LeaderElector(client, "kube-system", "l", name, clock, random, Telemetry(name))
                await elector.run(lambda: lead(name))

        first = asyncio.create_task(candidate("first"))
        await asyncio.sleep(1)
        second = asyncio.create_task(candidate("second"))
        await asyncio.sleep(100)
        assert led == ["first"]
        world.server.fault = lambda verb, request: service_unavailable("down")
        await asyncio.sleep(30)
        with pytest.raises(LeadershipLost):
            first.result()
        world.server.fault = lambda verb, request: None
        await asyncio.sleep(30)
        assert led == ["first", "second"]
        lease = (world.server.all(("coordination.k8s.io", "leases")))[0]
        assert lease["spec"]["holderIdentity"] == "second"
        assert LEASES.kind == lease["kind"]
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert "holderIdentity" not in world.server.all(("coordination.k8s.io", "leases"))[0]["spec"]
        await world.serving.close()

    virtual.run(main, seed=1)
