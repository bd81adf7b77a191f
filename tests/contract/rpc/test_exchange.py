"""Exchange over both transports: batching, many replies, cancellation, deadlines, broken streams."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest

from kybern.kube.status import StatusError, conflict, not_found
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.protos.api.v1.objects_pb2_grpc import ObjectsStub
from kybern.rpc.exchange import batch
from kybern.rpc.exchange.client import ExchangeClient
from kybern.rpc.exchange.context import CallContext
from kybern.rpc.exchange.servicer import add_objects_to_server
from kybern.rpc.transport import ANYONE, Policy

OPEN = Policy({"/kybern.api.v1.Objects/": frozenset({ANYONE})})


class Handlers:
    """One of each kind: plain, coroutine that does not wait, coroutine that waits, generator, async generator."""

    def __init__(self) -> None:
        self.contexts: list[CallContext] = []
        self.events: list[str] = []
        self.tasks: list[Any] = []
        self.table: dict[str, Callable[..., Any]] = {
            "get": self.get,
            "create": self.create,
            "update": self.update,
            "patch": self.patch,
            "list": self.list,
            "watch": self.watch,
        }

    def get(self, request: pb.GetRequest, context: CallContext) -> pb.GetResponse:
        self.contexts.append(context)
        if request.name == "missing":
            raise not_found("", "pods", "missing")
        if request.name == "broken":
            raise ZeroDivisionError
        return pb.GetResponse(object=request.name.encode())

    async def create(self, request: pb.CreateRequest, context: CallContext) -> pb.CreateResponse:
        self.tasks.append(asyncio.current_task())
        if request.name == "conflict":
            raise conflict("", "pods", "x")
        return pb.CreateResponse(object=request.object)

    async def update(self, request: pb.UpdateRequest, context: CallContext) -> pb.UpdateResponse:
        self.events.append("update started")
        try:
            await asyncio.sleep(float(request.name))
        except asyncio.CancelledError:
            self.events.append("update cancelled")
            raise
        self.events.append("update done")
        return pb.UpdateResponse(object=request.object)

    async def patch(self, request: pb.PatchRequest, context: CallContext) -> pb.PatchResponse:
        async with asyncio.timeout(0.05), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(20))
        return pb.PatchResponse()

    def list(self, request: pb.ListRequest, context: CallContext) -> Any:
        return (pb.ListResponse(count=i) for i in range(request.limit))

    async def watch(self, request: pb.WatchRequest, context: CallContext) -> AsyncIterator[pb.WatchResponse]:
        try:
            for i in range(request.timeout_seconds):
                yield pb.WatchResponse(events=[pb.WatchEvent(object=b"%d" % i)])
                await asyncio.sleep(0)
            if request.name == "fails":
                raise not_found("", "pods", "watched")
            if request.name == "stays":
                await asyncio.sleep(20)
        finally:
            self.events.append("watch ended")


@pytest.fixture(params=["tls", "tcp", "memory"])
def wires_kind(request: pytest.FixtureRequest) -> str:
    """In the event loop, over grpc.aio alone, and in memory."""
    kind: str = request.param
    return kind


@pytest.fixture
async def handlers(wires: Any) -> Handlers:
    handlers = Handlers()
    await wires.serve(lambda server: add_objects_to_server(handlers.table, server, wires.telemetry.log), OPEN)
    return handlers


@pytest.fixture
async def client(wires: Any, handlers: Handlers) -> AsyncIterator[ExchangeClient]:
    async with ExchangeClient(wires.channel()) as client:
        yield client


async def first(stream: AsyncIterator[Any]) -> Any:
    return await anext(stream)


async def until(condition: Any) -> None:
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.01)


async def test_calls_made_together(client: ExchangeClient) -> None:
    names = [f"pod-{i}" for i in range(1000)]
    responses = await asyncio.gather(*(client.call(pb.GetRequest(name=name)) for name in names))
    assert [response.object.decode() for response in responses] == names


async def test_what_a_handler_knows(client: ExchangeClient, handlers: Handlers) -> None:
    requester = pb.Requester(user="bob", groups=["ops"])
    await client.call(pb.GetRequest(), requester=requester, traceparent="00-a-b-01", timeout=9)
    [context] = handlers.contexts
    assert (context.peer.user, context.peer.groups) == ("alice", ("dev",))
    assert (context.requester, context.traceparent) == (requester, "00-a-b-01")
    assert context.deadline is not None
    assert 0 < context.deadline - asyncio.get_running_loop().time() <= 9


async def test_the_same_table_answers_unary_calls(wires: Any, handlers: Handlers) -> None:
    stub = ObjectsStub(wires.channel())
    response = await stub.Get(pb.GetRequest(name="x"), metadata=(("traceparent", "00-a-b-01"),), timeout=5)
    assert response.object == b"x"
    assert (await stub.Create(pb.CreateRequest(object=b"y"))).object == b"y"
    assert [chunk.count async for chunk in stub.List(pb.ListRequest(limit=3))] == [0, 1, 2]
    assert [len(batch.events) async for batch in stub.Watch(pb.WatchRequest(timeout_seconds=2))] == [1, 1]
    [context] = handlers.contexts
    assert (context.peer.user, context.requester, context.traceparent) == ("alice", None, "00-a-b-01")
    assert context.deadline is not None


async def test_a_coroutine_that_does_not_wait_needs_no_task(client: ExchangeClient, handlers: Handlers) -> None:
    assert (await client.call(pb.CreateRequest(object=b"x"))).object == b"x"
    assert not isinstance(handlers.tasks[0], asyncio.Task)


async def test_a_coroutine_that_waits(client: ExchangeClient) -> None:
    assert (await client.call(pb.UpdateRequest(name="0.05", object=b"x"))).object == b"x"


async def test_timeouts_and_groups_in_the_first_step(client: ExchangeClient) -> None:
    with pytest.raises(StatusError) as caught:
        await client.call(pb.PatchRequest())
    assert caught.value.reason == "InternalError"
    assert (await client.call(pb.GetRequest(name="x"))).object == b"x"


@pytest.mark.parametrize(
    ("request_message", "code", "reason"),
    [
        (pb.GetRequest(name="missing"), 404, "NotFound"),
        (pb.GetRequest(name="broken"), 500, "InternalError"),
        (pb.CreateRequest(name="conflict"), 409, "Conflict"),
        (pb.DeleteRequest(name="no handler"), 400, "BadRequest"),
    ],
)
async def test_failures(client: ExchangeClient, request_message: Any, code: int, reason: str) -> None:
    with pytest.raises(StatusError) as caught:
        await client.call(request_message)
    assert (caught.value.code, caught.value.reason) == (code, reason)


async def test_many_replies(client: ExchangeClient) -> None:
    assert [chunk.count async for chunk in client.stream(pb.ListRequest(limit=5))] == [0, 1, 2, 3, 4]
    assert [chunk async for chunk in client.stream(pb.ListRequest(limit=0))] == []
    watch = client.stream(pb.WatchRequest(timeout_seconds=3))
    assert [batch.events[0].object async for batch in watch] == [b"0", b"1", b"2"]


async def test_a_watch_that_fails(client: ExchangeClient) -> None:
    watch = client.stream(pb.WatchRequest(timeout_seconds=2, name="fails"))
    assert [await anext(watch), await anext(watch)]
    with pytest.raises(StatusError, match="watched"):
        await anext(watch)


async def test_closing_a_watch_ends_it_on_the_server(client: ExchangeClient, handlers: Handlers) -> None:
    stream: Any = client.stream(pb.WatchRequest(timeout_seconds=1, name="stays"))
    async with aclosing(stream) as watch:
        await anext(watch)
    await until(lambda: handlers.events == ["watch ended"])


async def test_a_reader_that_falls_behind(client: ExchangeClient, handlers: Handlers) -> None:
    stream: Any = client.stream(pb.WatchRequest(timeout_seconds=100_000))
    async with aclosing(stream) as watch:
        await anext(watch)
        await until(lambda: handlers.events == ["watch ended"])
        with pytest.raises(StatusError, match="too far behind"):
            [batch async for batch in watch]
    assert (await client.call(pb.GetRequest(name="x"))).object == b"x"


async def test_replies_from_outside_a_handler(
    client: ExchangeClient, handlers: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts: list[CallContext] = []

    async def watch(request: pb.WatchRequest, context: CallContext) -> AsyncIterator[pb.WatchResponse]:
        contexts.append(context)
        yield pb.WatchResponse()
        await asyncio.sleep(20)

    handlers.table["watch"] = watch
    streams = [client.stream(pb.WatchRequest(shared=shared)) for shared in (True, True, True, False)]
    for stream in streams:
        assert await first(stream) == pb.WatchResponse()
    *pushes, nothing = [context.push for context in contexts]
    assert nothing is None, "only for those who say that they understand"
    one, two = [pb.WatchResponse(events=[pb.WatchEvent(object=text)]) for text in (b"1", b"2")]
    assert all(push([one]) for push in pushes if push is not None)
    found = [await first(stream) for stream in streams[:3]]
    assert found == [one] * 3
    assert found[0] is found[1] is found[2], "it came once"
    monkeypatch.setattr(batch, "MAX_WAITING", 0)
    push = pushes[0]
    assert push is not None
    assert (push([one, two]), push([one])) == (True, False), "what does not fit is the handler's to send"
    assert [await first(streams[0]), await first(streams[0])] == [one, two]
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]  # an async generator


class Clumsy:
    """A waiter that fails itself."""

    def take(self, response: Any) -> bool:
        raise RuntimeError("no")

    finish = fail = note = take


async def test_a_waiter_that_fails_leaves_the_others_alone(client: ExchangeClient, handlers: Handlers) -> None:
    clumsy: Any = Clumsy()
    for asked in (
        pb.GetRequest(name="x"),
        pb.GetRequest(name="missing"),
        pb.WatchRequest(name="stays", timeout_seconds=1),
    ):
        await client.start(clumsy, asked)
    assert (await client.call(pb.GetRequest(name="y"))).object == b"y"
    await until(lambda: "watch ended" in handlers.events)


async def test_cancelling_a_waiter_cancels_the_call(client: ExchangeClient, handlers: Handlers) -> None:
    task = asyncio.create_task(client.call(pb.UpdateRequest(name="20")))
    await until(lambda: handlers.events == ["update started"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: handlers.events[1:] == ["update cancelled"])


async def test_a_timeout_per_call(client: ExchangeClient, handlers: Handlers) -> None:
    slow = asyncio.create_task(client.call(pb.UpdateRequest(name="0.2", object=b"x")))
    with pytest.raises(StatusError) as caught:
        await client.call(pb.UpdateRequest(name="20"), timeout=0.05)
    assert (caught.value.code, caught.value.reason) == (504, "Timeout")
    assert (await slow).object == b"x"
    await until(lambda: "update cancelled" in handlers.events)


async def test_a_stream_timeout(client: ExchangeClient, handlers: Handlers) -> None:
    with pytest.raises(StatusError) as caught:
        [batch async for batch in client.stream(pb.WatchRequest(name="stays"), timeout=0.1)]
    assert caught.value.code == 504
    await until(lambda: handlers.events == ["watch ended"])


async def test_a_broken_stream_fails_what_was_under_way(wires: Any, client: ExchangeClient, handlers: Handlers) -> None:
    write = asyncio.create_task(client.call(pb.UpdateRequest(name="20")))
    watch = asyncio.create_task(first(client.stream(pb.WatchRequest(name="stays"))))
    await until(lambda: handlers.events == ["update started"])
    await wires.server.stop(None)
    for task in (write, watch):
        with pytest.raises(StatusError) as caught:
            await task
        assert (caught.value.code, caught.value.reason) == (503, "ServiceUnavailable")
    with pytest.raises(StatusError) as caught:
        await client.call(pb.GetRequest(), timeout=5)
    assert caught.value.code == 503

    await wires.serve(lambda server: add_objects_to_server(handlers.table, server, wires.telemetry.log), OPEN)
    async with asyncio.timeout(4):
        while True:
            try:
                assert (await client.call(pb.GetRequest(name="again"))).object == b"again"
                break
            except StatusError as error:
                assert error.code == 503  # noqa: PT017
    assert handlers.events.count("update started") == 1, "a write is never sent twice"


async def test_a_server_that_drains(wires: Any, client: ExchangeClient, handlers: Handlers) -> None:
    write = asyncio.create_task(client.call(pb.UpdateRequest(name="0.3", object=b"x")))
    watch: Any = client.stream(pb.WatchRequest(timeout_seconds=1, name="stays"))
    await anext(watch)
    await until(lambda: handlers.events == ["update started"])
    started = asyncio.get_running_loop().time()
    await wires.server.stop(10)
    assert asyncio.get_running_loop().time() - started < 2, "an idle stream does not hold the server up"
    assert (await write).object == b"x"
    with pytest.raises(StatusError) as caught:
        await anext(watch)
    assert caught.value.code == 503


async def test_a_handler_that_waited_for_something_cancelled(client: ExchangeClient, handlers: Handlers) -> None:
    async def delete(request: pb.DeleteRequest, context: CallContext) -> pb.DeleteResponse:
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        if request.name == "later":
            await asyncio.sleep(0)
        await gone
        return pb.DeleteResponse()

    handlers.table["delete"] = delete
    for name in ("at once", "later"):
        with pytest.raises(StatusError, match="delete was cancelled"):
            await client.call(pb.DeleteRequest(name=name), timeout=2)
    assert (await client.call(pb.GetRequest(name="x"))).object == b"x"


async def test_a_refused_exchange_says_so(wires: Any) -> None:
    await wires.serve(lambda server: add_objects_to_server({}, server, wires.telemetry.log), Policy())
    async with ExchangeClient(wires.channel()) as client, asyncio.timeout(4):
        while True:
            with pytest.raises(StatusError) as caught:
                await client.call(pb.GetRequest())
            if caught.value.code != 503:  # a busy machine's first attempt to connect
                break
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")


async def test_a_closed_client(wires: Any, handlers: Handlers) -> None:
    async with ExchangeClient(wires.channel()) as client:
        waiting = asyncio.create_task(client.call(pb.UpdateRequest(name="20")))
        await until(lambda: handlers.events)
    with pytest.raises(StatusError, match="closed"):
        await waiting
    with pytest.raises(StatusError, match="closed"):
        await client.call(pb.GetRequest())
    await until(lambda: "update cancelled" in handlers.events)


async def test_large_requests_are_split(client: ExchangeClient) -> None:
    payload = bytes(3_000_000)
    responses = await asyncio.gather(*(client.call(pb.CreateRequest(object=payload)) for _ in range(30)))
    assert all(len(response.object) == len(payload) for response in responses)


async def test_exchange_calls_are_counted(wires: Any, client: ExchangeClient) -> None:
    await client.call(pb.GetRequest())
    labels = {"grpc_service": "kybern.api.v1.Objects", "grpc_method": "Get", "grpc_code": "OK"}
    assert wires.telemetry.registry.get_sample_value("grpc_server_handled_total", labels) == 1
