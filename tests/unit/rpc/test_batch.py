import asyncio

import pytest

from kybern.protos.api.v1.objects_pb2 import Call, ExchangeRequest, GetRequest
from kybern.rpc.exchange import batch
from kybern.rpc.exchange.batch import Outbox
from kybern.rpc.exchange.waiters import MAX_REPLIES, Stream


async def test_joined_entries_are_one_message() -> None:
    outbox = Outbox()
    for i in range(10):
        outbox.put(ExchangeRequest(calls=[Call(id=i, get=GetRequest(name=str(i)))]).SerializeToString())
    message = ExchangeRequest.FromString(await outbox.batch())
    assert [(call.id, call.get.name) for call in message.calls] == [(i, str(i)) for i in range(10)]


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([3, 3, 3], [9]),
        ([3] * 7, [12, 9]),
        ([8, 8, 8], [16, 8]),
        ([20, 1, 1], [20, 2]),
        ([1, 20, 1], [1, 20, 1]),
        ([40], [40]),
    ],
)
async def test_bounds(monkeypatch: pytest.MonkeyPatch, sizes: list[int], batches: list[int]) -> None:
    monkeypatch.setattr(batch, "MAX_BATCH", 16)
    monkeypatch.setattr(batch, "MAX_ENTRIES", 4)
    outbox = Outbox()
    for size in sizes:
        outbox.put(bytes(size))
    assert [len(await outbox.batch()) for _ in batches] == batches
    await outbox.empty()


async def test_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_WAITING", 10)
    outbox = Outbox()
    await outbox.room()
    outbox.put(bytes(11))
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await outbox.batch()
    async with asyncio.timeout(1):
        await waiting


async def test_a_batch_waits_for_an_entry() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.batch())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    outbox.put(b"x")
    assert await waiting == b"x"


async def test_a_stream_takes_no_more_than_its_bound() -> None:
    stream = Stream()
    assert all(stream.take(i) for i in range(MAX_REPLIES))
    assert not stream.take("one more")
    stream.finish(None)
    assert [item async for item in stream] == list(range(MAX_REPLIES))
