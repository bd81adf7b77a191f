"""mount(2) and umount(2) without a process for each. Blocking, quick."""

import ctypes
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2


def mount_tmpfs(target: Path, options: str = "") -> None:
    """A file system in memory; nothing happens when one is there."""
    if os.path.ismount(target):
        return
    check(_libc.mount(b"tmpfs", bytes(target), b"tmpfs", 0, options.encode() or None), target)


def unmount(target: Path) -> None:
    """Detach what is mounted here."""
    if os.path.ismount(target):
        check(_libc.umount2(bytes(target), MNT_DETACH), target)


def check(result: int, target: Path) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))
