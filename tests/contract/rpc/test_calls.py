"""The four kinds of call, as generated stubs and servicers see them, over both transports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from kybern.kube.status import StatusError, not_found
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.protos.api.v1.objects_pb2_grpc import ObjectsServicer, ObjectsStub, add_ObjectsServicer_to_server
from kybern.protos.node.v1 import node_pb2
from kybern.protos.node.v1.node_pb2_grpc import NodeAgentServicer, NodeAgentStub, add_NodeAgentServicer_to_server
from kybern.rpc.errors import abort, status_error
from kybern.rpc.identity import peer
from kybern.rpc.transport import ANYONE, Policy

OPEN = Policy({"/kybern.api.v1.Objects/": frozenset({ANYONE}), "/kybern.node.v1.NodeAgent/": frozenset({ANYONE})})
EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]


class Objects(ObjectsServicer):
    """Answers according to the name asked for."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.seen = asyncio.Event()

    async def Get(self, request: pb.GetRequest, context: Any) -> pb.GetResponse:
        match request.name:
            case "missing":
                raise not_found("", "pods", "missing")
            case "aborted":
                await abort(context, not_found("apps", "deployments", "aborted"))
            case "broken":
                raise ZeroDivisionError("a secret detail")
            case "slow":
                try:
                    await asyncio.sleep(20)
                except asyncio.CancelledError:
                    self.events.append("cancelled")
                    self.seen.set()
                    raise
            case "metadata":
                context.set_trailing_metadata((("x-trailing", "t"),))
                await context.send_initial_metadata((("x-initial", "i"),))
                return pb.GetResponse(object=dict(context.invocation_metadata())["x-asked"].encode())
        identity = peer(context)
        return pb.GetResponse(object=f"{identity.user} {','.join(identity.groups)}".encode())

    async def List(self, request: pb.ListRequest, context: Any) -> AsyncIterator[pb.ListResponse]:
        for i in range(request.limit):
            yield pb.ListResponse(count=i)
        if request.continue_token:
            raise not_found("", "pods", "rest")

    async def Watch(self, request: pb.WatchRequest, context: Any) -> None:  # type: ignore[override]
        try:
            while True:
                await context.write(pb.WatchResponse(events=[pb.WatchEvent(object=bytes(100_000))]))
                self.events.append("written")
        finally:
            self.seen.set()


class Node(NodeAgentServicer):
    async def Exec(self, request_iterator: Any, context: Any) -> AsyncIterator[node_pb2.ExecResponse]:
        async for request in request_iterator:
            yield node_pb2.ExecResponse(stdout=request.stdin)
        yield node_pb2.ExecResponse(stdout=b"end")


@pytest.fixture
async def objects(wires: Any) -> Objects:
    servicer = Objects()  # type: ignore[abstract]

    def add(server: Any) -> None:
        add_ObjectsServicer_to_server(servicer, server)
        add_NodeAgentServicer_to_server(Node(), server)  # type: ignore[abstract]

    await wires.serve(add, OPEN)
    return servicer


@pytest.fixture
def stub(wires: Any, objects: Objects) -> Any:
    return ObjectsStub(wires.channel())


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_unary(stub: Any) -> None:
    call = stub.Get(pb.GetRequest(name="x"))
    assert (await call).object == b"alice dev"
    assert await call.code() is grpc.StatusCode.OK
    assert call.done()
    assert not call.cancelled()
    assert (await call).object == b"alice dev"


async def test_metadata_travels_both_ways(stub: Any) -> None:
    call = stub.Get(pb.GetRequest(name="metadata"), metadata=(("x-asked", "a"),))
    assert (await call.initial_metadata())["x-initial"] == "i"
    assert (await call).object == b"a"
    assert (await call.trailing_metadata())["x-trailing"] == "t"


@pytest.mark.parametrize("name", ["missing", "aborted"])
async def test_a_status_error_crosses(stub: Any, name: str) -> None:
    error = await failure(stub.Get(pb.GetRequest(name=name)))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    status = status_error(error)
    assert (status.code, status.reason, status.details["name"]) == (404, "NotFound", name)


async def test_a_surprise_is_an_internal_error(stub: Any, caplog: pytest.LogCaptureFixture) -> None:
    error = await failure(stub.Get(pb.GetRequest(name="broken")))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert status_error(error).reason == "InternalError"
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (record.method, record.peer) == ("/kybern.api.v1.Objects/Get", "alice")  # type: ignore[attr-defined]


async def test_an_unknown_method(wires: Any, objects: Objects) -> None:
    error = await failure(wires.channel().unary_unary("/kybern.api.v1.Objects/Nothing")(b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_method_that_is_not_implemented(stub: Any) -> None:
    error = await failure(stub.Create(pb.CreateRequest()))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_deadline_ends_both_sides(stub: Any, objects: Objects) -> None:
    error = await failure(stub.Get(pb.GetRequest(name="slow"), timeout=0.1))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (status_error(error).code, status_error(error).reason) == (504, "Timeout")
    async with asyncio.timeout(2):
        await objects.seen.wait()


async def test_a_default_deadline(stub: Any, objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kybern.rpc.guard.DEFAULT_DEADLINE", 0.05)
    error = await failure(stub.Get(pb.GetRequest(name="slow")))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert objects.events == ["cancelled"]


async def test_cancel_reaches_the_handler(stub: Any, objects: Objects) -> None:
    call = stub.Get(pb.GetRequest(name="slow"))
    await asyncio.sleep(0.1)
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert call.cancelled()
    assert not call.cancel()
    async with asyncio.timeout(2):
        await objects.seen.wait()


async def test_cancelling_the_waiting_task_cancels_the_call(stub: Any, objects: Objects) -> None:
    call = stub.Get(pb.GetRequest(name="slow"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await call
    async with asyncio.timeout(2):
        await objects.seen.wait()


async def test_a_stream_of_responses(stub: Any) -> None:
    assert [r.count async for r in stub.List(pb.ListRequest(limit=200))] == list(range(200))
    call = stub.List(pb.ListRequest(limit=1))
    assert (await call.read()).count == 0
    assert await call.read() is EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_stream_that_fails(stub: Any) -> None:
    call = stub.List(pb.ListRequest(limit=2, continue_token="x"))
    assert [(await call.read()).count, (await call.read()).count] == [0, 1]
    assert status_error(await failure(call.read())).details["name"] == "rest"
    again = stub.List(pb.ListRequest(limit=2, continue_token="x"))
    with pytest.raises(grpc.aio.AioRpcError):
        [response async for response in again]


async def test_backpressure_and_cancel_of_a_stream(stub: Any, objects: Objects) -> None:
    call = stub.Watch(pb.WatchRequest())
    await call.read()
    await asyncio.sleep(0.5)
    written = len(objects.events)
    await asyncio.sleep(0.2)
    assert len(objects.events) == written, "the handler must wait for its reader"
    call.cancel()
    async with asyncio.timeout(2):
        await objects.seen.wait()


async def test_both_directions(wires: Any, objects: Objects) -> None:
    call = NodeAgentStub(wires.channel()).Exec()
    for text in (b"a", b"b"):
        await call.write(node_pb2.ExecRequest(stdin=text))
        assert (await call.read()).stdout == text
    await call.done_writing()
    assert (await call.read()).stdout == b"end"
    assert await call.read() is EOF
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(node_pb2.ExecRequest())


async def test_requests_from_an_iterator(wires: Any, objects: Objects) -> None:
    async def requests() -> AsyncIterator[node_pb2.ExecRequest]:
        for text in (b"a", b"b"):
            yield node_pb2.ExecRequest(stdin=text)

    call = NodeAgentStub(wires.channel()).Exec(requests())
    assert [response.stdout async for response in call] == [b"a", b"b", b"end"]


async def test_nothing_is_shared(wires: Any) -> None:
    given: list[Any] = []

    class Keeper(ObjectsServicer):
        async def Create(self, request: pb.CreateRequest, context: Any) -> pb.CreateResponse:
            given.append(request)
            return pb.CreateResponse(object=request.object)

    await wires.serve(lambda server: add_ObjectsServicer_to_server(Keeper(), server), OPEN)  # type: ignore[abstract]
    request = pb.CreateRequest(name="before", object=b"1")
    await ObjectsStub(wires.channel()).Create(request)
    request.name = "after"
    assert given[0].name == "before"


async def test_no_server_is_service_unavailable(wires: Any) -> None:
    error = await failure(ObjectsStub(wires.channel()).Get(pb.GetRequest()))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert (status_error(error).code, status_error(error).reason) == (503, "ServiceUnavailable")


async def test_waiting_for_a_server(wires: Any) -> None:
    call = ObjectsStub(wires.channel()).Get(pb.GetRequest(), wait_for_ready=True, timeout=5)
    await asyncio.sleep(0.05)
    await wires.serve(lambda server: add_ObjectsServicer_to_server(Objects(), server), OPEN)  # type: ignore[abstract]
    assert (await call).object == b"alice dev"


async def test_a_server_that_stops(wires: Any, stub: Any, objects: Objects) -> None:
    call = stub.Get(pb.GetRequest(name="slow"))
    await asyncio.sleep(0.1)
    await wires.server.stop(None)
    error = await failure(call)
    assert status_error(error).code == 503
    await wires.serve(lambda server: add_ObjectsServicer_to_server(Objects(), server), OPEN)  # type: ignore[abstract]
    async with asyncio.timeout(3):
        assert (await stub.Get(pb.GetRequest(), wait_for_ready=True)).object == b"alice dev"


async def test_grace_lets_open_calls_end(wires: Any) -> None:
    class Slow(ObjectsServicer):
        async def Get(self, request: pb.GetRequest, context: Any) -> pb.GetResponse:
            await asyncio.sleep(0.2)
            return pb.GetResponse(object=b"done")

    await wires.serve(lambda server: add_ObjectsServicer_to_server(Slow(), server), OPEN)  # type: ignore[abstract]
    call = ObjectsStub(wires.channel()).Get(pb.GetRequest())
    await asyncio.sleep(0.1)
    _, response = await asyncio.gather(wires.server.stop(5), call)
    assert response.object == b"done"


async def test_two_servers_on_one_address(wires: Any, objects: Objects) -> None:
    with pytest.raises(Exception, match=r"cannot listen on .*: another"):
        await wires.serve(lambda server: None, OPEN)


def refused(error: StatusError) -> tuple[int, str]:
    return error.code, error.message


@pytest.mark.parametrize(
    ("rules", "user", "groups", "allowed"),
    [
        ({}, "alice", ("dev",), False),
        ({"/kybern.api.v1.Objects/Get": {"alice"}}, "alice", (), True),
        ({"/kybern.api.v1.Objects/": {"dev"}}, "alice", ("dev",), True),
        ({"/kybern.api.v1.Objects/": {"dev"}, "/kybern.api.v1.Objects/Get": {"bob"}}, "alice", ("dev",), False),
        ({"/kybern.api.v1.Objects/List": {"alice"}}, "alice", ("dev",), False),
        ({}, "root", ("system:masters",), True),
    ],
)
async def test_policy(
    wires: Any, rules: dict[str, set[str]], user: str, groups: tuple[str, ...], allowed: bool
) -> None:
    policy = Policy({name: frozenset(members) for name, members in rules.items()})
    await wires.serve(lambda server: add_ObjectsServicer_to_server(Objects(), server), policy)  # type: ignore[abstract]
    call = ObjectsStub(wires.channel(user, groups)).Get(pb.GetRequest())
    if allowed:
        assert (await call).object.startswith(user.encode())
    else:
        error = await failure(call)
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        message = f'forbidden: User "{user}" cannot call /kybern.api.v1.Objects/Get'
        assert refused(status_error(error)) == (403, message)


async def test_metrics(wires: Any, stub: Any) -> None:
    await stub.Get(pb.GetRequest())
    await failure(stub.Get(pb.GetRequest(name="missing")))
    value: Callable[..., float | None] = wires.telemetry.registry.get_sample_value
    await failure(stub.Get(pb.GetRequest(name="aborted")))
    labels = {"grpc_service": "kybern.api.v1.Objects", "grpc_method": "Get"}
    assert value("grpc_server_handled_total", {**labels, "grpc_code": "OK"}) == 1
    async with asyncio.timeout(2):  # an aborted call is counted just after its answer
        while value("grpc_server_handled_total", {**labels, "grpc_code": "NOT_FOUND"}) != 2:
            await asyncio.sleep(0.01)
    assert value("grpc_server_handling_seconds_count", labels) == 3
    assert value("grpc_server_handling_seconds_bucket", {**labels, "le": "+Inf"}) == 3
