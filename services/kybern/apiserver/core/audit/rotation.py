"""When the log file begins anew, under which name the old one is kept, and which old ones go."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

FORMAT = "%Y-%m-%dT%H-%M-%S"


@dataclass(frozen=True)
class Rotation:
    """Limits; 0 is none."""

    megabytes: int = 0  # of the file
    days: int = 0  # that an old file is kept
    backups: int = 0  # old files

    def is_full(self, size: int, more: int) -> bool:
        """Whether a file of `size` bytes has no room for more."""
        return bool(self.megabytes) and size > 0 and size + more > self.megabytes << 20


def backup_name(name: str, now: datetime) -> str:
    """ "audit.log" becomes "audit-2026-01-31T23-59-59.123.log"."""
    stem, dot, ending = name.rpartition(".")
    stem, ending = (stem, dot + ending) if dot else (name, "")
    return f"{stem}-{now.strftime(FORMAT)}.{now.microsecond // 1000:03d}{ending}"


def backup_time(name: str, backup: str) -> datetime | None:
    """When a file of the folder was put aside; None for one that is no backup of `name`."""
    stem, dot, ending = name.rpartition(".")
    stem, ending = (stem, dot + ending) if dot else (name, "")
    if not backup.startswith(stem + "-") or not backup.endswith(ending):
        return None
    middle = backup[len(stem) + 1 : len(backup) - len(ending)]
    try:
        return datetime.strptime(middle, FORMAT + ".%f")
    except ValueError:
        return None


def outdated(rotation: Rotation, name: str, folder: Iterable[str], now: datetime) -> list[str]:
    """The old files that are too many or too old."""
    found = sorted(((at, file) for file in folder if (at := backup_time(name, file)) is not None), reverse=True)
    limit = now.replace(tzinfo=None) - timedelta(days=rotation.days)
    return [
        file
        for index, (at, file) in enumerate(found)
        if (rotation.backups and index >= rotation.backups) or (rotation.days and at < limit)
    ]
