"""A container runtime in memory, behind CRI's messages: nodes without machines, in real or virtual time.

What containers do is said by their image and their pod's annotations:

    image `simulated/exit:3`            ends with exit code 3
    image `simulated/missing`           cannot be pulled
    simulated.kybern.io/run-seconds     how long such a container runs (1)
    simulated.kybern.io/exit-code       every container of the pod ends with this code
    simulated.kybern.io/start-seconds   how long a sandbox takes to start (0)
    simulated.kybern.io/pull-seconds    how long a pull takes (0)
    simulated.kybern.io/log             what a container writes as it starts

A container stops at once when asked to. Every other image runs until then.
"""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from typing import Any

from grpc import StatusCode

from kybern.clock import Clock
from kybern.kube.meta import format_micro_time
from kybern.node.core.images import normalize
from kybern.node.core.log_format import format_line
from kybern.node.cri.client import ExecResult, Runtime
from kybern.node.cri.direct_stub import DirectStub
from kybern.node.cri.simulated_state import (
    ANNOTATION,
    SimulatedContainer,
    SimulatedSandbox,
    container_status,
    exit_code,
    failure,
    image,
    sandbox_status,
)
from kybern.protos.runtime.v1 import api_pb2 as cri

MISSING_IMAGE = "docker.io/simulated/missing"
UNMOUNTABLE_IMAGE = "docker.io/simulated/unmountable"  # as a volume


class SimulatedRuntime:
    """RuntimeService and ImageService of one node that is not there. Methods are CRI's; each takes its request."""

    def __init__(self, clock: Clock, node_name: str, pod_cidr: str = "10.244.0.0/24") -> None:
        self._clock, self._node = clock, node_name
        self._network = IPv4Network(pod_cidr)
        self._next_address = 1
        self._count = 0
        self.sandboxes: dict[str, SimulatedSandbox] = {}
        self.containers: dict[str, SimulatedContainer] = {}
        self.images: set[str] = set()
        self._listeners: list[asyncio.Queue[cri.ContainerEventResponse]] = []

    def set_pod_cidr(self, pod_cidr: str) -> None:
        """Addresses of further sandboxes come from here."""
        network = IPv4Network(pod_cidr)
        if network != self._network:
            self._network, self._next_address = network, 1

    # what the node agent asks beyond CRI

    def log_lines(self, container: str) -> list[bytes]:
        found = self.containers.get(container)
        return list(found.log) if found else []

    def run_command(self, container: str, command: list[str]) -> ExecResult:
        """Echo and exit are understood; everything else succeeds and says nothing."""
        if command[:1] == ["echo"]:
            return ExecResult(0, (" ".join(command[1:]) + "\n").encode(), b"")
        if command[:1] == ["hostname"]:
            sandbox = self.sandboxes.get(self.containers[container].sandbox)
            return ExecResult(0, f"{sandbox.config.hostname if sandbox else ''}\n".encode(), b"")
        code = {"false": 1}.get(command[0], 0) if command else 0
        return ExecResult(code, b"", b"")

    # RuntimeService

    async def Version(self, request: cri.VersionRequest) -> cri.VersionResponse:
        return cri.VersionResponse(
            version="0.1.0", runtime_name="simulated", runtime_version="1.0.0", runtime_api_version="v1"
        )

    async def Status(self, request: cri.StatusRequest) -> cri.StatusResponse:
        conditions = [cri.RuntimeCondition(type=type_, status=True) for type_ in ("RuntimeReady", "NetworkReady")]
        return cri.StatusResponse(status=cri.RuntimeStatus(conditions=conditions))

    async def RunPodSandbox(self, request: cri.RunPodSandboxRequest) -> cri.RunPodSandboxResponse:
        await self._delay(request.config, "start-seconds")
        id_ = self._id("sandbox")
        host = request.config.linux.security_context.namespace_options.network == cri.NODE
        self.sandboxes[id_] = SimulatedSandbox(id_, request.config, self._now(), "" if host else self._address())
        self._tell(id_, id_, cri.CONTAINER_STARTED_EVENT)
        return cri.RunPodSandboxResponse(pod_sandbox_id=id_)

    async def StopPodSandbox(self, request: cri.StopPodSandboxRequest) -> cri.StopPodSandboxResponse:
        sandbox = self._sandbox(request.pod_sandbox_id)
        for container in [c for c in self.containers.values() if c.sandbox == sandbox.id]:
            self._finish(container, 137)
        if sandbox.ready:
            sandbox.ready = False
            self._tell(sandbox.id, sandbox.id, cri.CONTAINER_STOPPED_EVENT)
        return cri.StopPodSandboxResponse()

    async def RemovePodSandbox(self, request: cri.RemovePodSandboxRequest) -> cri.RemovePodSandboxResponse:
        sandbox = self._sandbox(request.pod_sandbox_id)
        for container in [c for c in self.containers.values() if c.sandbox == sandbox.id]:
            self._finish(container, 137)
            del self.containers[container.id]
        self._tell(sandbox.id, sandbox.id, cri.CONTAINER_DELETED_EVENT)
        del self.sandboxes[sandbox.id]
        return cri.RemovePodSandboxResponse()

    async def PodSandboxStatus(self, request: cri.PodSandboxStatusRequest) -> cri.PodSandboxStatusResponse:
        return cri.PodSandboxStatusResponse(status=sandbox_status(self._sandbox(request.pod_sandbox_id)))

    async def ListPodSandbox(self, request: cri.ListPodSandboxRequest) -> cri.ListPodSandboxResponse:
        wanted = request.filter.label_selector
        items = [
            cri.PodSandbox(
                id=one.id,
                metadata=one.config.metadata,
                state=cri.SANDBOX_READY if one.ready else cri.SANDBOX_NOTREADY,
                created_at=one.created_at,
                labels=one.config.labels,
            )
            for one in self.sandboxes.values()
            if all(one.config.labels.get(key) == value for key, value in wanted.items())
        ]
        return cri.ListPodSandboxResponse(items=items)

    async def CreateContainer(self, request: cri.CreateContainerRequest) -> cri.CreateContainerResponse:
        self._sandbox(request.pod_sandbox_id)
        for mount in request.config.mounts:
            if mount.image.image.startswith(UNMOUNTABLE_IMAGE):
                raise failure(StatusCode.UNKNOWN, f"ImageVolumeMountFailed: cannot mount {mount.image.image}")
        id_ = self._id("container")
        self.containers[id_] = SimulatedContainer(id_, request.pod_sandbox_id, request.config, self._now())
        return cri.CreateContainerResponse(container_id=id_)

    async def StartContainer(self, request: cri.StartContainerRequest) -> cri.StartContainerResponse:
        container = self._container(request.container_id)
        container.state, container.started_at = cri.CONTAINER_RUNNING, self._now()
        sandbox = self._sandbox(container.sandbox)
        text = sandbox.config.annotations.get(f"{ANNOTATION}log") or f"{container.config.metadata.name} started"
        stamp = format_micro_time(self._clock.now())
        container.log += [format_line(stamp, "stdout", line) for line in text.splitlines()]
        code = exit_code(sandbox.config, container.config)
        if code is not None:
            seconds = float(sandbox.config.annotations.get(f"{ANNOTATION}run-seconds") or 1)
            container.end = asyncio.get_running_loop().call_later(seconds, self._finish, container, code)
        self._tell(sandbox.id, container.id, cri.CONTAINER_STARTED_EVENT)
        return cri.StartContainerResponse()

    async def UpdateContainerResources(
        self, request: cri.UpdateContainerResourcesRequest
    ) -> cri.UpdateContainerResourcesResponse:
        container = self._container(request.container_id)
        if why := self._sandbox(container.sandbox).config.annotations.get(f"{ANNOTATION}resize-error"):
            raise failure(StatusCode.UNKNOWN, why)
        container.config.linux.resources.MergeFrom(request.linux)
        return cri.UpdateContainerResourcesResponse()

    async def StopContainer(self, request: cri.StopContainerRequest) -> cri.StopContainerResponse:
        self._finish(self._container(request.container_id), 143 if request.timeout else 137)
        return cri.StopContainerResponse()

    async def RemoveContainer(self, request: cri.RemoveContainerRequest) -> cri.RemoveContainerResponse:
        container = self._container(request.container_id)
        self._finish(container, 137)
        del self.containers[container.id]
        return cri.RemoveContainerResponse()

    async def ListContainers(self, request: cri.ListContainersRequest) -> cri.ListContainersResponse:
        wanted = request.filter.label_selector
        found = [
            cri.Container(
                id=one.id,
                pod_sandbox_id=one.sandbox,
                metadata=one.config.metadata,
                image=one.config.image,
                image_ref=one.config.image.image,
                state=one.state,  # type: ignore[arg-type]  # an int is what messages hold
                created_at=one.created_at,
                labels=one.config.labels,
            )
            for one in self.containers.values()
            if all(one.config.labels.get(key) == value for key, value in wanted.items())
        ]
        return cri.ListContainersResponse(containers=found)

    async def ContainerStatus(self, request: cri.ContainerStatusRequest) -> cri.ContainerStatusResponse:
        return cri.ContainerStatusResponse(status=container_status(self._container(request.container_id)))

    async def ExecSync(self, request: cri.ExecSyncRequest) -> cri.ExecSyncResponse:
        done = self.run_command(self._container(request.container_id).id, list(request.cmd))
        return cri.ExecSyncResponse(stdout=done.stdout, stderr=done.stderr, exit_code=done.exit_code)

    async def ListContainerStats(self, request: cri.ListContainerStatsRequest) -> cri.ListContainerStatsResponse:
        now = self._now()
        stats = []
        for one in (c for c in self.containers.values() if c.state == cri.CONTAINER_RUNNING):
            stat = cri.ContainerStats()
            stat.attributes.id = one.id
            stat.attributes.labels.update(one.config.labels)
            stat.cpu.timestamp = stat.memory.timestamp = now
            stat.cpu.usage_core_nano_seconds.value = (now - one.started_at) // 100
            stat.memory.working_set_bytes.value = 10 << 20
            stats.append(stat)
        return cri.ListContainerStatsResponse(stats=stats)

    async def GetContainerEvents(self, request: cri.GetEventsRequest) -> AsyncIterator[cri.ContainerEventResponse]:
        queue: asyncio.Queue[cri.ContainerEventResponse] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    # ImageService

    async def ImageStatus(self, request: cri.ImageStatusRequest) -> cri.ImageStatusResponse:
        name = normalize(request.image.image)
        return cri.ImageStatusResponse(image=image(name) if name in self.images else None)

    async def PullImage(self, request: cri.PullImageRequest) -> cri.PullImageResponse:
        name = normalize(request.image.image)
        await self._delay(request.sandbox_config, "pull-seconds")
        if name.startswith(MISSING_IMAGE):
            raise failure(StatusCode.NOT_FOUND, f'failed to resolve reference "{name}": not found')
        self.images.add(name)
        return cri.PullImageResponse(image_ref=name)

    async def ListImages(self, request: cri.ListImagesRequest) -> cri.ListImagesResponse:
        return cri.ListImagesResponse(images=[image(name) for name in sorted(self.images)])

    async def RemoveImage(self, request: cri.RemoveImageRequest) -> cri.RemoveImageResponse:
        self.images.discard(normalize(request.image.image))
        return cri.RemoveImageResponse()

    async def ImageFsInfo(self, request: cri.ImageFsInfoRequest) -> cri.ImageFsInfoResponse:
        return cri.ImageFsInfoResponse()

    # state

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000) * 1000

    def _id(self, kind: str) -> str:
        self._count += 1
        return f"{self._node}-{kind}-{self._count:06d}"

    def _address(self) -> str:
        self._next_address += 1
        return str(self._network[self._next_address % (self._network.num_addresses - 2) + 1])

    async def _delay(self, config: cri.PodSandboxConfig, what: str) -> None:
        seconds = float(config.annotations.get(ANNOTATION + what) or 0)
        if seconds:
            await asyncio.sleep(seconds)

    def _sandbox(self, id_: str) -> SimulatedSandbox:
        if id_ not in self.sandboxes:
            raise failure(StatusCode.NOT_FOUND, f'an error occurred when try to find sandbox "{id_}": not found')
        return self.sandboxes[id_]

    def _container(self, id_: str) -> SimulatedContainer:
        if id_ not in self.containers:
            raise failure(StatusCode.NOT_FOUND, f'an error occurred when try to find container "{id_}": not found')
        return self.containers[id_]

    def _finish(self, container: SimulatedContainer, code: int) -> None:
        if container.end is not None:
            container.end.cancel()
        if container.state == cri.CONTAINER_EXITED:
            return
        container.state, container.exit_code, container.finished_at = cri.CONTAINER_EXITED, code, self._now()
        self._tell(container.sandbox, container.id, cri.CONTAINER_STOPPED_EVENT)

    def _tell(self, sandbox: str, id_: str, kind: Any) -> None:
        event = cri.ContainerEventResponse(container_id=id_, container_event_type=kind, created_at=self._now())
        if sandbox in self.sandboxes:
            event.pod_sandbox_status.CopyFrom(sandbox_status(self.sandboxes[sandbox]))
        for queue in self._listeners:
            queue.put_nowait(event)


def connect(runtime: SimulatedRuntime) -> Runtime:
    """A client of a runtime in this process."""
    stub = DirectStub(runtime)
    found = Runtime(stub, stub)
    found.simulated = runtime
    return found
