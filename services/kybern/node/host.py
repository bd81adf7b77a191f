"""The machine under a node: pod directories, volumes, cgroups, hosts files; or none, for simulated nodes.

A simulated node has no files; its `Host` answers at once and touches nothing.
"""

import asyncio
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from kybern.clock import Clock
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.node.core import image_volumes
from kybern.node.core.container_config import Mount
from kybern.node.core.environment import expand
from kybern.node.core.hosts import render_hosts
from kybern.node.core.pod_sandbox import log_directory
from kybern.node.core.resources import CgroupValues, pod_cgroup, pod_values
from kybern.node.core.volumes import VolumeError
from kybern.node.volumes import host as on_host
from kybern.node.volumes.sources import PodFacts, Sources, is_api_volume

CGROUPS = Path("/sys/fs/cgroup")
Volumes = Mapping[str, Path]


class Host(Protocol):
    """What a node agent does to its machine, beside the container runtime."""

    async def prepare(self, pod: Object, facts: PodFacts) -> Volumes:
        """Make (or bring up to date) the pod's volumes; where each is. Raises VolumeError."""
        ...

    async def mounts(
        self, pod: Object, container: Object, attempt: int, volumes: Volumes, env: Mapping[str, str], hosts: str | None
    ) -> tuple[list[Mount], str]:
        """A container's mounts, and the file behind its termination message. `hosts` is the text of /etc/hosts."""
        ...

    async def make_cgroup(self, pod: Object, values: CgroupValues | None = None) -> None:
        """Make the pod's cgroup, or set it anew; with the sums over its containers unless `values` are given."""
        ...

    async def forget(self, pod: Object) -> None:
        """Remove the pod's directory, logs and cgroup."""
        ...

    async def pods(self) -> list[str]:
        """Uids of the pods that have a directory."""
        ...

    async def forget_directory(self, uid: str) -> None: ...


class NoHost:
    """Nothing on disk: simulated nodes."""

    async def prepare(self, pod: Object, facts: PodFacts) -> Volumes:
        return {}

    async def mounts(
        self, pod: Object, container: Object, attempt: int, volumes: Volumes, env: Mapping[str, str], hosts: str | None
    ) -> tuple[list[Mount], str]:
        return image_volumes.mounts(pod, container, env), ""

    async def make_cgroup(self, pod: Object, values: CgroupValues | None = None) -> None:
        return None

    async def forget(self, pod: Object) -> None:
        return None

    async def pods(self) -> list[str]:
        return []

    async def forget_directory(self, uid: str) -> None:
        return None


class RealHost:
    """Directories below `root/pods`, and cgroups below `cgroup_root`."""

    def __init__(self, root: Path, cgroup_root: str, sources: Sources, clock: Clock) -> None:
        self.root, self.cgroup_root = root, cgroup_root
        self._sources, self._clock = sources, clock

    def directory(self, uid: str) -> Path:
        return self.root / "pods" / uid

    async def prepare(self, pod: Object, facts: PodFacts) -> Volumes:
        volumes = [one for one in pod["spec"].get("volumes") or () if one.get("image") is None]
        made = await asyncio.gather(*(self._prepare_named(pod, volume, facts) for volume in volumes))
        return {volume["name"]: path for volume, path in zip(volumes, made, strict=True)}

    async def _prepare_named(self, pod: Object, volume: Object, facts: PodFacts) -> Path:
        try:
            return await self._prepare_one(pod, volume, facts)
        except (VolumeError, StatusError, OSError) as error:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from error

    async def _prepare_one(self, pod: Object, volume: Object, facts: PodFacts) -> Path:
        group = on_host.fs_group(pod)
        if volume.get("hostPath") is not None:
            return await asyncio.to_thread(on_host.check_host_path, volume["hostPath"])
        pod_directory = self.directory(pod["metadata"]["uid"])
        if is_api_volume(volume):
            files = await self._sources.files(pod, volume, facts)
            target = on_host.volume_directory(pod_directory, volume)
            stamp = self._clock.now().strftime("%Y_%m_%d_%H_%M_%S.%f")
            secret = volume.get("configMap") is None and volume.get("downwardAPI") is None
            await asyncio.to_thread(on_host.write_files, target, files, stamp, group, secret)
            return target
        if volume.get("emptyDir") is not None:
            target = on_host.volume_directory(pod_directory, volume)
            await asyncio.to_thread(on_host.prepare_empty_dir, target, volume["emptyDir"], group)
            return target
        kind = next((key for key in volume if key != "name"), "none")
        raise VolumeError(f'volume "{volume["name"]}": the volume type {kind} is not supported on this node')

    async def mounts(
        self, pod: Object, container: Object, attempt: int, volumes: Volumes, env: Mapping[str, str], hosts: str | None
    ) -> tuple[list[Mount], str]:
        return await asyncio.to_thread(self._mounts, pod, container, attempt, volumes, env, hosts)

    def _mounts(
        self, pod: Object, container: Object, attempt: int, volumes: Volumes, env: Mapping[str, str], hosts: str | None
    ) -> tuple[list[Mount], str]:
        directory = self.directory(pod["metadata"]["uid"])
        images = {mount.container_path: mount for mount in image_volumes.mounts(pod, container, env)}
        read_only = {volume["name"] for volume in pod["spec"].get("volumes") or [] if is_api_volume(volume)}
        found = []
        for mount in container.get("volumeMounts") or []:
            if mount["mountPath"] in images:
                found.append(images[mount["mountPath"]])
                continue
            path = volumes.get(mount["name"])
            if path is None:
                raise VolumeError(f'volume "{mount["name"]}" is not there')
            sub = mount.get("subPath") or expand(mount.get("subPathExpr") or "", env)
            source = on_host.sub_path(path, sub) if sub else path
            propagation = mount.get("mountPropagation") or ""
            fixed = bool(mount.get("readOnly")) or mount["name"] in read_only
            found.append(Mount(mount["mountPath"], str(source), fixed, propagation))
        taken = {mount.container_path for mount in found}
        if hosts is not None and "/etc/hosts" not in taken:
            path = directory / "etc-hosts"
            directory.mkdir(parents=True, exist_ok=True)
            path.write_text(hosts)
            os.chmod(path, 0o644)
            found.append(Mount("/etc/hosts", str(path)))
        log = directory / "containers" / container["name"] / str(attempt)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        os.chmod(log, 0o666)
        found.append(Mount(container.get("terminationMessagePath") or "/dev/termination-log", str(log)))
        return found, str(log)

    async def make_cgroup(self, pod: Object, values: CgroupValues | None = None) -> None:
        await asyncio.to_thread(make_cgroup, pod_cgroup(pod, self.cgroup_root), values or pod_values(pod))

    async def forget(self, pod: Object) -> None:
        await self.forget_directory(pod["metadata"]["uid"])
        await asyncio.to_thread(remove_tree, log_directory(pod, str(self.root / "logs" / "pods")))
        await asyncio.to_thread(remove_cgroup, pod_cgroup(pod, self.cgroup_root))

    async def pods(self) -> list[str]:
        return await asyncio.to_thread(entries, self.root / "pods")

    async def forget_directory(self, uid: str) -> None:
        await asyncio.to_thread(on_host.remove_pod_directory, self.directory(uid))


def entries(folder: Path) -> list[str]:
    """What is in a folder; nothing if there is none. Blocking."""
    return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []


def hosts_text(pod: Object, ips: tuple[str, ...], hostname: str, domain: str) -> str:
    """The pod's /etc/hosts, made from the node's own for pods on its network."""
    own = None
    if pod["spec"].get("hostNetwork"):
        own = Path("/etc/hosts").read_text() if Path("/etc/hosts").exists() else ""
    return render_hosts(pod, ips, hostname, domain, own)


def make_cgroup(path: str, values: CgroupValues) -> None:
    """The pod's cgroup in each v1 hierarchy that has limits; a limit that is not set, where there was one, goes."""
    settings = [("cpu", "cpu.shares", values.cpu_shares), ("memory", "memory.limit_in_bytes", values.memory_limit)]
    settings.append(("cpu", "cpu.cfs_quota_us", values.cpu_quota))
    for hierarchy, file, value in settings:
        folder = CGROUPS / hierarchy
        target = folder / path.strip("/")
        if folder.is_dir() and (value or target.is_dir()):
            target.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                (target / file).write_text(str(value or -1))


def remove_cgroup(path: str) -> None:
    """Remove a pod's cgroup wherever the runtime made one."""
    for hierarchy in CGROUPS.iterdir() if CGROUPS.is_dir() else ():
        top = hierarchy / path.strip("/")
        if not top.is_dir():
            continue
        for folder, _, _ in sorted(os.walk(top), key=lambda entry: len(entry[0]), reverse=True):
            with suppress(OSError):
                os.rmdir(folder)


def remove_tree(path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)
