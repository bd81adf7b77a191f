"""A node's end: whatever state it is left in, nothing of it stays on the machine."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kybern.protos.runtime.v1 import api_pb2 as cri
from kybern.runtime import containerd, images
from kybern.runtime.containerd_cleanup import cgroup_folders, cleanup, mounts_below, processes_with

pytestmark = [pytest.mark.containerd]
CGROUP, BRIDGE = "/kybern-cleanup/node", "kybclean0"


@pytest.fixture
def layout() -> Iterator[containerd.Layout]:
    if os.geteuid() != 0 or not shutil.which("containerd"):
        pytest.skip("needs root and containerd")
    folder = Path(tempfile.mkdtemp(prefix="kc"))
    yield containerd.Layout(folder / "c")
    shutil.rmtree(folder, ignore_errors=True)


async def start_sandbox(layout: containerd.Layout) -> None:
    """A sandbox and a container of the node, on the host's network."""
    import grpc

    from kybern.protos.runtime.v1.api_pb2_grpc import RuntimeServiceStub

    async with grpc.aio.insecure_channel(f"unix:{layout.socket}") as channel:
        stub: Any = RuntimeServiceStub(channel)
        config = cri.PodSandboxConfig(metadata=cri.PodSandboxMetadata(name="p", namespace="d", uid="u"))
        config.linux.cgroup_parent = f"{CGROUP}/podu"
        config.linux.security_context.namespace_options.network = cri.NODE
        sandbox = (await stub.RunPodSandbox(cri.RunPodSandboxRequest(config=config), timeout=20)).pod_sandbox_id
        made = cri.ContainerConfig(metadata=cri.ContainerMetadata(name="c"), command=["sleep", "1000"])
        made.image.image = images.BUSYBOX
        request = cri.CreateContainerRequest(pod_sandbox_id=sandbox, config=made, sandbox_config=config)
        container = (await stub.CreateContainer(request, timeout=20)).container_id
        await stub.StartContainer(cri.StartContainerRequest(container_id=container), timeout=20)


@pytest.mark.parametrize("killed", [False, True], ids=["in good order", "after containerd was killed"])
def test_nothing_stays(layout: containerd.Layout, killed: bool) -> None:
    process = containerd.start(layout)
    images.import_archives(str(layout.socket), images.write_archives(layout.directory / "images"))
    asyncio.run(start_sandbox(layout))
    assert cgroup_folders(CGROUP)
    if killed:
        process.send_signal(signal.SIGKILL)
        process.wait(5)
    assert cleanup(layout, cgroup_root=CGROUP, bridge=BRIDGE) == []
    process.wait(5)
    assert not processes_with(("-address", str(layout.socket)))
    assert not mounts_below([layout.directory])
    assert not cgroup_folders("/kybern-cleanup")
    assert cleanup(layout, cgroup_root=CGROUP, bridge=BRIDGE) == []


def test_what_is_on_disk_serves_the_next_start(layout: containerd.Layout) -> None:
    archives = images.write_archives(layout.directory / "images")
    first = containerd.start(layout)
    images.import_archives(str(layout.socket), archives)
    cleanup(layout, cgroup_root=CGROUP, bridge=BRIDGE)
    first.wait(5)
    second = containerd.start(layout)
    asyncio.run(start_sandbox(layout))  # its image is still there
    assert cgroup_folders(CGROUP)
    assert cleanup(layout, cgroup_root=CGROUP, bridge=BRIDGE) == []
    second.wait(5)


def test_a_containerd_that_cannot_start_says_why(layout: containerd.Layout) -> None:
    layout.directory.mkdir(parents=True)
    (layout.directory / "root").write_text("not a directory")
    with pytest.raises((containerd.ContainerdFailed, OSError)):
        containerd.start(layout, timeout=5)
