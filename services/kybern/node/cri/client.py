"""CRI: thin typed calls on a container runtime, each with a deadline.

The stubs are either grpc.aio's (a runtime behind a Unix socket; the channel reconnects by itself) or those of a runtime
in this process (`simulated`). A failed call raises CriError; what a caller asks to stop or remove and is gone already
is no error.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc

from kybern.protos.runtime.v1 import api_pb2 as cri
from kybern.protos.runtime.v1.api_pb2_grpc import ImageServiceStub, RuntimeServiceStub

SHORT = 10.0  # seconds: lists and statuses
LONG = 120.0  # sandboxes and containers, on a busy machine
PULL = 1800.0
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
]


class CriError(Exception):
    """The runtime refused a call or did not answer."""

    def __init__(self, method: str, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"rpc error: code = {code_name(code)} desc = {details}")
        self.method, self.code, self.details = method, code, details


def code_name(code: grpc.StatusCode) -> str:
    """A gRPC code as runtimes print it: DeadlineExceeded."""
    return "".join(word.capitalize() for word in code.name.split("_"))


@dataclass(frozen=True)
class ExecResult:
    """What a command run to its end in a container said."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Runtime:
    """RuntimeService and ImageService of one container runtime."""

    def __init__(self, runtime: Any, images: Any, channel: Any = None) -> None:
        self._runtime, self._images, self._channel = runtime, images, channel
        self.simulated: Any = None  # the SimulatedRuntime behind it, if it is one

    @classmethod
    def connect(cls, endpoint: str) -> "Runtime":
        """A runtime behind `unix:///path`; nothing is sent yet."""
        path = endpoint.removeprefix("unix://").removeprefix("unix:")
        channel = grpc.aio.insecure_channel(f"unix:{path}", options=CHANNEL_OPTIONS)
        return cls(RuntimeServiceStub(channel), ImageServiceStub(channel), channel)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

    async def _call(self, method: str, request: Any, timeout: float, *, images: bool = False) -> Any:
        stub = self._images if images else self._runtime
        try:
            return await getattr(stub, method)(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise CriError(method, error.code(), error.details() or "") from None

    async def _remove(self, method: str, request: Any, timeout: float, *, images: bool = False) -> None:
        try:
            await self._call(method, request, timeout, images=images)
        except CriError as error:
            if error.code != grpc.StatusCode.NOT_FOUND:
                raise

    async def version(self) -> cri.VersionResponse:
        found: cri.VersionResponse = await self._call("Version", cri.VersionRequest(), SHORT)
        return found

    async def status(self) -> cri.RuntimeStatus:
        found: cri.StatusResponse = await self._call("Status", cri.StatusRequest(), SHORT)
        return found.status

    async def run_pod_sandbox(self, config: cri.PodSandboxConfig, handler: str = "") -> str:
        """Create and start a sandbox with its network; its id."""
        request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
        return str((await self._call("RunPodSandbox", request, LONG)).pod_sandbox_id)

    async def stop_pod_sandbox(self, sandbox: str) -> None:
        await self._remove("StopPodSandbox", cri.StopPodSandboxRequest(pod_sandbox_id=sandbox), LONG)

    async def remove_pod_sandbox(self, sandbox: str) -> None:
        await self._remove("RemovePodSandbox", cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox), LONG)

    async def pod_sandbox_status(self, sandbox: str) -> cri.PodSandboxStatus:
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox)
        found: cri.PodSandboxStatusResponse = await self._call("PodSandboxStatus", request, SHORT)
        return found.status

    async def sandbox_pid(self, sandbox: str) -> int:
        """A process in the sandbox's namespaces; 0 when the runtime does not tell."""
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox, verbose=True)
        info = (await self._call("PodSandboxStatus", request, SHORT)).info
        return int(json.loads(info["info"]).get("pid") or 0) if "info" in info else 0

    async def list_pod_sandboxes(self, labels: dict[str, str]) -> list[cri.PodSandbox]:
        """Sandboxes that carry these labels."""
        request = cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(label_selector=labels))
        return list((await self._call("ListPodSandbox", request, SHORT)).items)

    async def create_container(
        self, sandbox: str, config: cri.ContainerConfig, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        request = cri.CreateContainerRequest(pod_sandbox_id=sandbox, config=config, sandbox_config=sandbox_config)
        return str((await self._call("CreateContainer", request, LONG)).container_id)

    async def start_container(self, container: str) -> None:
        await self._call("StartContainer", cri.StartContainerRequest(container_id=container), LONG)

    async def stop_container(self, container: str, grace: float) -> None:
        """SIGTERM (or the image's stop signal), then SIGKILL after `grace` seconds; returns when it has ended."""
        request = cri.StopContainerRequest(container_id=container, timeout=max(0, int(grace)))
        await self._remove("StopContainer", request, LONG + max(0.0, grace))

    async def remove_container(self, container: str) -> None:
        await self._remove("RemoveContainer", cri.RemoveContainerRequest(container_id=container), LONG)

    async def list_containers(self, labels: dict[str, str]) -> list[cri.Container]:
        """Containers that carry these labels."""
        request = cri.ListContainersRequest(filter=cri.ContainerFilter(label_selector=labels))
        return list((await self._call("ListContainers", request, SHORT)).containers)

    async def container_status(self, container: str) -> cri.ContainerStatus:
        request = cri.ContainerStatusRequest(container_id=container)
        found: cri.ContainerStatusResponse = await self._call("ContainerStatus", request, SHORT)
        return found.status

    async def update_container_resources(self, container: str, linux: cri.LinuxContainerResources) -> None:
        request = cri.UpdateContainerResourcesRequest(container_id=container, linux=linux)
        await self._call("UpdateContainerResources", request, SHORT)

    async def reopen_container_log(self, container: str) -> None:
        await self._call("ReopenContainerLog", cri.ReopenContainerLogRequest(container_id=container), SHORT)

    async def exec_sync(self, container: str, command: list[str], timeout: float) -> ExecResult:
        """Run a command to its end; a command that outlasts `timeout` seconds raises CriError(DEADLINE_EXCEEDED)."""
        request = cri.ExecSyncRequest(container_id=container, cmd=command, timeout=max(1, int(timeout)))
        done = await self._call("ExecSync", request, timeout + SHORT)
        return ExecResult(done.exit_code, done.stdout, done.stderr)

    async def exec(self, request: cri.ExecRequest) -> str:
        """The URL at which the runtime streams a command."""
        return str((await self._call("Exec", request, SHORT)).url)

    async def attach(self, request: cri.AttachRequest) -> str:
        """The URL at which the runtime streams a container's own input and output."""
        return str((await self._call("Attach", request, SHORT)).url)

    async def list_container_stats(self) -> list[cri.ContainerStats]:
        return list((await self._call("ListContainerStats", cri.ListContainerStatsRequest(), SHORT)).stats)

    async def container_events(self) -> AsyncIterator[cri.ContainerEventResponse]:
        """Changes of containers and sandboxes as they happen; CriError(UNIMPLEMENTED) where there is no such stream."""
        try:
            async for event in self._runtime.GetContainerEvents(cri.GetEventsRequest()):
                yield event
        except grpc.aio.AioRpcError as error:
            raise CriError("GetContainerEvents", error.code(), error.details() or "") from None

    async def list_images(self) -> list[cri.Image]:
        return list((await self._call("ListImages", cri.ListImagesRequest(), SHORT, images=True)).images)

    async def image_status(self, image: str) -> cri.Image | None:
        """The image if it is on the node."""
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=image))
        found = await self._call("ImageStatus", request, SHORT, images=True)
        return found.image if found.HasField("image") and found.image.id else None

    async def pull_image(self, image: str, auth: cri.AuthConfig | None, sandbox: cri.PodSandboxConfig) -> str:
        """Fetch an image; its reference."""
        request = cri.PullImageRequest(image=cri.ImageSpec(image=image), auth=auth, sandbox_config=sandbox)
        return str((await self._call("PullImage", request, PULL, images=True)).image_ref)

    async def remove_image(self, image: str) -> None:
        request = cri.RemoveImageRequest(image=cri.ImageSpec(image=image))
        await self._remove("RemoveImage", request, LONG, images=True)

    async def image_fs_info(self) -> list[cri.FilesystemUsage]:
        found = await self._call("ImageFsInfo", cri.ImageFsInfoRequest(), SHORT, images=True)
        return list(found.image_filesystems)
