"""A private containerd for one node: where its files are, its configuration, its start, and leaving nothing behind.

Everything it writes is below one directory, except the shims' sockets (containerd puts them in /run/containerd/s).
"""

import functools
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from kybern.runtime import containerd_config
from kybern.runtime.containerd_config import CNI_BIN_DIR
from kybern.runtime.images import PAUSE

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHIM = "containerd-shim-runc-v2"


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
    def registries(self) -> Path:
        """Where `HOST/hosts.toml` says how registries are reached, before what the system's folder says."""
        return self.directory / "certs.d"

    @property
    def endpoint(self) -> str:
        """What `--runtime-endpoint` takes."""
        return f"unix://{self.socket}"


def search_path() -> str:
    """Where programs are looked for."""
    return ":".join(filter(None, (os.environ.get("PATH", ""), SYSTEM_PATH)))


def find_program(name: str = "containerd") -> Path:
    """containerd as PATH has it, which the system's own folders follow; where Debian has it if it is nowhere."""
    found = shutil.which(name, path=search_path())
    return Path(found) if found else Path("/usr/bin") / name


@functools.cache
def version_of(program: Path) -> tuple[int, int]:
    """The version (major, minor) that a containerd says it has; ContainerdFailed when it does not run."""
    try:
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=30, check=True)
        return containerd_config.parse_version(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ContainerdFailed(f"{program} does not tell its version: {error}") from None


def prepare(layout: Layout, cni_bin_dir: Path = Path(CNI_BIN_DIR), sandbox_image: str = PAUSE) -> list[str]:
    """Write the configuration; the result is the command that runs containerd in the foreground."""
    for folder in (layout.root, layout.state, layout.cni_conf_dir):
        folder.mkdir(parents=True, exist_ok=True)
    program = find_program()
    beside = program.with_name(SHIM)
    settings = containerd_config.Settings(
        root=layout.root,
        state=layout.state,
        socket=layout.socket,
        cni_conf_dir=layout.cni_conf_dir,
        cni_bin_dir=cni_bin_dir,
        registries=layout.registries,
        sandbox_image=sandbox_image,
        shim=beside if beside.exists() else None,
    )
    layout.config.write_text(containerd_config.render(settings, version_of(program)))
    return [str(program), "--config", str(layout.config), "--log-level", "warn"]


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
