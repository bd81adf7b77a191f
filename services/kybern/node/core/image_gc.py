"""Image garbage collection: when the disk is fuller than 85 %, unused images go, the longest unused first. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

HIGH, LOW = 0.85, 0.80
MIN_AGE = timedelta(minutes=2)


@dataclass(frozen=True)
class ImageUse:
    """One image on the node."""

    id: str
    size: int
    pinned: bool = False


@dataclass(frozen=True)
class Disk:
    """The file system that images are on, in bytes."""

    capacity: int
    used: int


def update_last_used(
    last_used: Mapping[str, datetime], images: Iterable[ImageUse], in_use: frozenset[str], now: datetime
) -> dict[str, datetime]:
    """When each image was last used; one that is seen for the first time counts as used now."""
    return {image.id: now if image.id in in_use else last_used.get(image.id, now) for image in images}


def decide_removals(
    disk: Disk, images: Iterable[ImageUse], in_use: frozenset[str], last_used: Mapping[str, datetime], now: datetime
) -> list[str]:
    """The images to remove until the disk is below the low mark; none while it is below the high one."""
    if disk.capacity <= 0 or disk.used < disk.capacity * HIGH:
        return []
    free = [i for i in images if i.id not in in_use and not i.pinned and now - last_used.get(i.id, now) >= MIN_AGE]
    found, excess = [], disk.used - int(disk.capacity * LOW)
    for image in sorted(free, key=lambda i: (last_used[i.id], -i.size)):
        if excess <= 0:
            break
        found.append(image.id)
        excess -= image.size
    return found
