"""Headers that every answer has: Audit-Id, Date, the flow that a request was put in."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from kybern.gateway import answers
from kybern.gateway.http.handler import Render
from kybern.gateway.http.message import JSON, Headers, Request
from kybern.gateway.http.reply import UNCACHED
from kybern.runtime.service import Env

REMEMBERED = 1024  # heads


class Heads:
    """The date is written once a second, an Audit-Id is unique but not secret: a part of this process, and a count."""

    def __init__(self, env: Env, more: Headers = ()) -> None:
        """`more`: headers that flags ask for."""
        self._clock = env.clock
        self._more = more
        self._loop = asyncio.get_running_loop()
        text = f"{env.random.getrandbits(80):020x}"
        self._audit_prefix = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:]}-".encode()
        self._audited = 0
        self._date = b""
        self._date_until = 0.0
        self._plain: dict[tuple[Render, str, int], bytes] = {}  # of this second

    def standard(self, request: Request) -> Headers:
        """Headers of every response."""
        audit_id = request.audit_id.encode() or request.headers.get(b"audit-id") or self.audit_id()
        headers = ((b"Audit-Id", audit_id), (b"Date", self._http_date()), *flow_headers(request.flow), *self._more)
        return (*headers, *answers.warning_headers([request.warning])) if request.warning else headers

    def plain(self, flow: str, status: int, render: Render) -> bytes:
        """Status and headers of a JSON object, all but its length and Audit-Id, as the protocol writes them."""
        date = self._http_date()
        head = self._plain.get((render, flow, status))
        if head is None:
            if len(self._plain) >= REMEMBERED:
                self._plain.clear()
            headers = (*flow_headers(flow), (b"Date", date), *self._more, UNCACHED, (b"Content-Type", JSON))
            head = self._plain[render, flow, status] = render(status, headers)
        return head

    def audit_id(self) -> bytes:
        """A new one."""
        self._audited += 1
        return b"%b%012x" % (self._audit_prefix, self._audited)

    def _http_date(self) -> bytes:
        now = self._loop.time()
        if now >= self._date_until:
            self._date = self._clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
            self._date_until = now + 1.0
            self._plain.clear()
        return self._date


@lru_cache(maxsize=4096)
def flow_headers(flow: str) -> Headers:
    """Which FlowSchema and priority level a request fell under, and a warning about its credential; nothing where the
    apiserver does not say.
    """
    uids, _, warning = flow.partition("\n")
    warnings = answers.warning_headers([warning]) if warning else ()
    schema, _, level = uids.encode().partition(b" ")
    if not schema or not level:
        return (*warnings,)
    return (b"X-Kubernetes-Pf-Flowschema-Uid", schema), (b"X-Kubernetes-Pf-Prioritylevel-Uid", level), *warnings
