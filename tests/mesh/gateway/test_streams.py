"""logs, exec and port-forward through a real gateway and apiserver, to a node agent made for the test."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from kybern.gateway.core import channels
from kybern.protos.node.v1 import node_pb2 as pb
from kybern.protos.node.v1 import node_pb2_grpc
from kybern.rpc.memory import MemoryTransport
from kybern.rpc.transport import Identity, Policy
from kybern.spdy.session import Data, Session
from kybern.telemetry import Telemetry

POD = "/api/v1/namespaces/default/pods/p"
SUCCESS = {"metadata": {}, "status": "Success"}


class Agent(node_pb2_grpc.NodeAgentServicer):
    """Exec upper-cases what it reads, logs count, a forwarded connection is an echo."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.started: list[Any] = []

    async def Logs(self, request: pb.LogsRequest, context: Any) -> AsyncIterator[pb.LogsResponse]:
        self.started.append(request)
        lines = request.tail_lines if request.HasField("tail_lines") else 3
        for index in range(lines):
            yield pb.LogsResponse(data=b"line %d\n" % index)
        if request.follow:
            await asyncio.sleep(60)

    async def Exec(self, requests: AsyncIterator[pb.ExecRequest], context: Any) -> AsyncIterator[pb.ExecResponse]:
        start = (await anext(aiter(requests))).start
        self.started.append(start)
        yield pb.ExecResponse(stderr=" ".join(start.command).encode())
        async for request in requests:
            match request.WhichOneof("message"):
                case "stdin":
                    yield pb.ExecResponse(stdout=request.stdin.upper())
                case "resize":
                    self.sizes.append((request.resize.width, request.resize.height))
                case "close_stdin":
                    break
        yield pb.ExecResponse(status=json.dumps(SUCCESS).encode())

    async def PortForward(
        self, requests: AsyncIterator[pb.PortForwardRequest], context: Any
    ) -> AsyncIterator[pb.PortForwardResponse]:
        start = (await anext(aiter(requests))).start
        if start.port == 81:
            yield pb.PortForwardResponse(error="connection refused")
            return
        if start.port == 82:
            yield pb.PortForwardResponse(data=b"bye")
            return
        async for request in requests:
            yield pb.PortForwardResponse(data=request.data)


@pytest.fixture
async def agent(gateway: Any) -> AsyncIterator[Agent]:
    """A node agent, its node, and a pod on it."""
    found = Agent()
    transport = MemoryTransport(gateway.network, Identity("system:node:n1", ("system:nodes",)), Telemetry("node"))
    policy = Policy({"/kybern.node.v1.NodeAgent/": frozenset({"system:kybern:gateway"})})
    server = transport.server("node:1", policy)
    node_pb2_grpc.add_NodeAgentServicer_to_server(found, server)  # type: ignore[no-untyped-call]
    await server.start()
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1", "annotations": {"kybern.io/agent-target": "node:1"}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
    }
    for path, obj in (
        ("/api/v1/nodes", node),
        ("/api/v1/namespaces/default/pods", pod),
    ):
        response = await gateway.admin.post(path, json=obj)
        assert response.status == 201, await response.text()
    yield found
    await server.stop(0)
    await transport.close()


@pytest.mark.parametrize(
    ("protocol", "first"), [("binary.k8s.io", b"line 0\n"), ("base64.binary.k8s.io", b"bGluZSAwCg==")]
)
async def test_logs_as_messages(gateway: Any, agent: Agent, protocol: str, first: bytes) -> None:
    async with gateway.admin.ws_connect(f"{POD}/log?tailLines=2", protocols=(protocol,)) as ws:
        assert ws.protocol == protocol
        assert await ws.receive_bytes() == first
        await ws.receive_bytes()
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_logs(gateway: Any, agent: Agent) -> None:
    async with gateway.admin.get(f"{POD}/log", params={"tailLines": "2", "timestamps": "true"}) as response:
        assert (response.content_type, await response.text()) == ("text/plain", "line 0\nline 1\n")
    (asked,) = agent.started
    assert (asked.container.node_name, asked.container.pod, asked.container.container) == ("n1", "p", "c")
    assert asked.timestamps
    async with gateway.admin.get(f"{POD}/log", params={"follow": "true"}) as response:
        assert await response.content.readexactly(21) == b"line 0\nline 1\nline 2\n"
    async with gateway.admin.get(f"{POD}/log", params={"container": "x"}) as response:
        assert (response.status, (await response.json())["message"]) == (400, "container x is not valid for pod p")


def exec_url(**options: Any) -> str:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"{POD}/exec?command=tr&command=a-z&{query}"


@pytest.mark.parametrize("protocol", [channels.V5, channels.V4])
async def test_exec(gateway: Any, agent: Agent, protocol: str) -> None:
    url = exec_url(stdin=1, stdout=1, stderr=1)
    async with gateway.admin.ws_connect(url, protocols=("v9.channel.k8s.io", protocol)) as ws:
        assert ws.protocol == protocol
        assert await ws.receive_bytes() == b"\x01"
        assert await ws.receive_bytes() == b"\x02tr a-z"
        await ws.send_bytes(b"\x00hello")
        assert await ws.receive_bytes() == b"\x01HELLO"
        if protocol == channels.V5:
            await ws.send_bytes(b"\xff\x00")
            status = await ws.receive_bytes()
            assert (status[:1], json.loads(status[1:])) == (b"\x03", SUCCESS)
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_exec_in_the_oldest_protocol(gateway: Any, agent: Agent) -> None:
    async with gateway.admin.ws_connect(exec_url(stdin=1, stdout=1, stderr=1), protocols=(channels.V1,)) as ws:
        assert (ws.protocol, await ws.receive_bytes(), await ws.receive_bytes()) == (
            channels.V1,
            b"\x01",
            b"\x02tr a-z",
        )


async def test_exec_with_a_terminal(gateway: Any, agent: Agent) -> None:
    async with gateway.admin.ws_connect(exec_url(stdin=1, stdout=1, stderr=1, tty=1), protocols=(channels.V5,)) as ws:
        await ws.send_bytes(b'\x04{"Width":80,"Height":24}')
        await ws.send_bytes(b"\x00x")
        while await ws.receive_bytes() != b"\x01X":
            pass
    assert agent.sizes == [(80, 24)]
    assert not agent.started[0].stderr


@pytest.mark.parametrize(
    ("url", "protocols", "code", "message"),
    [
        (exec_url(stdout=1), ("soap",), 400, "unable to negotiate protocol"),
        (exec_url(), (channels.V5,), 400, "at least 1 of stdin, stdout, stderr"),
        (f"{POD}/exec?stdout=1", (channels.V5,), 400, "you must specify a command"),
        (exec_url(stdout=1, container="x"), (channels.V5,), 400, "container x is not valid for pod p"),
        (f"{POD}q/exec?command=a&stdout=1", (channels.V5,), 404, 'pods "pq" not found'),
        (f"{POD}/portforward", (channels.V4,), 400, "ports"),
    ],
)
async def test_refused_handshakes(
    gateway: Any, agent: Agent, url: str, protocols: tuple[str, ...], code: int, message: str
) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": ",".join(protocols),
    }
    async with gateway.admin.get(url, headers=headers) as response:
        assert response.status == code
        assert message in (await response.json())["message"]


async def test_spdy_requests_learn_what_is_wrong(gateway: Any, agent: Agent) -> None:
    headers = {"Upgrade": "SPDY/3.1", "Connection": "Upgrade"}
    async with gateway.admin.post(exec_url(stdout=1, container="x"), headers=headers) as response:
        assert (await response.json())["message"] == "container x is not valid for pod p"
    async with gateway.admin.post(exec_url(stdout=1), headers=headers) as response:
        assert (await response.json())["message"] == "unable to upgrade: X-Stream-Protocol-Version is required"
    headers["X-Stream-Protocol-Version"] = "v9.channel.k8s.io"
    async with gateway.admin.post(exec_url(stdout=1), headers=headers) as response:
        accepted = response.headers.getall("X-Accepted-Stream-Protocol-Versions")
        assert (response.status, accepted[0], len(accepted)) == (403, "v4.channel.k8s.io", 4)
    async with gateway.admin.post(exec_url(stdout=1)) as response:
        assert (await response.json())["message"] == "Upgrade request required"


class SpdyClient:
    """A client's end of SPDY/3.1 at the gateway's port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.session = reader, writer, Session()

    @classmethod
    async def connect(cls, gateway: Any, path: str, *protocols: str) -> "SpdyClient":
        tls = gateway.tls("root", "system:masters")
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=tls)
        lines = [f"POST {path} HTTP/1.1", "Host: h", "Connection: Upgrade", "Upgrade: SPDY/3.1", "Content-Length: 0"]
        lines += (f"X-Stream-Protocol-Version: {protocol}" for protocol in protocols)
        writer.write("\r\n".join((*lines, "", "")).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 101 ")
        assert f"X-Stream-Protocol-Version: {protocols[0]}\r\n" in head
        return cls(reader, writer)

    async def outputs(self) -> dict[int, bytes]:
        """What comes on each stream, until the gateway closes."""
        found: dict[int, bytes] = {}
        async with asyncio.timeout(5):
            while data := await self.reader.read(65536):
                for event in self.session.receive(data):
                    if isinstance(event, Data):
                        found[event.stream] = found.get(event.stream, b"") + event.data
        self.writer.close()
        return found


@pytest.mark.parametrize(
    ("protocol", "last"), [("v4.channel.k8s.io", json.dumps(SUCCESS).encode()), ("channel.k8s.io", b"")]
)
async def test_exec_over_spdy(gateway: Any, agent: Agent, protocol: str, last: bytes) -> None:
    client = await SpdyClient.connect(gateway, exec_url(stdin=1, stdout=1, stderr=1), protocol, "v9.channel.k8s.io")
    session, writer = client.session, client.writer
    for stream, kind in ((1, "error"), (3, "stdin"), (5, "stdout"), (7, "stderr")):
        writer.write(session.open(stream, {"streamtype": kind}))
    writer.write(session.ping(1) + session.data(3, b"hello "))
    writer.write(session.data(3, b"world") + session.data(3, b"", finished=True))
    assert await client.outputs() == {1: last, 5: b"HELLO WORLD", 7: b"tr a-z"}


async def test_a_terminal_over_spdy_has_sizes(gateway: Any, agent: Agent) -> None:
    client = await SpdyClient.connect(gateway, exec_url(stdin=1, stdout=1, stderr=1, tty=1), "v4.channel.k8s.io")
    session, writer = client.session, client.writer
    for stream, kind in ((1, "error"), (3, "stdin"), (5, "stdout"), (7, "resize")):
        writer.write(session.open(stream, {"streamtype": kind}))
    writer.write(session.data(7, b'{"Width":80,"Height":24}\n{"Width":100,"Height":30}\n'))
    writer.write(session.data(3, b"", finished=True))
    await client.outputs()
    assert agent.sizes == [(80, 24), (100, 30)]


async def test_port_forward_over_spdy(gateway: Any, agent: Agent) -> None:
    client = await SpdyClient.connect(gateway, f"{POD}/portforward", "portforward.k8s.io")
    session, writer = client.session, client.writer
    for number, port in enumerate(("80", "81")):
        pair = {"port": port, "requestid": str(number)}
        writer.write(session.open(4 * number + 1, {"streamtype": "error", **pair}))
        writer.write(session.open(4 * number + 3, {"streamtype": "data", **pair}))
    writer.write(session.data(3, b"ping", finished=True))
    found: dict[int, bytes] = {}
    ended: set[int] = set()
    async with asyncio.timeout(5):
        while ended != {1, 3, 5, 7}:
            for event in session.receive(await client.reader.read(65536)):
                if isinstance(event, Data):
                    found[event.stream] = found.get(event.stream, b"") + event.data
                    ended |= {event.stream} if event.finished else set()
    assert (found[3], found[1]) == (b"ping", b"")
    assert found[5] == b"an error occurred forwarding 81: connection refused"
    writer.close()


async def test_exec_needs_the_right_to_create(gateway: Any, agent: Agent) -> None:
    async with gateway.client("bob") as bob, bob.post(exec_url(stdout=1)) as response:
        assert response.status == 403
        assert 'cannot create resource "pods/exec"' in (await response.json())["message"]


async def read(ws: aiohttp.ClientWebSocketResponse, session: Session, count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += session.receive(await ws.receive_bytes())
    return found


async def test_tunnelled_port_forward(gateway: Any, agent: Agent) -> None:
    session = Session()
    async with gateway.admin.ws_connect(f"{POD}/portforward", protocols=(channels.TUNNEL,)) as ws:
        assert ws.protocol == channels.TUNNEL
        pair = {"port": "80", "requestid": "0"}
        await ws.send_bytes(session.open(1, {"streamtype": "error", **pair}))
        await ws.send_bytes(session.data(1, b"", finished=True) + session.open(3, {"streamtype": "data", **pair}))
        await ws.send_bytes(session.data(3, b"ping") + session.data(3, b"pong", finished=True))
        found = await read(ws, session, 4)
        assert b"".join(event.data for event in found if event.stream == 3) == b"pingpong"
        assert {event.stream for event in found if event.finished} == {1, 3}
        refused = {"port": "81", "requestid": "1"}
        await ws.send_bytes(session.open(5, {"streamtype": "error", **refused}))
        await ws.send_bytes(session.open(7, {"streamtype": "data", **refused}))
        found = await read(ws, session, 2)
        assert found == [
            Data(5, b"an error occurred forwarding 81: connection refused", True),
            Data(7, b"", True),
        ]
        await ws.send_bytes(session.ping(9))
        assert (await read(ws, session, 1))[0].id == 9


async def test_a_connection_that_is_over_holds_up_no_other(gateway: Any, agent: Agent) -> None:
    session = Session()
    async with gateway.admin.ws_connect(f"{POD}/portforward", protocols=(channels.TUNNEL,)) as ws:
        pair = {"port": "82", "requestid": "0"}
        await ws.send_bytes(session.open(1, {"streamtype": "error", **pair}))
        await ws.send_bytes(session.open(3, {"streamtype": "data", **pair}))
        for _ in range(200):
            await ws.send_bytes(session.data(3, b"x"))
        await ws.send_bytes(session.ping(5))
        found = await read(ws, session, 4)
        assert {type(event).__name__ for event in found} == {"Data", "Pinged"}


async def test_classic_port_forward(gateway: Any, agent: Agent) -> None:
    async with gateway.admin.ws_connect(f"{POD}/portforward?ports=80&ports=81", protocols=(channels.V4,)) as ws:
        greetings = {await ws.receive_bytes() for _ in range(5)}
        assert {b"\x00\x50\x00", b"\x01\x50\x00", b"\x02\x51\x00", b"\x03\x51\x00"} < greetings
        assert b"\x03connection refused" in greetings
        await ws.send_bytes(b"\x00ping")
        assert await ws.receive_bytes() == b"\x00ping"
