"""What a simulated runtime holds, and how that looks in CRI's messages."""

import asyncio
from dataclasses import dataclass, field

import grpc

from kybern.node.core.images import normalize
from kybern.protos.runtime.v1 import api_pb2 as cri

ANNOTATION = "simulated.kybern.io/"
EXIT_IMAGE = "docker.io/simulated/exit:"


def failure(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    """What a stub raises."""
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, empty, empty, details=details, debug_error_string="")


@dataclass
class SimulatedSandbox:
    id: str
    config: cri.PodSandboxConfig
    created_at: int
    ip: str
    ready: bool = True


@dataclass
class SimulatedContainer:
    id: str
    sandbox: str
    config: cri.ContainerConfig
    created_at: int
    state: int = cri.CONTAINER_CREATED
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    log: list[bytes] = field(default_factory=list)
    end: asyncio.TimerHandle | None = None


def exit_code(sandbox: cri.PodSandboxConfig, container: cri.ContainerConfig) -> int | None:
    """The code with which a container will end by itself; None for one that runs on."""
    image_name = normalize(container.image.user_specified_image or container.image.image)
    if image_name.startswith(EXIT_IMAGE):
        return int(image_name.removeprefix(EXIT_IMAGE))
    code = sandbox.annotations.get(f"{ANNOTATION}exit-code")
    return int(code) if code else None


def image(name: str) -> cri.Image:
    return cri.Image(id=name, repo_tags=[name], size=1 << 20)


def sandbox_status(one: SimulatedSandbox) -> cri.PodSandboxStatus:
    status = cri.PodSandboxStatus(
        id=one.id,
        metadata=one.config.metadata,
        state=cri.SANDBOX_READY if one.ready else cri.SANDBOX_NOTREADY,
        created_at=one.created_at,
        labels=one.config.labels,
    )
    status.network.ip = one.ip
    status.linux.namespaces.options.CopyFrom(one.config.linux.security_context.namespace_options)
    return status


def container_status(one: SimulatedContainer) -> cri.ContainerStatus:
    return cri.ContainerStatus(
        id=one.id,
        metadata=one.config.metadata,
        state=one.state,  # type: ignore[arg-type]  # an int is what messages hold
        created_at=one.created_at,
        started_at=one.started_at,
        finished_at=one.finished_at,
        exit_code=one.exit_code,
        image=one.config.image,
        image_ref=one.config.image.image,
        reason="" if one.state != cri.CONTAINER_EXITED else "Completed" if one.exit_code == 0 else "Error",
        labels=one.config.labels,
        annotations=one.config.annotations,
        mounts=one.config.mounts,
    )
