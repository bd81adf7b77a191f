"""Status lines and headers that every answer has: Audit-Id, Date, the flow that a request was put in."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from kybern.gateway import answers
from kybern.gateway.http.message import JSON, Request, status_line
from kybern.runtime.service import Env


class Heads:
    """The date is written once a second, an Audit-Id is unique but not secret: a part of this process, and a count."""

    def __init__(self, env: Env) -> None:
        self._clock = env.clock
        self._loop = asyncio.get_running_loop()
        text = f"{env.random.getrandbits(80):020x}"
        self._audit_prefix = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:]}-".encode()
        self._audited = 0
        self._date = b""
        self._date_until = 0.0
        self._plain = (b"", b"")

    def standard(self, request: Request) -> bytes:
        """Headers of every response."""
        audit_id = request.audit_id.encode() or request.headers.get(b"audit-id") or self._new_audit_id()
        headers = b"Audit-Id: %b\r\nDate: %b\r\n%b" % (audit_id, self._http_date(), flow_headers(request.flow))
        if request.warning:
            (warning,) = answers.warning_headers([request.warning])
            headers += b"%b: %b\r\n" % warning
        return headers

    def plain(self, flow: str, status: int) -> bytes:
        """Status line and headers of a JSON object, without its length."""
        date = self._http_date()
        if self._plain[0] is not date:
            self._plain = (date, b"Date: %b\r\nCache-Control: no-cache, private\r\nContent-Type: %b\r\n" % (date, JSON))
        parts = (status_line(status), self._new_audit_id(), flow_headers(flow), self._plain[1])
        return b"%bAudit-Id: %b\r\n%b%b" % parts

    def _new_audit_id(self) -> bytes:
        self._audited += 1
        return b"%b%012x" % (self._audit_prefix, self._audited)

    def _http_date(self) -> bytes:
        now = self._loop.time()
        if now >= self._date_until:
            self._date = self._clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
            self._date_until = now + 1.0
        return self._date


@lru_cache(maxsize=4096)
def flow_headers(flow: str) -> bytes:
    """Which FlowSchema and priority level a request fell under; nothing where the apiserver does not say."""
    schema, _, level = flow.encode().partition(b" ")
    if not schema or not level:
        return b""
    return b"X-Kubernetes-Pf-Flowschema-Uid: %b\r\nX-Kubernetes-Pf-Prioritylevel-Uid: %b\r\n" % (schema, level)
