"""A private containerd for one node: where its files are, its configuration, its start, and leaving nothing behind.

Everything it writes is below one directory, except the shims' sockets (containerd puts them in /run/containerd/s).
"""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from kybern.runtime.images import PAUSE

CNI_BIN_DIR = "/usr/lib/cni"
UNUSED_PLUGINS = (
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
)


class ContainerdFailed(Exception):
    """containerd did not come up; the message carries the end of its log."""


@dataclass(frozen=True)
class Layout:
    """The files of one private containerd, all below `directory` (keep it short: a socket path holds 107 bytes)."""

    directory: Path

    @property
    def root(self) -> Path:
        """Images, snapshots and metadata; survives a restart."""
        return self.directory / "root"

    @property
    def state(self) -> Path:
        """Running tasks, their mounts and network namespaces."""
        return self.directory / "state"

    @property
    def socket(self) -> Path:
        return self.directory / "c.sock"

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def log(self) -> Path:
        return self.directory / "containerd.log"

    @property
    def cni_conf_dir(self) -> Path:
        return self.directory / "cni"

    @property
    def endpoint(self) -> str:
        """What `--runtime-endpoint` takes."""
        return f"unix://{self.socket}"


def render_config(
    root: Path,
    state: Path,
    socket: Path,
    cni_conf_dir: Path,
    cni_bin_dir: Path = Path(CNI_BIN_DIR),
    sandbox_image: str = PAUSE,
) -> str:
    """The config.toml (version 2) of a containerd 1.6 or 1.7 that serves only CRI and `ctr`, on private paths.

    `restrict_oom_score_adj` lets sandboxes start where CAP_SYS_RESOURCE is missing; network namespaces are mounted
    below `state`, so that they go away with it.
    """
    disabled = ", ".join(f'"{name}"' for name in UNUSED_PLUGINS)
    return f"""version = 2
root = "{root}"
state = "{state}"
disabled_plugins = [{disabled}]

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"

[plugins."io.containerd.gc.v1.scheduler"]
  startup_delay = "10s"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{sandbox_image}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true
  max_concurrent_downloads = 3
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni_bin_dir}"
  conf_dir = "{cni_conf_dir}"
  max_conf_num = 1

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def prepare(layout: Layout, cni_bin_dir: Path = Path(CNI_BIN_DIR), sandbox_image: str = PAUSE) -> list[str]:
    """Write the configuration; the result is the command that runs containerd in the foreground."""
    for folder in (layout.root, layout.state, layout.cni_conf_dir):
        folder.mkdir(parents=True, exist_ok=True)
    text = render_config(layout.root, layout.state, layout.socket, layout.cni_conf_dir, cni_bin_dir, sandbox_image)
    layout.config.write_text(text)
    return ["containerd", "--config", str(layout.config), "--log-level", "warn"]


def start(layout: Layout, timeout: float = 30.0) -> subprocess.Popen[bytes]:
    """Run containerd as a child (its own session, log in `layout.log`) and wait until CRI answers."""
    command = prepare(layout)
    with layout.log.open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    wait_ready(layout, process, timeout)
    return process


def wait_ready(layout: Layout, process: subprocess.Popen[bytes] | None = None, timeout: float = 30.0) -> None:
    """Return once the CRI plugin answers Version; raise ContainerdFailed with the log's end otherwise."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if answers(layout.socket):
            return
        if process is not None and process.poll() is not None:
            break
        time.sleep(0.01)
    tail = layout.log.read_text(errors="replace")[-2000:] if layout.log.exists() else ""
    raise ContainerdFailed(f"containerd in {layout.directory} did not become ready: {tail.strip()}")


def answers(socket: Path, timeout: float = 5.0) -> bool:
    """Whether a CRI runtime answers on this socket now."""
    import grpc

    from kybern.protos.runtime.v1 import api_pb2, api_pb2_grpc

    if not os.path.exists(socket):
        return False
    with grpc.insecure_channel(f"unix:{socket}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        try:
            api_pb2_grpc.RuntimeServiceStub(channel).Version(api_pb2.VersionRequest(), timeout=timeout)
        except grpc.RpcError:
            return False
        return True
