"""References and statuses against an API that fails, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import orjson
import pytest

from kybern.client.objects import Client
from kybern.clock import virtual
from kybern.clock.virtual import VirtualClock
from kybern.kube.status import service_unavailable
from kybern.node.core.volumes import Reference
from kybern.node.references import References
from kybern.node.service import agent_target, node_names, taint
from kybern.node.status_writer import StatusWriter
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity, Policy
from kybern.runtime.main import ServiceFailure, build_parser
from kybern.telemetry import Telemetry
from kybern.testing.objects import FakeObjects

MAPS, PODS = ("", "configmaps"), ("", "pods")
REFERENCE = Reference("configmap", "conf")


def config(value: str) -> dict[str, Any]:
    metadata = {"name": "conf", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": value}}


def pod(uid: str = "u1") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "uid": uid},
        "spec": {},
    }


def simulate(test: Callable[[FakeObjects, Client, Random], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock, random: Random) -> None:
        api, network = FakeObjects(clock.now), MemoryNetwork(random)
        serving = MemoryTransport(network, Identity("server"), Telemetry("server"))
        server = serving.server("apiserver:1", Policy({"/kybern.api.v1.Objects/": frozenset({"agent"})}))
        api.serve(server)
        await server.start()
        transport = MemoryTransport(network, Identity("agent"), Telemetry("node"))
        async with Client(transport.channel("apiserver:1", "apiserver.kybern")) as client:
            await test(api, client, random)
        await serving.close()

    virtual.run(main, seed=3)


def gets(api: FakeObjects) -> int:
    return sum(verb == "get" for verb, _, _ in api.requests)


def test_references_are_read_once_and_followed() -> None:
    async def scenario(api: FakeObjects, client: Client, random: Random) -> None:
        told: list[set[str]] = []
        references = References(client, random, told.append)
        running = asyncio.create_task(references.run())
        await asyncio.sleep(0.1)
        assert await references.read(pod(), REFERENCE) is None
        api.put(MAPS, config("1"))
        both = await asyncio.gather(references.read(pod(), REFERENCE), references.read(pod("u2"), REFERENCE))
        assert [obj and obj["data"]["k"] for obj in both] == ["1", "1"]
        assert gets(api) == 2
        api.put(MAPS, config("2"))
        await asyncio.sleep(1)
        assert told == [{"u1", "u2"}]
        found = await references.read(pod(), REFERENCE)
        assert found
        assert found["data"]["k"] == "2"
        assert gets(api) == 2
        api.put(MAPS, {**config("2"), "metadata": {**config("2")["metadata"], "labels": {"a": "b"}}})
        api.remove(MAPS, "default/conf")
        await asyncio.sleep(1)
        assert len(told) == 2  # labels are nobody's business, the end is
        assert await references.read(pod(), REFERENCE) is None
        running.cancel()

    simulate(scenario)


def test_references_survive_a_broken_watch_and_are_let_go() -> None:
    async def scenario(api: FakeObjects, client: Client, random: Random) -> None:
        told: list[set[str]] = []
        references = References(client, random, told.append)
        running = asyncio.create_task(references.run())
        await asyncio.sleep(0.1)
        api.put(MAPS, config("1"))
        await references.read(pod(), REFERENCE)
        await asyncio.sleep(1)
        api.fault = lambda verb, request: service_unavailable("away") if verb == "watch" else None
        api.drop_watches()
        await asyncio.sleep(1)
        api.put(MAPS, config("2"))
        api.compact()
        await asyncio.sleep(30)
        assert told == [{"u1"}]
        references.release("u1")
        api.fault = lambda verb, request: None
        api.put(MAPS, config("3"))
        await asyncio.sleep(30)
        assert told == [{"u1"}]
        running.cancel()

    simulate(scenario)


def test_the_newest_status_wins_and_is_sent_until_it_arrives() -> None:
    async def scenario(api: FakeObjects, client: Client, random: Random) -> None:
        wish = api.put(PODS, pod())
        writer = StatusWriter(client, Telemetry("node").log)
        running = asyncio.create_task(writer.run())
        await asyncio.sleep(0.1)
        api.fault = lambda verb, request: service_unavailable("away")
        for phase in ("Pending", "Running", "Succeeded"):
            writer.set(wish, {"phase": phase, "conditions": []})
            await asyncio.sleep(0)
        await asyncio.sleep(5)
        api.fault = lambda verb, request: None
        await writer.flush("u1")
        assert (api.get(PODS, "default/p") or {})["status"]["phase"] == "Succeeded"
        sent = [orjson.loads(request.patch)["status"]["phase"] for verb, request, _ in api.requests if verb == "patch"]
        assert sent[-1] == "Succeeded"
        assert sent.count("Pending") <= 1
        api.remove(PODS, "default/p")
        writer.set(wish, {"phase": "Failed", "conditions": []})
        await writer.flush("u1")  # a pod that is gone is no reason to go on trying
        running.cancel()

    simulate(scenario)


def test_another_pods_status_is_not_overwritten() -> None:
    async def scenario(api: FakeObjects, client: Client, random: Random) -> None:
        api.put(PODS, pod("new"))
        writer = StatusWriter(client, Telemetry("node").log)
        running = asyncio.create_task(writer.run())
        await asyncio.sleep(0.1)
        writer.set(pod("old"), {"phase": "Failed", "conditions": []})
        await writer.flush("old")
        assert "status" not in (api.get(PODS, "default/p") or {})
        running.cancel()

    simulate(scenario)


@pytest.mark.parametrize(("address", "ip", "target"), [
    ("unix:/run/n.sock", "", "unix:/run/n.sock"),
    ("10.0.0.1:7", "10.0.0.9", "10.0.0.1:7"),
    ("0.0.0.0:7", "10.0.0.9", "10.0.0.9:7"),
    ("[::]:7", "fd00::1", "[fd00::1]:7"),
])  # fmt: skip
def test_agent_target(address: str, ip: str, target: str) -> None:
    assert agent_target(address, ip) == target


@pytest.mark.parametrize(("flags", "names", "error"), [
    (["--node-name", "a"], ["a"], ""),
    (["--runtime", "simulated", "--simulated-count", "2"], ["simulated-1", "simulated-2"], ""),
    (["--runtime", "simulated", "--node-name", "a", "--node-name", "b"], ["a", "b"], ""),
    (["--simulated-count", "2"], [], "needs --runtime simulated"),
    (["--node-name", "a", "--node-name", "b"], [], "one container runtime is one node"),
    ([], [], "give --node-name"),
])  # fmt: skip
def test_node_names(flags: list[str], names: list[str], error: str) -> None:
    from kybern.node.service import SERVICE

    options = build_parser(SERVICE).parse_args(["--address", "unix:/x", "--pki", "/x", *flags])
    if error:
        with pytest.raises(ServiceFailure, match=error):
            node_names(options)
    else:
        assert node_names(options) == names


def test_taints() -> None:
    assert taint("k=v:NoSchedule") == ("k", "v", "NoSchedule")
    assert taint("k:NoExecute") == ("k", "", "NoExecute")
