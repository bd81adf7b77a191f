"""Atomic updates of a volume's files: a fresh directory, and one rename of the `..data` link.

Layout, as programs in containers know it: `key → ..data/key`, `..data → ..<time>`. A reader sees either all of the old
files or all of the new ones. Blocking.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kybern.node.core.volumes import File

DATA = "..data"


def current_files(volume: Path) -> dict[str, File] | None:
    """What the volume holds now; None before the first write."""
    top = volume / DATA
    if not top.is_symlink():
        return None
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = Path(folder) / name
            found[str(path.relative_to(top))] = File(path.read_bytes(), path.stat().st_mode & 0o7777)
    return found


def write(volume: Path, files: Mapping[str, File], stamp: str, group: int | None = None) -> bool:
    """Make the volume hold exactly these files; False if it does already. `stamp` names the new directory."""
    group_bits = 0o440 if group is not None else 0
    wanted = {path: replace(file, mode=file.mode | group_bits) for path, file in files.items()}
    if current_files(volume) == wanted:
        return False
    volume.mkdir(parents=True, exist_ok=True)
    fresh = unused(volume, stamp)
    fresh.mkdir(mode=0o755)
    os.chmod(fresh, 0o755)
    for path, file in wanted.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        os.chmod(target, file.mode)
        if group is not None or file.user is not None:
            os.chown(target, -1 if file.user is None else file.user, -1 if group is None else group)
    old = os.readlink(volume / DATA) if (volume / DATA).is_symlink() else ""
    temporary = volume / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(fresh.name)
    temporary.rename(volume / DATA)
    link_names(volume, {path.split("/")[0] for path in wanted})
    if old:
        shutil.rmtree(volume / old, ignore_errors=True)
    return True


def unused(volume: Path, stamp: str) -> Path:
    """A directory name that nothing has yet."""
    candidate, number = volume / f"..{stamp}", 0
    while candidate.exists():
        number += 1
        candidate = volume / f"..{stamp}.{number}"
    return candidate


def link_names(volume: Path, names: set[str]) -> None:
    """One link per first path component, and no others."""
    for entry in volume.iterdir():
        if not entry.name.startswith("..") and entry.is_symlink() and entry.name not in names:
            entry.unlink()
    for name in names:
        link = volume / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")
