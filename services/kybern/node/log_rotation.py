"""Rotation of container logs: past 10 MiB a file is renamed and the runtime opens a new one; five are kept."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from kybern.node.core.runtime_pod import Container, State
from kybern.node.cri.client import CriError, Runtime

MAX_BYTES = 10 << 20
MAX_FILES = 5


def rotated_names(path: Path) -> list[Path]:
    """Earlier files of a log, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.*"))


def rotate(path: Path, stamp: str, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> bool:
    """Move a large log aside and drop the oldest; True if the runtime has to open it anew. Blocking."""
    try:
        if path.stat().st_size < max_bytes:
            return False
    except FileNotFoundError:
        return False
    path.rename(path.with_name(f"{path.name}.{stamp}"))
    for old in rotated_names(path)[: 1 - max_files or None]:
        old.unlink(missing_ok=True)
    return True


async def rotate_logs(runtime: Runtime, containers: Iterable[Container], stamp: str) -> None:
    """Rotate what is too large; a runtime that cannot reopen a log is asked again the next time."""
    for container in containers:
        if container.state is not State.RUNNING or not container.log_path:
            continue
        path = Path(container.log_path)
        if await asyncio.to_thread(rotate, path, stamp):
            try:
                await runtime.reopen_container_log(container.id)
            except CriError:
                newest = rotated_names(path)[-1]
                await asyncio.to_thread(newest.rename, path)
