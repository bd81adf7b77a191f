import asyncio
from collections.abc import Callable

import pytest

from kybern.protos.api.v1.objects_pb2 import Call, ExchangeRequest, GetRequest
from kybern.rpc.exchange import batch
from kybern.rpc.exchange.batch import Outbox
from kybern.rpc.exchange.waiters import MAX_REPLIES, Stream


class Sent:
    """A link that keeps what it is sent, as many messages as it is allowed."""

    def __init__(self, room: int = 100) -> None:
        self.messages: list[bytes] = []
        self.room = room

    @property
    def writable(self) -> bool:
        return len(self.messages) < self.room

    def send(self, message: bytes) -> None:
        self.messages.append(message)

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    async def run(self, received: Callable[[bytes], None], roomy: Callable[[], None]) -> None: ...

    async def drained(self) -> None: ...


async def test_joined_entries_are_one_message() -> None:
    link = Sent()
    outbox = Outbox(link)
    for i in range(10):
        outbox.put(ExchangeRequest(calls=[Call(id=i, get=GetRequest(name=str(i)))]).SerializeToString())
    assert not link.messages, "what is put in one tick goes together"
    await asyncio.sleep(0)
    (message,) = link.messages
    calls = ExchangeRequest.FromString(message).calls
    assert [(call.id, call.get.name) for call in calls] == [(i, str(i)) for i in range(10)]


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
    link = Sent()
    outbox = Outbox(link)
    for size in sizes:
        outbox.put(bytes(size))
    outbox.flush()
    assert [len(message) for message in link.messages] == batches
    await outbox.empty()


async def test_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_WAITING", 10)
    outbox = Outbox()
    await outbox.room()
    outbox.put(bytes(11))
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert len(outbox.take()) == 11
    async with asyncio.timeout(1):
        await waiting


async def test_a_link_that_is_full_gets_the_rest_later() -> None:
    link = Sent(room=1)
    outbox = Outbox(link)
    for _ in range(batch.MAX_ENTRIES + 2):
        outbox.put(b"x")
    await asyncio.sleep(0)
    assert [len(message) for message in link.messages] == [batch.MAX_ENTRIES]
    link.room = 2
    outbox.flush()
    assert [len(message) for message in link.messages] == [batch.MAX_ENTRIES, 2]


async def test_what_waits_for_a_link() -> None:
    outbox, link = Outbox(), Sent()
    outbox.put(b"x")
    await asyncio.sleep(0)
    assert len(outbox) == 1
    outbox.link = link
    outbox.flush()
    assert link.messages == [b"x"]


async def test_what_is_held_goes_with_the_next_flush() -> None:
    link = Sent()
    outbox = Outbox(link)
    outbox.hold()
    outbox.put(b"x")
    await asyncio.sleep(0.01)
    assert not link.messages
    outbox.flush()
    assert link.messages == [b"x"]


async def test_a_stream_takes_no_more_than_its_bound() -> None:
    stream = Stream()
    assert all(stream.take(i) for i in range(MAX_REPLIES))
    assert not stream.take("one more")
    stream.finish(None)
    assert [item async for item in stream] == list(range(MAX_REPLIES))
