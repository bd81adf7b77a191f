"""/statusz and /flagz: what this API server is and how it was started, in text for people and in JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from kybern.gateway import answers
from kybern.gateway.core.negotiation import ZPAGES, MediaType, negotiate_zpage
from kybern.gateway.core.version import VERSION
from kybern.gateway.http.message import TEXT, Request, Response
from kybern.kube.meta import format_time
from kybern.kube.status import not_acceptable

NAME, DEPRECATED = "apiserver", "v1alpha1"
LEVEL = f"{VERSION['major']}.{VERSION['minor']}"
PATHS = ("/flagz", "/healthz", "/livez", "/metrics", "/readyz", "/statusz", "/version")
WARNING = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for"
    " debugging purposes only.\n"
)


async def statusz(request: Request, started: datetime, now: datetime) -> Response:
    """Raises StatusError (406)."""
    seconds = int((now - started).total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    lines = {
        "Started": started.strftime("%a %b %e %H:%M:%S UTC %Y"),
        "Up": f"{hours} hr {minutes:02d} min {seconds % 60:02d} sec",
        "Go version": VERSION["goVersion"],
        "Binary version": f"{LEVEL}.0",
        "Emulation version": LEVEL,
        "Paths": " ".join(PATHS),
    }
    text = "\n" + "".join(f"{name}: {value}\n" for name, value in lines.items())
    members = {
        "startTime": format_time(started),
        "uptimeSeconds": seconds,
        "goVersion": VERSION["goVersion"],
        "binaryVersion": f"{LEVEL}.0",
        "emulationVersion": LEVEL,
        "paths": PATHS,
    }
    return await _page(request, "Statusz", text, members)


async def flagz(request: Request, flags: Mapping[str, str]) -> Response:
    """Raises StatusError (406)."""
    known = dict(sorted(flags.items()))
    text = "".join(f"{name}:{value}\n" for name, value in known.items())
    return await _page(request, "Flagz", text, {"flags": known})


async def _page(request: Request, kind: str, text: str, members: dict[str, Any]) -> Response:
    found = negotiate_zpage(request.header(b"accept"), kind)
    if found is None:
        raise not_acceptable(ZPAGES)
    if not isinstance(found, MediaType):
        return Response(f"\n{NAME} {kind.lower()}\n{WARNING}{text}".encode(), 200, TEXT)
    if found.version == DEPRECATED:
        request.warning = f"This version of the {kind.lower()} endpoint is deprecated. Please use a newer version."
    document = {
        "kind": kind, "apiVersion": f"config.k8s.io/{found.version}", "metadata": {"name": NAME}, **members
    }  # fmt: skip
    return await answers.answer(request, orjson.dumps(document), found)
