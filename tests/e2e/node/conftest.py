"""A node agent on a private containerd, with the object API in memory: real containers, nothing else needed."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
import pytest_asyncio

from kybern.client.objects import Client
from kybern.clock import SystemClock
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.node.agent import NodeAgent
from kybern.node.builder import NodeOptions, Shared, build_agent
from kybern.node.cri.client import Runtime
from kybern.node.metrics import Metrics
from kybern.node.network import PodNetwork
from kybern.node.pod_source import PodSource
from kybern.node.server import NodeAgentService
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.protos.node.v1 import node_pb2
from kybern.protos.node.v1.node_pb2_grpc import NodeAgentStub, add_NodeAgentServicer_to_server
from kybern.rpc.memory import MemoryNetwork, MemoryTransport
from kybern.rpc.transport import Identity, Policy
from kybern.runtime import containerd, containerd_cleanup, images
from kybern.telemetry import Telemetry
from kybern.testing.objects import FakeObjects

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))  # tests may run side by side
BRIDGE, CIDR, CGROUP = f"kybtest{WORKER}", f"10.244.{200 + WORKER}.0/24", f"/kybern-test/{WORKER}"
PODS = ("", "pods")
IMAGE = "kybern/busybox:1"
CONTAINERD_2 = Path(__file__).resolve().parents[3] / "build" / "tools" / "containerd-2"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Everything on a node runs on both containerds."""
    if "containerd_on_path" in metafunc.fixturenames:
        metafunc.parametrize("containerd_on_path", ["containerd", "containerd 2"], indirect=True, scope="session")


class Api(FakeObjects):
    """The object API with what node agents need: tokens, graceful deletion of pods."""

    def _create(self, request: pb.CreateRequest, traceparent: str) -> pb.CreateResponse:
        if request.resource.subresource == "token":
            status = {"token": f"token-{self.revision}", "expirationTimestamp": "2100-01-01T00:00:00Z"}
            return pb.CreateResponse(object=orjson.dumps({"status": status}))
        return super()._create(request, traceparent)

    def _write(self, collection: Any, known: Object, obj: Object, subresource: str, traceparent: str) -> Object:
        if collection == PODS and meta.is_deleting(known) and subresource == "status":
            return self.put(collection, {**known, "status": obj["status"]}, traceparent)  # it stays until it is deleted
        return super()._write(collection, known, obj, subresource, traceparent)

    def _delete_one(self, collection: Any, known: Object, options: Object, trace: str) -> pb.DeleteResponse:
        grace = options.get("gracePeriodSeconds", known.get("spec", {}).get("terminationGracePeriodSeconds", 30))
        if collection != PODS or grace == 0:
            return super()._delete_one(collection, known, options, trace)
        extra = {"deletionTimestamp": meta.format_time(self.now()), "deletionGracePeriodSeconds": grace}
        written = self.put(collection, {**known, "metadata": {**known["metadata"], **extra}}, trace)
        return pb.DeleteResponse(object=orjson.dumps(written))


class World:
    """One node, and what a test does to it."""

    def __init__(self, layout: containerd.Layout, state: Path) -> None:
        self.layout, self.state, self.cidr = layout, state, CIDR
        self.manifests = state / "manifests"
        self.api = Api(lambda: datetime.now(UTC))
        self.network = MemoryNetwork(Random(1))
        self.runtime = Runtime.connect(layout.endpoint)
        self.agent: NodeAgent
        self._running: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        transport = MemoryTransport(self.network, Identity("server"), Telemetry("server"))
        server = transport.server("apiserver:1", Policy({"/kybern.api.v1.Objects/": frozenset({"agent"})}))
        self.api.serve(server)
        await server.start()
        spec = {"podCIDR": CIDR, "podCIDRs": [CIDR]}
        self.api.put(("", "nodes"), {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "spec": spec})

    async def start(self) -> None:
        """Start an agent (again): nothing of an earlier one's memory is left."""
        self._running = asyncio.create_task(self._run())
        async with asyncio.timeout(20):
            while not hasattr(self, "agent"):
                await asyncio.sleep(0.01)
            await self.agent.registration.ready.wait()

    async def _run(self) -> None:
        telemetry = Telemetry("node")
        transport = MemoryTransport(self.network, Identity("agent"), telemetry)
        async with Client(transport.channel("apiserver:1", "apiserver.kybern")) as client:
            shared = Shared(
                client,
                SystemClock(),
                Random(2),
                telemetry,
                lambda: self.api.all(("", "services")),
                Metrics(telemetry.registry),
            )
            options = NodeOptions(
                "node-1",
                self.state,
                PodNetwork(self.layout.cni_conf_dir, BRIDGE),
                CGROUP,
                ("10.96.0.10",),
                manifests=self.manifests,
            )
            self.agent = build_agent(options, self.runtime, shared)
            source = PodSource(client, {"node-1": self.agent}, Random(3), telemetry)
            server = transport.server("node-1:1", Policy({"/kybern.node.v1.NodeAgent/": frozenset({"gateway"})}))
            add_NodeAgentServicer_to_server(NodeAgentService({"node-1": self.agent}), server)
            await server.start()
            calling = MemoryTransport(self.network, Identity("gateway"), Telemetry("gateway"))
            channel: Any = calling.channel("node-1:1", "node-1.node.kybern")
            self.stub: Any = NodeAgentStub(channel)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self.agent.run())
                    await self.agent.started.wait()
                    tasks.create_task(source.run())
            finally:
                await calling.close()
                await server.stop(None)

    async def stop(self) -> None:
        """Stop the agent; containers run on."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
            if not self._running.cancelled() and (error := self._running.exception()):
                raise error
            del self.agent

    def run_pod(self, name: str, *containers: Object, **spec: Any) -> Object:
        """Create a pod bound to the node."""
        spec = {"nodeName": "node-1", "restartPolicy": "Always", "terminationGracePeriodSeconds": 1, **spec}
        named = [{"name": f"c{i}", "image": IMAGE, **container} for i, container in enumerate(containers)]
        metadata = {"name": name, "namespace": "default"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**spec, "containers": named}}
        return self.api.put(PODS, pod)

    def pod(self, name: str) -> Object:
        """The pod as the API has it now; empty when there is none."""
        return self.api.get(PODS, f"default/{name}") or {}

    def delete(self, name: str, grace: int | None = None) -> None:
        options = {} if grace is None else {"gracePeriodSeconds": grace}
        self.api._delete_one(PODS, self.pod(name), options, "")

    async def until(self, name: str, condition: Callable[[Object], Any], seconds: float = 20) -> Object:
        """Wait until the pod is so."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    pod = self.pod(name)
                    if condition(pod):
                        return pod
                    await asyncio.sleep(0.01)
        except TimeoutError:
            events = [(e["reason"], e["message"]) for e in self.api.all(("", "events"))]
            raise AssertionError(f"pod is {self.pod(name)}, events {events}") from None

    async def until_gone(self, name: str, seconds: float = 20) -> None:
        await self.until(name, lambda pod: not pod, seconds)

    async def exec(self, name: str, *command: str, container: str = "c0") -> str:
        worker = self.agent.find("default", name)
        assert worker is not None
        found = worker.runtime.latest(container)
        assert found is not None
        done = await self.runtime.exec_sync(found.id, list(command), 10)
        return (done.stdout + done.stderr).decode()

    def ref(self, name: str, container: str = "") -> node_pb2.ContainerRef:
        return node_pb2.ContainerRef(node_name="node-1", namespace="default", pod=name, container=container)

    async def logs(self, name: str, **options: Any) -> str:
        request = node_pb2.LogsRequest(**{"container": self.ref(name), **options})
        return b"".join([answer.data async for answer in self.stub.Logs(request, timeout=20)]).decode()


def is_phase(phase: str) -> Callable[[Object], bool]:
    return lambda pod: pod.get("status", {}).get("phase") == phase


def is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def first(pod: Object) -> Object:
    """The status of the first container."""
    found: Object = pod.get("status", {}).get("containerStatuses", [{}])[0]
    return found


@pytest.fixture(scope="session")
def containerd_on_path(request: pytest.FixtureRequest) -> Iterator[None]:
    """The host's containerd, or the one that tests/conformance/build.sh builds."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "containerd 2":
            if not (CONTAINERD_2 / "containerd").exists():
                pytest.skip("tests/conformance/build.sh has not built containerd 2")
            patch.setenv("PATH", f"{CONTAINERD_2}:{os.environ['PATH']}")
        yield


@pytest.fixture(scope="session")
def node_machine(containerd_on_path: None) -> Iterator[tuple[containerd.Layout, Path]]:
    """A containerd with its images, in a short temporary directory."""
    if os.geteuid() != 0 or not shutil.which("containerd"):
        pytest.skip("needs root and containerd")
    folder = Path(tempfile.mkdtemp(prefix="kn"))
    layout = containerd.Layout(folder / "c")
    process = containerd.start(layout)
    images.import_archives(str(layout.socket), images.write_archives(folder / "images"))
    try:
        yield layout, folder / "state"
    finally:
        left = containerd_cleanup.cleanup(layout, cgroup_root=CGROUP, bridge=BRIDGE, pods_dir=folder / "state")
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
        assert left == []


@pytest_asyncio.fixture
async def world(node_machine: tuple[containerd.Layout, Path]) -> AsyncIterator[World]:
    """A fresh API and agent on the machine's containerd."""
    world = World(*node_machine)
    await world.serve()
    await world.start()
    yield world
    for pod in world.api.all(PODS):
        world.delete(pod["metadata"]["name"], 0)
    async with asyncio.timeout(30):
        while world.agent.workers:
            await asyncio.sleep(0.02)
    await world.stop()
    await world.runtime.close()
