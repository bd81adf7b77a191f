"""containerd's config.toml for a node: a private containerd that serves only CRI and `ctr`. Pure.

containerd 1.6 and 1.7 read version 2 of the file, containerd 2 reads version 3, where CRI is three plugins.
`restrict_oom_score_adj` lets sandboxes start where CAP_SYS_RESOURCE is missing; network namespaces are mounted below
the state folder, so that they go away with it. Registries are configured as Kubernetes users do it, with `hosts.toml`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

CNI_BIN_DIR = "/usr/lib/cni"
SYSTEM_REGISTRIES = "/etc/containerd/certs.d"
UNUSED_PLUGINS = (
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.erofs",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.nri.v1.nri",
    "io.containerd.tracing.processor.v1.otlp",
)


@dataclass(frozen=True)
class Settings:
    """What differs between two containerds of one version."""

    root: Path
    state: Path
    socket: Path
    cni_conf_dir: Path
    registries: Path
    sandbox_image: str
    cni_bin_dir: Path = Path(CNI_BIN_DIR)
    shim: Path | None = None  # None: the one on containerd's PATH


def parse_version(said: str) -> tuple[int, int]:
    """(major, minor) of what `containerd --version` prints. Raises ValueError."""
    found = re.search(r"\sv?(\d+)\.(\d+)\.\d", said)
    if found is None:
        raise ValueError(f"no version in {said!r}")
    return int(found[1]), int(found[2])


def render(settings: Settings, version: tuple[int, int]) -> str:
    """The config.toml that a containerd of this version reads."""
    return render_2(settings, version) if version >= (2, 0) else render_1(settings)


def head(settings: Settings, version: int) -> str:
    """What is the same in both versions of the file."""
    disabled = ", ".join(f'"{name}"' for name in UNUSED_PLUGINS)
    return f"""version = {version}
root = "{settings.root}"
state = "{settings.state}"
disabled_plugins = [{disabled}]

[grpc]
  address = "{settings.socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{settings.root}/opt"

[plugins."io.containerd.gc.v1.scheduler"]
  startup_delay = "10s"
"""


def runtimes(settings: Settings, plugin: str) -> str:
    """The one runtime, runc."""
    shim = f'\n  runtime_path = "{settings.shim}"' if settings.shim else ""
    return f"""
[plugins."{plugin}".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"{shim}

[plugins."{plugin}".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def render_1(settings: Settings) -> str:
    """Of containerd 1.6 and 1.7."""
    cri = "io.containerd.grpc.v1.cri"
    return f"""{head(settings, 2)}
[plugins."{cri}"]
  sandbox_image = "{settings.sandbox_image}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true
  max_concurrent_downloads = 3
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

[plugins."{cri}".cni]
  bin_dir = "{settings.cni_bin_dir}"
  conf_dir = "{settings.cni_conf_dir}"
  max_conf_num = 1

[plugins."{cri}".registry]
  config_path = "{settings.registries}:{SYSTEM_REGISTRIES}"

[plugins."{cri}".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
{runtimes(settings, cri)}"""


def render_2(settings: Settings, version: tuple[int, int]) -> str:
    """Of containerd 2."""
    cri, images = "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images"
    folder = str(settings.cni_bin_dir)
    programs = f'bin_dirs = ["{folder}"]' if version >= (2, 1) else f'bin_dir = "{folder}"'
    return f"""{head(settings, 3)}
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

[plugins."{images}"]
  snapshotter = "overlayfs"
  use_local_image_pull = true  # the transfer service reads one folder of registries only

[plugins."{images}".pinned_images]
  sandbox = "{settings.sandbox_image}"

[plugins."{images}".registry]
  config_path = "{settings.registries}:{SYSTEM_REGISTRIES}"

[plugins."{cri}"]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true

[plugins."{cri}".cni]
  {programs}
  conf_dir = "{settings.cni_conf_dir}"
  max_conf_num = 1

[plugins."{cri}".containerd]
  default_runtime_name = "runc"
{runtimes(settings, cri)}"""
