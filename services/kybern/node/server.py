"""The NodeAgent contract: logs, exec, attach, port-forward and statistics of the pods on this process's nodes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from kybern.kube import meta, status
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.node import http_api, port_forward
from kybern.node.agent import NodeAgent
from kybern.node.core.log_format import Filter, select
from kybern.node.core.pod_status import STATUS_LISTS
from kybern.node.core.runtime_pod import Container, State
from kybern.node.cri.client import CriError
from kybern.node.log_reader import read_log
from kybern.node.pod_worker import PodWorker
from kybern.node.streaming import ERROR, RESIZE, STDERR, STDIN, STDOUT, Stream, exit_status
from kybern.node.summary import summarize
from kybern.protos.node.v1 import node_pb2 as pb
from kybern.protos.node.v1.node_pb2_grpc import NodeAgentServicer
from kybern.protos.runtime.v1 import api_pb2 as cri

STREAMS = {"Stdout": "stdout", "Stderr": "stderr"}
CHUNK = 32 * 1024


class NodeAgentService(NodeAgentServicer):
    """Answers for every node of this process."""

    def __init__(self, agents: Mapping[str, NodeAgent]) -> None:
        self._agents = agents

    def _worker(self, ref: pb.ContainerRef) -> tuple[NodeAgent, PodWorker]:
        agent = self._agents.get(ref.node_name)
        if agent is None:
            raise status.not_found("", "nodes", ref.node_name)
        worker = agent.find(ref.namespace, ref.pod, ref.uid)
        if worker is None:
            raise status.not_found("", "pods", ref.pod)
        return agent, worker

    def _running(self, ref: pb.ContainerRef) -> tuple[NodeAgent, Container]:
        """A container that runs now. Raises StatusError."""
        agent, worker = self._worker(ref)
        found = worker.runtime.latest(ref.container or default_container(worker.pod))
        if found is None or found.state is not State.RUNNING:
            name = ref.container or default_container(worker.pod)
            where = f"{ref.pod}_{ref.namespace}"
            raise status.status_error(404, "NotFound", f'container not found ("{name}") in pod "{where}"')
        return agent, found

    async def Logs(self, request: pb.LogsRequest, context: Any) -> AsyncIterator[pb.LogsResponse]:
        agent, worker = self._worker(request.container)
        name = request.container.container or default_container(worker.pod)
        container = log_container(worker, name, request.previous)
        since = meta.parse_time(request.since_time)
        if request.HasField("since_seconds"):
            since = agent.node.clock.now() - timedelta(seconds=request.since_seconds)
        rule = Filter(since, STREAMS.get(request.stream, ""), request.timestamps)
        tail = request.tail_lines if request.HasField("tail_lines") else None
        limit = request.limit_bytes if request.HasField("limit_bytes") else None
        simulated = agent.node.runtime.simulated
        if simulated is not None:
            lines = simulated.log_lines(container.id)
            chosen = select(lines, rule, tail)
            yield pb.LogsResponse(data=b"".join(chosen)[:limit])
            return

        def running() -> bool:
            latest = next((c for c in worker.runtime.containers if c.id == container.id), None)
            return not worker.finished and latest is not None and latest.state is State.RUNNING

        path = Path(container.log_path)
        try:
            async for data in read_log(path, rule, tail=tail, limit=limit, follow=request.follow, running=running):
                yield pb.LogsResponse(data=data)
        except FileNotFoundError:
            raise status.internal(f"the log of container {name} is gone: {path.name}") from None

    async def Exec(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.ExecResponse]:
        first = await anext(aiter(request_iterator))
        start = first.start
        agent, container = self._running(start.container)
        if (simulated := agent.node.runtime.simulated) is not None:
            done = simulated.run_command(container.id, list(start.command))
            yield pb.ExecResponse(stdout=done.stdout)
            yield pb.ExecResponse(status=orjson.dumps(exit_status(done.exit_code)))
            return
        asked = cri.ExecRequest(
            container_id=container.id,
            cmd=list(start.command),
            tty=start.tty,
            stdin=start.stdin,
            stdout=start.stdout or not start.stderr,
            stderr=start.stderr and not start.tty,
        )
        stream = await open_stream(agent.node.runtime.exec(asked), asked)
        async for channel, data in relay(stream, request_iterator):
            yield pb.ExecResponse(**{channel: data})

    async def Attach(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.AttachResponse]:
        first = await anext(aiter(request_iterator))
        start = first.start
        agent, container = self._running(start.container)
        if agent.node.runtime.simulated is not None:
            raise status.bad_request("simulated containers have no streams to attach to")
        asked = cri.AttachRequest(
            container_id=container.id,
            tty=start.tty,
            stdin=start.stdin,
            stdout=start.stdout or not start.stderr,
            stderr=start.stderr and not start.tty,
        )
        stream = await open_stream(agent.node.runtime.attach(asked), asked)
        async for channel, data in relay(stream, request_iterator):
            yield pb.AttachResponse(**{channel: data})

    async def PortForward(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.PortForwardResponse]:
        requests = aiter(request_iterator)
        start = (await anext(requests)).start
        agent, worker = self._worker(start.container)
        sandbox = worker.runtime.ready_sandbox
        if sandbox is None:
            raise status.bad_request(f'pod "{start.container.pod}" is not running')
        address = sandbox.ips[0] if sandbox.ips else "127.0.0.1"
        try:
            pid = await agent.node.runtime.sandbox_pid(sandbox.id)
            reader, writer = await port_forward.connect(pid, start.port, address)
        except (CriError, OSError, TimeoutError) as error:
            why = f"error forwarding port {start.port} to pod {start.container.pod}: {error or 'timed out'}"
            yield pb.PortForwardResponse(error=why)
            return
        sender = asyncio.ensure_future(pump(requests, writer))
        try:
            while data := await reader.read(CHUNK):
                yield pb.PortForwardResponse(data=data)
        except OSError as error:
            yield pb.PortForwardResponse(error=str(error))
        finally:
            sender.cancel()
            writer.close()

    async def GetStats(self, request: pb.GetStatsRequest, context: Any) -> pb.GetStatsResponse:
        agent = self._agents.get(request.node_name)
        if agent is None:
            raise status.not_found("", "nodes", request.node_name)
        return pb.GetStatsResponse(summary=orjson.dumps(await summarize(agent)))

    async def Serve(self, request: pb.ServeRequest, context: Any) -> AsyncIterator[pb.ServeResponse]:
        agent = self._agents.get(request.node_name)
        if agent is None:
            raise status.not_found("", "nodes", request.node_name)
        async for part in http_api.serve(self, agent, request):
            yield part


async def pump(requests: AsyncIterator[pb.PortForwardRequest], writer: asyncio.StreamWriter) -> None:
    """The client's bytes into the pod; its end half-closes the connection."""
    with suppress(OSError):
        async for request in requests:
            writer.write(request.data)
            await writer.drain()
        writer.write_eof()


async def open_stream(url: Awaitable[str], asked: cri.ExecRequest | cri.AttachRequest) -> Stream:
    """Ask the runtime for a stream and connect to it. Raises StatusError."""
    wanted = ((STDIN, asked.stdin), (STDOUT, asked.stdout), (STDERR, asked.stderr), (RESIZE, asked.tty))
    try:
        return await Stream.open(await url, [channel for channel, on in wanted if on])
    except CriError as error:
        raise status.internal(f"error executing command in container: {error.details}") from None


NAMES = {STDOUT: "stdout", STDERR: "stderr", ERROR: "status"}


async def relay(stream: Stream, requests: Any) -> AsyncIterator[tuple[str, bytes]]:
    """Both directions of an exec or attach: (field of the response, data); the Status comes last."""

    async def send() -> None:
        async for request in requests:
            if request.HasField("stdin"):
                await stream.send(STDIN, request.stdin)
            elif request.HasField("resize"):
                await stream.resize(request.resize.width, request.resize.height)
            elif request.HasField("close_stdin"):
                await stream.close_stdin()

    sender = asyncio.ensure_future(send())
    final = b""
    try:
        async for channel, data in stream.messages():
            if channel == ERROR:
                final += data
            elif channel in NAMES:
                yield NAMES[channel], data
        yield "status", final or orjson.dumps(exit_status(0))
    finally:
        sender.cancel()
        with suppress(asyncio.CancelledError, StatusError, OSError):
            await sender
        await stream.close()


def default_container(pod: Object) -> str:
    """kubectl's default: the annotated container, else the first."""
    names = [c["name"] for c in pod["spec"]["containers"]]
    annotated = meta.annotations(pod).get("kubectl.kubernetes.io/default-container", "")
    return annotated if annotated in names else str(names[0])


def log_container(worker: PodWorker, name: str, previous: bool) -> Container:
    """The container whose log is meant. Raises StatusError, in upstream's words."""
    pod = worker.pod
    latest = worker.runtime.latest(name)
    if previous:
        found = worker.runtime.previous(name)
        if found is None:
            raise status.bad_request(f'previous terminated container "{name}" in pod "{meta.name(pod)}" not found')
        return found
    if latest is None or latest.state is State.CREATED:
        old = worker.runtime.previous(name)
        if old is not None:
            return old
        statuses = [s for key in STATUS_LISTS for s in (worker.status or {}).get(key) or [] if s["name"] == name]
        reason = next(
            (s["state"]["waiting"]["reason"] for s in statuses if "waiting" in s["state"]), "ContainerCreating"
        )
        raise status.bad_request(f'container "{name}" in pod "{meta.name(pod)}" is waiting to start: {reason}')
    return latest
