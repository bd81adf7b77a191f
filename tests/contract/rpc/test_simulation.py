"""Services over the in-memory transport under virtual time: a run repeats itself for its seed."""

import asyncio
from random import Random
from typing import Any

import grpc
import pytest

from kybern.clock.virtual import VirtualClock, run
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.protos.api.v1.objects_pb2_grpc import ObjectsStub
from kybern.rpc.exchange.client import ExchangeClient
from kybern.rpc.exchange.context import CallContext
from kybern.rpc.exchange.servicer import add_objects_to_server
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import ANYONE, Identity, Policy
from kybern.telemetry import Telemetry

ADDRESS = "apiserver:6443"
OPEN = Policy({"/kybern.api.v1.Objects/": frozenset({ANYONE})})


async def serve(network: MemoryNetwork, log: list[str]) -> MemoryTransport:
    """An apiserver that writes down what it is asked."""

    async def create(request: pb.CreateRequest, context: CallContext) -> pb.CreateResponse:
        log.append(f"{context.peer.user} {request.name}")
        await asyncio.sleep(0.001)
        return pb.CreateResponse(object=request.name.encode())

    telemetry = Telemetry("apiserver")
    transport = MemoryTransport(network, Identity("apiserver"), telemetry)
    server = transport.server(ADDRESS, OPEN)
    add_objects_to_server({"create": create}, server, telemetry.log)
    await server.start()
    return transport


def channel(network: MemoryNetwork, user: str) -> Any:
    return MemoryTransport(network, Identity(user), Telemetry(user)).channel(ADDRESS, "apiserver.kybern")


async def story(clock: VirtualClock, random: Random) -> list[str]:
    """Three users write at the same time, some by Exchange; what the server sees, and when all was done."""
    network, log = MemoryNetwork(random, latency=(0.0005, 0.005)), list[str]()
    await serve(network, log)

    async def unary(user: str) -> None:
        stub = ObjectsStub(channel(network, user))
        for i in range(10):
            await stub.Create(pb.CreateRequest(name=f"{i}"))

    async def exchange(user: str) -> None:
        async with ExchangeClient(channel(network, user)) as client:
            await asyncio.gather(*(client.call(pb.CreateRequest(name=f"{i}")) for i in range(10)))

    async with asyncio.TaskGroup() as group:
        for user in ("a", "b"):
            group.create_task(unary(user))
            group.create_task(exchange(user + "x"))
    return [*log, f"{clock.elapsed:.9f}"]


def test_a_seed_repeats_its_run() -> None:
    runs = [run(story, seed=seed) for seed in (1, 1, 2, 2, 3)]
    assert runs[0] == runs[1]
    assert runs[2] == runs[3]
    assert len({tuple(log) for log in runs}) == 3
    assert all(sorted(log[:-1]) == sorted(runs[0][:-1]) for log in runs)


def test_a_partition_and_its_end() -> None:
    async def main(clock: VirtualClock, random: Random) -> float:
        network, log = MemoryNetwork(random, latency=(0.001, 0.002)), list[str]()
        await serve(network, log)
        async with ExchangeClient(channel(network, "a")) as client:
            await client.call(pb.CreateRequest(name="before"))
            network.cut("a", ADDRESS)
            stub = ObjectsStub(channel(network, "b"))
            assert (await stub.Create(pb.CreateRequest(name="other"))).object == b"other"
            for _ in range(20):
                with pytest.raises(StatusError) as caught:
                    await client.call(pb.CreateRequest(name="during"))
                assert caught.value.code == 503
            network.heal("a", ADDRESS)
            healed = clock.elapsed
            while True:
                try:
                    await client.call(pb.CreateRequest(name="after"))
                    break
                except StatusError:
                    continue
        assert log == ["a before", "b other", "a after"]
        return clock.elapsed - healed

    assert run(main, seed=1) < 2.5


def test_a_lost_connection_ends_an_open_call() -> None:
    async def main(clock: VirtualClock, random: Random) -> grpc.StatusCode:
        network = MemoryNetwork(random, latency=(1.0, 2.0))
        await serve(network, [])
        call = ObjectsStub(channel(network, "a")).Create(pb.CreateRequest(name="x"))
        await asyncio.sleep(2.5)
        network.break_calls("a", ADDRESS)
        code: grpc.StatusCode = await call.code()
        return code

    assert run(main, seed=1) is grpc.StatusCode.UNAVAILABLE


def test_a_deadline_under_virtual_time() -> None:
    async def main(clock: VirtualClock, random: Random) -> tuple[grpc.StatusCode, float]:
        network = MemoryNetwork(random, latency=(40.0, 50.0))
        await serve(network, [])
        call = ObjectsStub(channel(network, "a")).Create(pb.CreateRequest(name="x"), timeout=60)
        return await call.code(), clock.elapsed

    assert run(main, seed=1) == (grpc.StatusCode.DEADLINE_EXCEEDED, 60.0)
