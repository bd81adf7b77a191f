"""Volumes that are directories or files of the node: emptyDir, hostPath, and API volumes once their files are known.

Everything here blocks for a moment and is called in a thread.
"""

import os
import shutil
import stat
from pathlib import Path

from kybern.kube import quantity
from kybern.kube.meta import Object
from kybern.node.core.volumes import Files, VolumeError
from kybern.node.volumes import atomic_writer, mounts

PLUGINS = {
    "emptyDir": "kubernetes.io~empty-dir",
    "configMap": "kubernetes.io~configmap",
    "secret": "kubernetes.io~secret",
    "downwardAPI": "kubernetes.io~downward-api",
    "projected": "kubernetes.io~projected",
}


def volume_directory(pod_directory: Path, volume: Object) -> Path:
    """Where a volume's content is, below the pod's directory."""
    plugin = next(folder for kind, folder in PLUGINS.items() if volume.get(kind) is not None)
    return pod_directory / "volumes" / plugin / str(volume["name"])


def fs_group(pod: Object) -> int | None:
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return None if group is None else int(group)


def prepare_empty_dir(directory: Path, source: Object, group: int | None) -> None:
    """A directory that everyone may write to; in memory if asked for."""
    fresh = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    if source.get("medium") == "Memory":
        limit = source.get("sizeLimit")
        mounts.mount_tmpfs(directory, f"size={quantity.parse(limit).value()}" if limit else "")
    elif str(source.get("medium") or "").startswith("HugePages"):
        raise VolumeError(f"emptyDir medium {source['medium']} is not supported on this node")
    if fresh:
        os.chmod(directory, 0o777)
        if group is not None:
            os.chown(directory, -1, group)
            os.chmod(directory, 0o2777)


def write_files(directory: Path, files: Files, stamp: str, group: int | None, in_memory: bool) -> bool:
    """An API volume's files; secrets and tokens never touch the disk. True when something changed."""
    directory.mkdir(parents=True, exist_ok=True)
    if in_memory and os.geteuid() == 0:
        mounts.mount_tmpfs(directory)
    return atomic_writer.write(directory, files, stamp, group)


_CHECKS = {
    "Directory": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def check_host_path(source: Object) -> Path:
    """The host's path of a hostPath volume, made or checked as its type says. Raises VolumeError."""
    path, kind = Path(source["path"]), source.get("type") or ""
    if kind == "DirectoryOrCreate" and not path.exists():
        path.mkdir(parents=True, mode=0o755)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    wanted = kind.removesuffix("OrCreate")
    if wanted in _CHECKS:
        check, name = _CHECKS[wanted]
        if not path.exists() or not check(path.stat().st_mode):
            raise VolumeError(f"hostPath type check failed: {path} is not a {name}")
    return path


def sub_path(volume: Path, name: str) -> Path:
    """A path inside a volume, made when missing, that no symbolic link leads out of. Raises VolumeError."""
    top = volume.resolve()
    target = (top / name).resolve()
    if target != top and top not in target.parents:
        raise VolumeError(f"subPath {name} leads out of the volume")
    if not target.exists():
        target.mkdir(parents=True)
        os.chmod(target, top.stat().st_mode & 0o7777)
    return target


def remove_pod_directory(pod_directory: Path) -> None:
    """Unmount and delete everything of a pod; what is mounted from elsewhere stays untouched."""
    if not pod_directory.exists():
        return
    prefix = f"{pod_directory.resolve()}/"
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split(" ")[4].replace("\\040", " ") for line in lines]
    for point in sorted((p for p in points if p.startswith(prefix)), key=len, reverse=True):
        mounts.unmount(Path(point))
    shutil.rmtree(pod_directory, ignore_errors=True)
