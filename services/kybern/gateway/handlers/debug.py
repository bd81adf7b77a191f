"""/debug/pprof and /debug/flags: what this API server is doing, and how much it logs; for whom the apiserver allows it.

Of Go's profiles there are those that have a meaning in Python: `profile`, where CPU time goes, in the form that `go
tool pprof` reads; and `goroutine`, where the tasks of the event loops wait, as text. Gateway and apiserver are shown
together.
"""

from __future__ import annotations

import asyncio
import re

from kybern.gateway.api import Api
from kybern.gateway.handlers.host_logs import HTML
from kybern.gateway.http.message import NOSNIFF, TEXT, Request, Response
from kybern.runtime import sampling
from kybern.telemetry import pprof
from kybern.telemetry.logs import set_verbosity

PPROF, FLAGS, VERBOSITY = "/debug/pprof/", "/debug/flags/", "/debug/flags/v"
PROFILES = {"goroutine": "where tasks wait, and what threads do", "profile": "CPU time; ?seconds=N for how long"}
UNKNOWN = Response(b"Unknown profile\n", 404, TEXT, (*NOSNIFF, (b"X-Go-Pprof", b"1")))
BUSY = Response(b"Could not enable CPU profiling: cpu profiling already in use\n", 500, TEXT, NOSNIFF)
FOUND = b'<a href="/debug/pprof/">Found</a>.\n\n'
PLAIN = b"text/plain"
MOST, UNSIGNED = (1 << 31) - 1, (1 << 32) - 1


def is_debug(path: str) -> bool:
    """Whether a path is answered here."""
    return path.startswith((PPROF, FLAGS)) or path in (PPROF[:-1], FLAGS[:-1])


def verbosity(request: Request) -> int | str | None:
    """What a request sets the verbosity of logs to; why it cannot, in Go's words; None if it sets nothing."""
    if request.path != VERBOSITY or request.method != "PUT":
        return None
    text = request.body.decode(errors="replace")
    if re.fullmatch("[0-9]+", text) is None:
        return f'strconv.ParseUint: parsing "{text}": invalid syntax'
    if len(text) > 20 or int(text) > UNSIGNED:
        return f'strconv.ParseUint: parsing "{text}": value out of range'
    if int(text) > MOST:
        return f'failed set klog.logging.verbosity {text}: strconv.ParseInt: parsing "{text}": value out of range'
    return int(text)


def flags(request: Request, wanted: int | str | None) -> Response:
    """The page of flags, or what has become of a verbosity."""
    if request.path != VERBOSITY:
        return Response(_page("/debug/flags/", "<p>v: verbosity of logs, set by PUT of a number</p>"), 200, HTML)
    if isinstance(wanted, int):
        set_verbosity(wanted)
        return Response(f"successfully set klog.logging.verbosity to {wanted}\n".encode(), 200, PLAIN, NOSNIFF)
    code, why = (406, "unsupported http method") if wanted is None else (400, wanted)
    return Response(f"{why}\n".encode(), code, PLAIN, NOSNIFF)


class Profiles:
    """Everything below /debug/pprof; one profile at a time."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._sampling = False

    async def handle(self, request: Request) -> Response:
        """Raises StatusError (401, 403)."""
        access = await self._api.check_access(request)
        name = request.path.removeprefix(PPROF)
        if request.path == PPROF[:-1]:
            return Response(FOUND, 302, HTML, ((b"Location", PPROF.encode()),))
        if not name:
            rows = "".join(f"<li><a href='{name}'>{name}</a>: {about}</li>" for name, about in PROFILES.items())
            return Response(_page(PPROF, f"<ul>{rows}</ul>"), 200, HTML, NOSNIFF)
        if name == "goroutine":
            text = sampling.describe("gateway", asyncio.all_tasks())
            return Response(f"{text}\n".encode() + access.document, 200, TEXT, NOSNIFF)
        return await self._profile(request) if name == "profile" else UNKNOWN

    async def _profile(self, request: Request) -> Response:
        """Of both processes at the same time."""
        if self._sampling:
            return BUSY
        began, seconds = self._api.env.clock.now(), sampling.seconds_in(request.raw_query.decode())
        self._sampling = True
        try:
            async with asyncio.TaskGroup() as tasks:
                own = tasks.create_task(sampling.sampled(seconds))
                other = tasks.create_task(self._api.check_access(request, query=f"seconds={seconds}"))
        finally:
            self._sampling = False
        both = {"gateway": own.result(), "apiserver": sampling.decode(other.result().document)}
        body = pprof.profile(both, sampling.HERTZ, int(began.timestamp()), seconds)
        named = (b"Content-Disposition", b'attachment; filename="profile"')
        return Response(body, 200, b"application/octet-stream", (*NOSNIFF, named))


def _page(title: str, body: str) -> bytes:
    return f"<html>\n<head>\n<title>{title}</title>\n</head>\n<body>\n{title}<br>\n{body}\n</body>\n</html>\n".encode()
