"""The loop around image garbage collection."""

import asyncio
import shutil
from datetime import datetime
from pathlib import Path

import grpc

from kybern.node.core.image_gc import Disk, ImageUse, decide_removals, update_last_used
from kybern.node.core.image_volumes import images_of
from kybern.node.cri.client import CriError, Runtime
from kybern.protos.runtime.v1 import api_pb2 as cri

PERIOD_SECONDS = 300.0


class ImageCollector:
    """Remembers when each image was last used."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._last_used: dict[str, datetime] = {}

    async def collect(self, now: datetime) -> list[str]:
        """One round; the images that were removed. Raises CriError."""
        listed = await self._runtime.list_images()
        containers = await self._runtime.list_containers({})
        images = [ImageUse(i.id, i.size, i.pinned or any(map(is_pause, i.repo_tags))) for i in listed]
        in_use = frozenset(name for c in containers for name in (c.image_ref, c.image.image))
        in_use |= images_of(await self._statuses([c.id for c in containers]))
        self._last_used = update_last_used(self._last_used, images, in_use, now)
        removed = decide_removals(await self._disk(), images, in_use, self._last_used, now)
        for image in removed:
            await self._runtime.remove_image(image)
        return removed

    async def _statuses(self, containers: list[str]) -> list[cri.ContainerStatus]:
        """What is known of these containers; those that have gone meanwhile are left out."""
        found = []
        for one in containers:
            try:
                found.append(await self._runtime.container_status(one))
            except CriError as error:
                if error.code is not grpc.StatusCode.NOT_FOUND:
                    raise
        return found

    async def _disk(self) -> Disk:
        """The file system behind the runtime's image store."""
        for usage in await self._runtime.image_fs_info():
            found = await asyncio.to_thread(disk_of, Path(usage.fs_id.mountpoint))
            if found.capacity:
                return found
        return Disk(0, 0)


def is_pause(tag: str) -> bool:
    """Whether an image is what sandboxes are made of; not every runtime says that it is in use."""
    return tag.rpartition("/")[2].partition(":")[0] == "pause"


def disk_of(path: Path) -> Disk:
    """A file system; of no size when the path is not there. Blocking."""
    if not path.is_dir():
        return Disk(0, 0)
    usage = shutil.disk_usage(path)
    return Disk(usage.total, usage.used)


async def describe(collector: ImageCollector, now: datetime) -> str:
    """One round as a sentence for the log; "" when nothing happened."""
    try:
        removed = await collector.collect(now)
    except (CriError, OSError) as error:
        return f"images are not collected: {error}"
    return f"removed unused images: {', '.join(removed)}" if removed else ""
