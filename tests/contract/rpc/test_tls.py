"""Who gets in over real TLS, and how certificates rotate under a running server and channel."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kybern.pki.source import FixedCertificateSource, KeyPair
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.protos.api.v1.objects_pb2_grpc import ObjectsServicer, ObjectsStub, add_ObjectsServicer_to_server
from kybern.rpc.address import CannotListen
from kybern.rpc.grpc_transport import GrpcTransport
from kybern.rpc.identity import peer
from kybern.rpc.transport import Policy
from kybern.telemetry import Telemetry

NAME = "apiserver.kybern"
POLICY = Policy({"/kybern.api.v1.Objects/Get": frozenset({"alice"})})


class Objects(ObjectsServicer):
    """Says who called; waits if asked to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def Get(self, request: pb.GetRequest, context: Any) -> pb.GetResponse:
        if request.name == "wait":
            await self.go_on.wait()
        return pb.GetResponse(object=repr(peer(context)).encode())


@pytest.fixture(params=["unix", "tcp"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s.sock" if request.param == "unix" else "127.0.0.1:0"


class Running:
    """A server with its certificate, and clients for it."""

    def __init__(self, pair: KeyPair, address: str) -> None:
        self.source = FixedCertificateSource(pair)
        self.transport = GrpcTransport(self.source, Telemetry("server"))
        self.server = self.transport.server(address, POLICY)
        self.objects = Objects()  # type: ignore[abstract]
        add_ObjectsServicer_to_server(self.objects, self.server)  # type: ignore[arg-type]
        self.clients: list[GrpcTransport] = []

    @property
    def target(self) -> str:
        return self.server.address if self.server.port == 1 else f"127.0.0.1:{self.server.port}"

    def channel(self, source: FixedCertificateSource, name: str = NAME) -> Any:
        client = GrpcTransport(source, Telemetry("client"))
        self.clients.append(client)
        return client.channel(self.target, name)

    def stub(self, pair: KeyPair, name: str = NAME) -> Any:
        return ObjectsStub(self.channel(FixedCertificateSource(pair), name))

    async def close(self) -> None:
        for client in self.clients:
            await client.close()
        await self.transport.close()


@pytest.fixture
async def running(authority: Any, address: str) -> AsyncIterator[Running]:
    running = Running(authority.issue("system:kybern:apiserver", names=(NAME,)), address)
    await running.server.start()
    yield running
    await running.close()


async def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


async def test_a_certificate_is_an_identity(running: Running, authority: Any) -> None:
    stub = running.stub(authority.issue("alice", ("dev", "ops")))
    response = await stub.Get(pb.GetRequest(), timeout=5)
    assert response.object == b"Identity(user='alice', groups=('dev', 'ops'))"


async def test_no_certificate(running: Running, authority: Any) -> None:
    credentials = grpc.ssl_channel_credentials(authority.pem)
    options = (("grpc.ssl_target_name_override", NAME),)
    async with grpc.aio.secure_channel(running.target, credentials, options=options) as channel:
        assert await code_of(ObjectsStub(channel).Get(pb.GetRequest(), timeout=5)) is grpc.StatusCode.UNAVAILABLE


async def test_no_tls(running: Running) -> None:
    async with grpc.aio.insecure_channel(running.target) as channel:
        assert await code_of(ObjectsStub(channel).Get(pb.GetRequest(), timeout=5)) is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_of_another_ca(running: Running, authority: Any, new_authority: Callable[[], Any]) -> None:
    stranger = new_authority().issue("alice")
    pair = KeyPair(authority.pem, stranger.cert, stranger.key, stranger.not_after)  # trusts the server
    assert await code_of(running.stub(pair).Get(pb.GetRequest(), timeout=5)) is grpc.StatusCode.UNAVAILABLE


async def test_an_expired_certificate(running: Running, authority: Any) -> None:
    stub = running.stub(authority.issue("alice", seconds=-5))
    assert await code_of(stub.Get(pb.GetRequest(), timeout=5)) is grpc.StatusCode.UNAVAILABLE


async def test_a_method_that_is_not_allowed(running: Running, authority: Any) -> None:
    bob, alice = running.stub(authority.issue("bob")), running.stub(authority.issue("alice"))
    assert await code_of(bob.Get(pb.GetRequest(), timeout=5)) is grpc.StatusCode.PERMISSION_DENIED
    assert await code_of(alice.Create(pb.CreateRequest(), timeout=5)) is grpc.StatusCode.PERMISSION_DENIED


async def test_a_server_with_another_name(running: Running, authority: Any) -> None:
    stub = running.stub(authority.issue("alice"), "scheduler.kybern")
    assert await code_of(stub.Get(pb.GetRequest(), timeout=5)) is grpc.StatusCode.UNAVAILABLE


async def test_a_client_follows_rotation(running: Running, authority: Any) -> None:
    source = FixedCertificateSource(authority.issue("alice", ("one",), seconds=2))
    stub = ObjectsStub(running.channel(source))
    old = stub.Get(pb.GetRequest(name="wait"), timeout=10)
    assert b"'one'" in (await stub.Get(pb.GetRequest(), timeout=5)).object
    source.set(authority.issue("alice", ("two",)))
    assert b"'two'" in (await stub.Get(pb.GetRequest(), timeout=5)).object
    running.objects.go_on.set()
    assert b"'one'" in (await old).object, "calls that were under way end on their old connection"


async def test_a_server_follows_rotation(running: Running, authority: Any) -> None:
    """Its first certificate has expired when the second client connects."""
    running.source.set(authority.issue("system:kybern:apiserver", names=(NAME,), seconds=1.2))
    first = running.stub(authority.issue("alice"))
    await first.Get(pb.GetRequest(), timeout=5)
    await asyncio.sleep(1)
    running.source.set(authority.issue("system:kybern:apiserver", names=(NAME,)))
    await asyncio.sleep(0.5)
    await running.stub(authority.issue("alice")).Get(pb.GetRequest(), timeout=5)
    await first.Get(pb.GetRequest(), timeout=5)


async def test_health_of_each_service(running: Running, authority: Any) -> None:
    stub = health_pb2_grpc.HealthStub(running.channel(FixedCertificateSource(authority.issue("anybody"))))
    for service in ("", "kybern.api.v1.Objects"):
        response = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        assert response.status == health_pb2.HealthCheckResponse.SERVING
    unknown = stub.Check(health_pb2.HealthCheckRequest(service="nothing"), timeout=5)
    assert await code_of(unknown) is grpc.StatusCode.NOT_FOUND


async def test_a_port_in_use(authority: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = Running(authority.issue("a", names=(NAME,)), f"127.0.0.1:{port}")
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}: the port is in use"):
            await running.server.start()
        await running.close()


async def test_a_socket_left_by_a_killed_server(authority: Any, tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert path.exists()
    running = Running(authority.issue("a", names=(NAME,)), f"unix:{path}")
    await running.server.start()
    await running.stub(authority.issue("alice")).Get(pb.GetRequest(), timeout=5)
    await running.close()
    assert not path.exists()


async def test_a_restarted_server_is_reached_at_once(authority: Any, tmp_path: Path) -> None:
    pair, address = authority.issue("a", names=(NAME,)), f"unix:{tmp_path}/s.sock"
    running = Running(pair, address)
    await running.server.start()
    stub = running.stub(authority.issue("alice"))
    await stub.Get(pb.GetRequest(), timeout=5)
    await running.transport.close()
    assert await code_of(stub.Get(pb.GetRequest(), timeout=5)) is grpc.StatusCode.UNAVAILABLE
    await asyncio.sleep(0.3)
    again = Running(pair, address)
    await again.server.start()
    async with asyncio.timeout(1.5):
        await stub.Get(pb.GetRequest(), wait_for_ready=True)
    await running.close()
    await again.close()
