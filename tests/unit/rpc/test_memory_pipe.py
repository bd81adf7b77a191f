"""A pipe keeps order and loses nothing, whatever latencies the seed draws."""

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.clock.virtual import VirtualClock, run
from kybern.rpc.address import CannotListen
from kybern.rpc.memory.network import MemoryNetwork
from kybern.rpc.memory.pipe import WINDOW, Pipe


@settings(deadline=None)
@given(
    seed=st.integers(0, 1000),
    pauses=st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.01]), max_size=30),
    latency=st.sampled_from([(0.0, 0.0), (0.0, 0.005), (0.01, 0.01), (0.001, 1.0)]),
)
def test_order_and_latency(seed: int, pauses: list[float], latency: tuple[float, float]) -> None:
    async def main(clock: VirtualClock, random: Random) -> None:
        sent: list[float] = []
        arrived: list[tuple[int, float]] = []
        pipe: Pipe[int] = Pipe(MemoryNetwork(random, latency), lambda item: arrived.append((item, clock.elapsed)))
        for number, pause in enumerate(pauses):
            await asyncio.sleep(pause)
            sent.append(clock.elapsed)
            pipe.put(number)
        await asyncio.sleep(latency[1] + 0.001)
        assert [item for item, _ in arrived] == list(range(len(pauses)))
        for (number, at), start in zip(arrived, sent, strict=True):
            assert latency[0] - 1e-9 <= at - start <= latency[1] + 1e-9, number

    run(main, seed=seed)


async def test_a_writer_waits_for_its_reader() -> None:
    pipe: Pipe[int] = Pipe(MemoryNetwork(), lambda item: None)
    for number in range(WINDOW):
        pipe.put(number)
        await pipe.room()
    pipe.put(WINDOW)
    waiting = asyncio.create_task(pipe.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    pipe.taken()
    async with asyncio.timeout(1):
        await waiting
    pipe.put(0)
    waiting = asyncio.create_task(pipe.room())
    await asyncio.sleep(0)
    pipe.close()
    async with asyncio.timeout(1):
        await waiting


def test_addresses() -> None:
    network, server = MemoryNetwork(), object()
    first = network.listen("host:0", server)  # type: ignore[arg-type]
    second = network.listen("host:0", server)  # type: ignore[arg-type]
    assert first != second
    with pytest.raises(CannotListen, match=f"cannot listen on {first}: another server listens there"):
        network.listen(first, server)  # type: ignore[arg-type]
    network.unlisten(first, object())  # type: ignore[arg-type]
    assert network.find("a", first) is server
    network.cut("a", first)
    assert network.find("a", first) is None
    assert network.find("b", first) is server
    network.heal("a", first)
    network.unlisten(first, server)  # type: ignore[arg-type]
    assert network.find("a", first) is None
