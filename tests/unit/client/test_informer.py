"""Informers against a server that drops watches, forgets history and repeats itself, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from kybern.client.informer import EventHandler, SharedInformer
from kybern.client.objects import Client
from kybern.client.resources import PODS
from kybern.client.store import NODE, by_node
from kybern.clock import virtual
from kybern.kube import meta
from kybern.kube.status import service_unavailable
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity, Policy
from kybern.telemetry import Telemetry
from kybern.testing.objects import FakeObjects

COLLECTION = ("", "pods")
TRACE = "00-11111111111111111111111111111111-2222222222222222-01"


def pod(name: str, node: str = "", **labels: str) -> dict[str, Any]:
    spec = {"nodeName": node} if node else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": spec,
    }


class World:
    """A server, a client, an informer and what its handler heard."""

    def __init__(self, random: Random) -> None:
        self.server = FakeObjects()
        network = MemoryNetwork(random)
        self.telemetry = Telemetry("test")
        self.serving = MemoryTransport(network, Identity("server"), self.telemetry)
        self.calling = MemoryTransport(network, Identity("client"), Telemetry("client"))
        self.client = Client(self.calling.channel("apiserver:1", "apiserver.kybern"))
        self.informer = SharedInformer(self.client, PODS, random, self.telemetry, indexers={NODE: by_node})
        self.heard: list[str] = []
        self.informer.add_handler(
            EventHandler(
                on_add=lambda obj: self.heard.append(f"+{meta.name(obj)}"),
                on_update=lambda old, new: self.heard.append(f"~{meta.name(new)}"),
                on_delete=lambda obj, unknown: self.heard.append(f"-{meta.name(obj)}{'?' if unknown else ''}"),
            )
        )

    async def run(self, test: "Callable[[World], Awaitable[None]]") -> None:
        server = self.serving.server("apiserver:1", Policy({"/kybern.api.v1.Objects/": frozenset({"client"})}))
        self.server.serve(server)
        await server.start()
        async with self.client, asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.informer.run())
            await test(self)
            running.cancel()
        await self.calling.close()
        await self.serving.close()

    def mirrored(self) -> bool:
        mine = {meta.key(obj): meta.resource_version(obj) for obj in self.informer.store.list()}
        return mine == {meta.key(obj): meta.resource_version(obj) for obj in self.server.all(COLLECTION)}

    def take(self) -> list[str]:
        heard, self.heard = self.heard, []
        return heard


def simulate(test: Callable[[World], Awaitable[None]], seed: int = 1) -> None:
    async def main(clock: virtual.VirtualClock, random: Random) -> None:
        async with asyncio.timeout(3600):
            await World(random).run(test)

    virtual.run(main, seed=seed)


def test_lists_in_chunks_then_follows() -> None:
    async def test(world: World) -> None:
        for name in "abcde":
            world.server.put(COLLECTION, pod(name, node="n1"))
        assert not world.informer.has_synced
        await world.informer.wait_for_sync()
        assert world.take() == ["+a", "+b", "+c", "+d", "+e"]
        world.server.put(COLLECTION, pod("a", node="n2"), TRACE)
        world.server.remove(COLLECTION, "default/b")
        world.server.put(COLLECTION, pod("f"))
        await asyncio.sleep(0.01)
        assert world.take() == ["~a", "-b", "+f"]
        assert world.mirrored()
        assert [meta.name(obj) for obj in world.informer.store.by_index(NODE, "n2")] == ["a"]
        assert world.informer.traceparent("default/a") == TRACE
        assert world.informer.traceparent("default/c") == ""
        assert world.informer.reflector.lists == 1

    simulate(test)


def test_a_dropped_watch_resumes_without_a_new_list() -> None:
    async def test(world: World) -> None:
        world.server.put(COLLECTION, pod("a"))
        await world.informer.wait_for_sync()
        await asyncio.sleep(0.01)
        world.server.drop_watches()
        world.server.put(COLLECTION, pod("b"))
        world.server.remove(COLLECTION, "default/a")
        await asyncio.sleep(0.1)
        assert world.take() == ["+a", "+b", "-a"]
        assert world.informer.reflector.lists == 1

    simulate(test)


def test_a_lost_history_is_listed_again_and_missed_deletions_are_found() -> None:
    async def test(world: World) -> None:
        for name in "abc":
            world.server.put(COLLECTION, pod(name))
        await world.informer.wait_for_sync()
        await asyncio.sleep(0.01)
        world.take()
        world.server.fault = lambda verb, request: service_unavailable("down")
        world.server.drop_watches()
        await asyncio.sleep(0.5)
        world.server.remove(COLLECTION, "default/a")
        world.server.put(COLLECTION, pod("b", changed="yes"))
        world.server.remove(COLLECTION, "default/c")
        world.server.put(COLLECTION, pod("c"))  # another pod of the same name
        world.server.compact()
        await asyncio.sleep(60)
        assert world.take() == []
        world.server.fault = lambda verb, request: None
        await asyncio.sleep(61)
        assert world.take() == ["~b", "-c?", "+c", "-a?"]
        assert world.mirrored()
        assert world.informer.reflector.lists == 2

    simulate(test)


def test_repeated_events_are_heard_once() -> None:
    async def test(world: World) -> None:
        world.server.duplicate_events = True
        await world.informer.wait_for_sync()
        world.server.put(COLLECTION, pod("a"))
        await asyncio.sleep(0.01)
        world.server.put(COLLECTION, pod("a", x="y"))
        world.server.remove(COLLECTION, "default/a")
        await asyncio.sleep(0.01)
        assert world.take() == ["+a", "~a", "-a"]

    simulate(test)


def test_failures_back_off_with_jitter_up_to_a_minute() -> None:
    async def test(world: World) -> None:
        world.server.fault = lambda verb, request: service_unavailable("down")
        await asyncio.sleep(600)
        lists = [verb for verb, _, _ in world.server.requests]
        assert 12 <= len(lists) <= 30
        world.server.fault = lambda verb, request: None
        await world.informer.wait_for_sync()

    simulate(test)


def test_a_late_handler_hears_of_everything() -> None:
    async def test(world: World) -> None:
        world.server.put(COLLECTION, pod("a"))
        await world.informer.wait_for_sync()
        late: list[str] = []
        world.informer.add_handler(EventHandler(on_add=lambda obj: late.append(meta.name(obj))))
        assert late == ["a"]

    simulate(test)


@pytest.mark.parametrize("seed", range(8))
def test_mirrors_whatever_happens(seed: int) -> None:
    async def test(world: World) -> None:
        chaos = Random(seed)
        await world.informer.wait_for_sync()
        for _ in range(150):
            name = chaos.choice("abcdefgh")
            match chaos.randrange(8):
                case 0:
                    world.server.drop_watches()
                case 1:
                    world.server.compact()
                case 2 | 3 if world.server.get(COLLECTION, f"default/{name}"):
                    world.server.remove(COLLECTION, f"default/{name}")
                case _:
                    world.server.put(COLLECTION, pod(name, n=str(chaos.random())))
            await asyncio.sleep(chaos.choice([0, 0, 0.01, 1.0]))
        await asyncio.sleep(100)
        assert world.mirrored()
        alive: set[str] = set()
        for entry in world.heard:
            name = entry[1:].rstrip("?")
            assert (name in alive) == (entry[0] != "+")
            if entry[0] == "-":
                alive.remove(name)
            else:
                alive.add(name)
        assert alive == {meta.name(obj) for obj in world.server.all(COLLECTION)}

    simulate(test, seed)
