"""Simulated nodes in virtual time: the whole agent on an in-memory runtime."""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.clock import virtual
from kybern.clock.virtual import VirtualClock
from kybern.node.agent import NodeAgent
from kybern.node.builder import NodeOptions, Shared, build_agent
from kybern.node.core.image_volumes import images_of
from kybern.node.cri import simulated
from kybern.node.metrics import Metrics
from kybern.node.pod_source import PodSource
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity, Policy
from kybern.telemetry import Telemetry
from kybern.testing.objects import FakeObjects

PODS, NODES, LEASES = ("", "pods"), ("", "nodes"), ("coordination.k8s.io", "leases")


class World:
    """An API and some simulated nodes."""

    def __init__(self, clock: VirtualClock, random: Random, count: int) -> None:
        self.clock, self.random = clock, random
        self.api = FakeObjects(clock.now)
        self.names = [f"node-{i}" for i in range(count)]
        self.agents: dict[str, NodeAgent] = {}
        self.runtimes: dict[str, simulated.SimulatedRuntime] = {}

    async def run(self, test: "Callable[[World], Awaitable[None]]") -> None:
        network = MemoryNetwork(self.random)
        serving = MemoryTransport(network, Identity("server"), Telemetry("server"))
        server = serving.server("apiserver:1", Policy({"/kybern.api.v1.Objects/": frozenset({"agent"})}))
        self.api.serve(server)
        await server.start()
        telemetry = Telemetry("node")
        transport = MemoryTransport(network, Identity("agent"), telemetry)
        async with Client(transport.channel("apiserver:1", "apiserver.kybern")) as client, asyncio.TaskGroup() as tasks:
            shared = Shared(client, self.clock, self.random, telemetry, list, Metrics(telemetry.registry))
            for name in self.names:
                self.runtimes[name] = simulated.SimulatedRuntime(self.clock, name)
                runtime = simulated.connect(self.runtimes[name])
                self.agents[name] = build_agent(NodeOptions(name, None), runtime, shared)
            running = [tasks.create_task(agent.run()) for agent in self.agents.values()]
            for agent in self.agents.values():
                await agent.started.wait()
            running.append(tasks.create_task(PodSource(client, self.agents, self.random, telemetry).run()))
            await test(self)
            for task in running:
                task.cancel()
        await serving.close()

    def pod(self, name: str, node: str = "node-0", image: str = "app:1", annotations: Any = None, **spec: Any) -> None:
        metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
        containers = [{"name": "main", "image": image}]
        wish = {"nodeName": node, "containers": containers, "restartPolicy": "Always", **spec}
        self.api.put(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": wish})

    def status(self, name: str) -> Any:
        return (self.api.get(PODS, f"default/{name}") or {}).get("status", {})

    def main(self, name: str) -> Any:
        return self.status(name)["containerStatuses"][0]


def simulate(test: Callable[[World], Awaitable[None]], count: int = 1, seed: int = 7) -> World:
    """Run a test against simulated nodes; the world as it ended."""
    worlds = []

    async def main(clock: VirtualClock, random: Random) -> None:
        worlds.append(World(clock, random, count))
        await worlds[0].run(test)

    virtual.run(main, seed=seed)
    return worlds[0]


def test_a_pod_runs() -> None:
    async def scenario(world: World) -> None:
        world.pod("web", annotations={"simulated.kybern.io/start-seconds": "3"})
        await asyncio.sleep(2)
        assert world.status("web")["phase"] == "Pending"
        assert world.main("web")["state"] == {"waiting": {"reason": "ContainerCreating"}}
        await asyncio.sleep(2)
        assert world.status("web")["phase"] == "Running"
        assert world.main("web")["ready"]
        assert world.main("web")["containerID"].startswith("simulated://")
        assert world.status("web")["podIP"]

    simulate(scenario)


def test_crashes_back_off_and_recover_their_count() -> None:
    async def scenario(world: World) -> None:
        world.pod("bad", image="simulated/exit:3")
        await asyncio.sleep(5)  # started, died after 1 s, restarted at once, died again
        status = world.main("bad")
        assert status["restartCount"] == 1
        assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert status["state"]["waiting"]["message"].startswith(
            "back-off 10s restarting failed container=main pod=bad_"
        )
        assert status["lastState"]["terminated"]["exitCode"] == 3
        await asyncio.sleep(60)  # after 10 s, 20 s
        assert world.main("bad")["restartCount"] == 3
        await asyncio.sleep(3600)
        assert "back-off 5m0s" in world.main("bad")["state"]["waiting"]["message"]

    simulate(scenario)


@pytest.mark.parametrize(("image", "policy", "phase"), [
    ("simulated/exit:0", "Never", "Succeeded"),
    ("simulated/exit:2", "Never", "Failed"),
    ("simulated/exit:0", "OnFailure", "Succeeded"),
    ("simulated/exit:2", "OnFailure", "Running"),
])  # fmt: skip
def test_ends(image: str, policy: str, phase: str) -> None:
    async def scenario(world: World) -> None:
        world.pod("job", image=image, restartPolicy=policy)
        await asyncio.sleep(8)
        assert world.status("job")["phase"] == phase

    simulate(scenario)


def test_a_missing_image_backs_off() -> None:
    async def scenario(world: World) -> None:
        world.pod("lost", image="simulated/missing")
        await asyncio.sleep(0.5)
        assert world.main("lost")["state"]["waiting"]["reason"] == "ErrImagePull"
        await asyncio.sleep(5)
        assert world.main("lost")["state"]["waiting"]["reason"] == "ImagePullBackOff"

    simulate(scenario)


def image_volume(reference: str, policy: str = "IfNotPresent", **mount: Any) -> dict[str, Any]:
    mounts = [{"name": "data", "mountPath": "/data", **mount}]
    volume = {"name": "data", "image": {"reference": reference, "pullPolicy": policy}}
    return {"containers": [{"name": "main", "image": "app:1", "volumeMounts": mounts}], "volumes": [volume]}


def reasons(world: World) -> list[tuple[str, str]]:
    return [(event["reason"], event["message"]) for event in world.api.all(("", "events"))]


def test_an_image_as_a_volume() -> None:
    async def scenario(world: World) -> None:
        world.pod("web", annotations={"a": "b"}, **image_volume("models:2", subPath="small"))
        await asyncio.sleep(2)
        assert world.status("web")["phase"] == "Running"
        runtime = world.runtimes["node-0"]
        (container,) = runtime.containers.values()
        (mount,) = container.config.mounts
        assert (mount.container_path, mount.host_path, mount.readonly) == ("/data", "", True)
        assert (mount.image.image, mount.image_sub_path) == ("docker.io/library/models:2", "small")
        assert (mount.image.user_specified_image, dict(mount.image.annotations)) == ("models:2", {"a": "b"})
        assert any(message.startswith('Successfully pulled image "models:2"') for _, message in reasons(world))
        statuses = [await world.agents["node-0"].node.runtime.container_status(container.id)]
        assert images_of(statuses) == {"docker.io/library/models:2"}

    simulate(scenario)


@pytest.mark.parametrize(
    ("reference", "policy", "reason", "message"),
    [
        ("simulated/missing", "IfNotPresent", "ErrImagePull", "Error: ErrImagePull"),
        ("models:2", "Never", "ErrImageNeverPull", "Error: ErrImageNeverPull"),
        ("simulated/Bad:1", "Always", "InvalidImageName", "Error: InvalidImageName"),
        (
            "simulated/unmountable:1",
            "Always",
            "CreateContainerError",
            "Error: ImageVolumeMountFailed: cannot mount docker.io/simulated/unmountable:1",
        ),
    ],
)
def test_an_image_that_cannot_be_a_volume(reference: str, policy: str, reason: str, message: str) -> None:
    async def scenario(world: World) -> None:
        world.pod("lost", **image_volume(reference, policy))
        await asyncio.sleep(0.5)
        assert world.main("lost")["state"]["waiting"]["reason"] == reason
        assert ("Failed", message) in reasons(world)

    simulate(scenario)


def sized(cpu: str, **more: Any) -> dict[str, Any]:
    amounts = {"cpu": cpu, "memory": "64Mi"}
    return {"containers": [{"name": "main", "image": "app:1", "resources": {"requests": amounts}, **more}]}


def resize(world: World, name: str, cpu: str) -> None:
    pod: Any = copy.deepcopy(world.api.get(PODS, f"default/{name}"))
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu, "memory": "64Mi"}}
    world.api.put(PODS, pod)


def resizing(world: World, name: str) -> dict[str, tuple[str | None, str | None, int]]:
    conditions = world.status(name)["conditions"]
    return {
        c["type"]: (c["reason"], c["message"], c["observedGeneration"])
        for c in conditions
        if c["type"].startswith("PodResize")
    }


def test_a_resize_without_room_waits_for_it() -> None:
    async def scenario(world: World) -> None:  # a node has 8 CPUs
        world.pod("big", **sized("5"))
        world.pod("small", **sized("1"))
        await asyncio.sleep(2)
        resize(world, "small", "4")
        await asyncio.sleep(2)
        why = "Node didn't have enough resource: cpu, requested: 4000, used: 5000, capacity: 8000"
        assert resizing(world, "small") == {"PodResizePending": ("Deferred", why, 2)}
        assert world.main("small")["resources"]["requests"]["cpu"] == "1"
        assert world.main("small")["allocatedResources"]["cpu"] == "1"
        asked = '{"containers":[{"name":"main","resources":{"requests":{"cpu":"4","memory":"64Mi"}}}],"generation":2'
        assert ("ResizeDeferred", f'Pod resize Deferred: {asked},"error":"{why}"}}') in reasons(world)
        world.pod("third", **sized("2"))  # what is asked for takes nothing
        await asyncio.sleep(2)
        assert world.status("third")["phase"] == "Running"
        world.api.remove(PODS, "default/third")
        resize(world, "big", "3")
        await asyncio.sleep(40)
        assert resizing(world, "small") == resizing(world, "big") == {}
        assert world.main("small")["resources"]["requests"]["cpu"] == "4"
        assert ("ResizeStarted", f"Pod resize started: {asked}}}") in reasons(world)
        assert ("ResizeCompleted", f"Pod resize completed: {asked}}}") in reasons(world)

    simulate(scenario)


def test_a_pod_that_was_let_go_makes_room_at_once() -> None:
    async def scenario(world: World) -> None:
        world.pod("old", **sized("5"))
        await asyncio.sleep(2)
        world.api.remove(PODS, "default/old")
        world.pod("new", **sized("5"))
        await asyncio.sleep(2)
        assert world.status("new")["phase"] == "Running"

    simulate(scenario)


def test_a_container_that_restarts_keeps_what_it_was_promised() -> None:
    async def scenario(world: World) -> None:
        world.pod("big", **sized("5"))
        world.pod(
            "small", **sized("1", image="simulated/exit:0"), annotations={"simulated.kybern.io/run-seconds": "20"}
        )
        await asyncio.sleep(2)
        resize(world, "small", "4")
        await asyncio.sleep(30)
        assert world.main("small")["restartCount"] == 1
        assert world.main("small")["resources"]["requests"]["cpu"] == "1"
        assert "PodResizePending" in resizing(world, "small")
        resize(world, "small", "1")
        await asyncio.sleep(2)
        assert resizing(world, "small") == {}

    simulate(scenario)


def test_a_resize_that_the_runtime_refuses() -> None:
    async def scenario(world: World) -> None:
        world.pod("web", **sized("1"), annotations={"simulated.kybern.io/resize-error": "no such cgroup"})
        await asyncio.sleep(2)
        resize(world, "web", "2")
        await asyncio.sleep(2)
        error = "rpc error: code = Unknown desc = no such cgroup"
        assert resizing(world, "web") == {"PodResizeInProgress": ("Error", error, 2)}
        told = [reason for reason, _ in reasons(world) if reason.startswith("Resize")]
        assert sorted(told) == ["ResizeError", "ResizeStarted"]  # written side by side: either may come first

    simulate(scenario)


def test_many_nodes_register_and_renew_leases() -> None:
    async def scenario(world: World) -> None:
        await asyncio.sleep(65)
        assert len(world.api.all(NODES)) == 50
        for node in world.api.all(NODES):
            assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"
        writes = [r for r in world.api.requests if r[0] == "update"]
        assert 290 <= len(writes) <= 310  # a lease every 10 s

    simulate(scenario, count=50)


def test_the_same_seed_repeats_itself() -> None:
    async def scenario(world: World) -> None:
        for i in range(20):
            world.pod(f"p{i}", node=f"node-{i % 3}", image=f"simulated/exit:{i % 2}")
        await asyncio.sleep(100)

    def record(seed: int) -> list[tuple[str, str, str]]:
        requests = simulate(scenario, count=3, seed=seed).api.requests
        return [(verb, request.name if hasattr(request, "name") else "", str(request)) for verb, request, _ in requests]

    assert record(1) == record(1)


def test_active_deadline() -> None:
    async def scenario(world: World) -> None:
        world.pod("limited", activeDeadlineSeconds=30)
        await asyncio.sleep(25)
        assert world.status("limited")["phase"] == "Running"
        await asyncio.sleep(10)
        status = world.status("limited")
        assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
        assert "terminated" in world.main("limited")["state"]

    simulate(scenario)


def test_deletion_does_not_wait_for_a_slow_start() -> None:
    async def scenario(world: World) -> None:
        world.pod("slow", annotations={"simulated.kybern.io/pull-seconds": "1000"})
        await asyncio.sleep(5)
        pod = world.api.get(PODS, "default/slow")
        assert pod is not None
        stamps = {"deletionTimestamp": "2026-01-01T00:00:05Z", "deletionGracePeriodSeconds": 30}
        world.api.put(PODS, {**pod, "metadata": {**pod["metadata"], **stamps}})
        await asyncio.sleep(5)
        assert world.api.get(PODS, "default/slow") is None
        assert not world.agents["node-0"].workers

    simulate(scenario)


def test_a_deleted_node_comes_back() -> None:
    async def scenario(world: World) -> None:
        await asyncio.sleep(5)
        world.api.remove(NODES, "node-0")
        await asyncio.sleep(310)
        assert world.api.get(NODES, "node-0")

    simulate(scenario)
