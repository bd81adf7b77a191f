"""/logs and /logs/FILE: the log files of this host's services, as upstream shows /var/log; nothing beside them."""

from __future__ import annotations

import asyncio
import html
import mimetypes
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from kybern.gateway.handlers.health import NOT_FOUND
from kybern.gateway.http.message import TEXT, Request, Response

CHUNK = 256 << 10
HTML = b"text/html; charset=utf-8"


async def host_logs(request: Request, folder: Path | None) -> Response | None:
    """A listing or a file; the caller has been authorized for the path."""
    found = await asyncio.to_thread(find, folder, request.path) if folder is not None else None
    if found is None:
        return NOT_FOUND
    if found.is_dir():
        if not request.path.endswith("/"):
            return Response(b"", 301, b"", ((b"Location", f"{quote(request.path)}/".encode()),))
        return Response(await asyncio.to_thread(listing, found), 200, HTML)
    kind = mimetypes.guess_type(found.name)[0]
    stream = request.reply.stream(request, 200, kind.encode() if kind and found.suffix != ".log" else TEXT)
    request.answered = 200
    if request.method != "HEAD":
        pieces = read(found)
        while piece := await asyncio.to_thread(next, pieces, b""):
            await stream.write(piece)
    stream.end()
    return None


def find(folder: Path, path: str) -> Path | None:
    """The file or folder below `folder` that a path of /logs means."""
    try:
        root = folder.resolve(strict=True)
        found = (root / path.removeprefix("/logs").strip("/")).resolve(strict=True)
    except (OSError, ValueError):
        return None
    return found if found == root or root in found.parents else None


def listing(folder: Path) -> bytes:
    """A page with a link for each entry, folders with a slash."""
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    links = "".join(f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in names)
    return f"<!doctype html>\n<pre>\n{links}</pre>\n".encode()


def read(path: Path) -> Iterator[bytes]:
    """What the file holds now."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece
