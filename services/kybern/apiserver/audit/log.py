"""AuditLog: follows each call from its arrival to its answer, and gives an event to every backend at each stage.

A handler is wrapped only when there is a log: without one, auditing costs nothing.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from prometheus_client import CollectorRegistry, Counter

from kybern.apiserver.audit.backend import Backend
from kybern.apiserver.authentication.authenticator import GATEWAY
from kybern.apiserver.core.audit.event import Audited, event
from kybern.apiserver.core.audit.policy import LEVELS, Policy
from kybern.apiserver.core.user import User
from kybern.apiserver.registry.request import attributes, namespace_of, pinned_name
from kybern.apiserver.waiting import MustWait
from kybern.kube.meta import join_group_version
from kybern.kube.rbac import Attributes
from kybern.kube.status import StatusError
from kybern.rpc.exchange.context import CallContext

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

NOBODY = User("")
DECISION, REASON = "authorization.k8s.io/decision", "authorization.k8s.io/reason"
STREAMED = frozenset({"log", "exec", "attach", "portforward", "proxy"})  # subresources with long answers
ANSWERS = ("object", "list")
CHECK = "check_access"
NOT_ACCEPTABLE = 406  # said in plain text
PASSED_ON = ("connect", "forward")  # others answer: what is recorded is that the request was let through
Handler = Callable[[Any, CallContext], Any]


class AuditLog:
    """`unary` and `streaming` wrap handlers; see `Policy` for what is recorded."""

    def __init__(self, policy: Policy, backends: Sequence[Backend], registry: CollectorRegistry) -> None:
        self.policy = policy
        self.backends = backends
        self._levels = Counter("apiserver_audit_level", "Audited requests, by level", ("level",), registry=registry)
        self._events = Counter("apiserver_audit_event", "Audit events", registry=registry)

    def _write(self, audited: Audited, stage: str, now: datetime, status: Any, response: bytes = b"") -> None:
        if stage in audited.recorded.omit_stages:
            return
        line = event(audited, stage, now, status, response)
        self._events.inc()
        for backend in self.backends:
            backend.take(line)

    async def _settled(self) -> None:
        for backend in self.backends:
            await backend.settled()

    async def _begin(self, server: "ApiServer", verb: str, message: Any, call: CallContext) -> Audited | None:
        """The request as the log knows it, if the policy wants it recorded at all."""
        asked, version = self._asked(server, verb, message)
        original, user = await self._users(server, call, getattr(message, "path", ""), asked)
        recorded = self.policy.decide(original, asked)
        self._levels.labels(LEVELS[recorded.level]).inc()
        if not recorded.level:
            return None
        origin, requester = call.origin if call.peer.user == GATEWAY else None, call.requester
        audited = Audited(
            recorded,
            origin.audit_id if origin is not None else str(UUID(int=server.random.getrandbits(128), version=4)),
            origin.request_uri if origin is not None else synthetic_uri(asked, version),
            original,
            asked,
            version,
            server.clock.now(),
            impersonated=user if user is not original and user != original else None,
            source_ips=tuple(origin.source_ips) if origin is not None else (),
            user_agent=requester.user_agent if requester is not None else "",
        )
        if original is NOBODY:
            audited.nobody = True
            return audited
        if user is not None:
            allowed = server.authorizer.may(user, asked)
            audited.annotations[DECISION] = "allow" if allowed else "forbid"
            audited.annotations[REASON] = server.authorizer.explain(user, asked) if allowed else ""
        self._write(audited, "RequestReceived", audited.received, None)
        return audited

    async def _users(
        self, server: "ApiServer", call: CallContext, path: str, asked: Attributes
    ) -> tuple[User, User | None]:
        """Who calls, and as whom (None: they may not); nobody if they cannot be told."""
        while True:
            try:
                original = server.authenticator.original(call, path)
                break
            except MustWait as wait:
                await wait.over()
            except StatusError:
                return NOBODY, None
        try:
            return original, server.authenticator.authenticate(call, path, asked)
        except StatusError:
            return original, None

    def _asked(self, server: "ApiServer", verb: str, message: Any) -> tuple[Attributes, str]:
        if getattr(message, "path", ""):
            return Attributes(message.verb, path=message.path), ""
        resource = message.resource
        told = getattr(message, "verb", "")  # where the call's own name does not tell
        shown = told or "create" if verb in PASSED_ON else told if verb == CHECK else verb.replace("_", "")
        name = getattr(message, "name", "") or pinned_name(getattr(message, "field_selector", ""))
        served = server.table.served.get((resource.group, resource.version, resource.resource))
        if served is None:
            parts = (resource.group, resource.resource, resource.subresource, resource.namespace, name)
            return Attributes(shown, *parts, version=resource.version), resource.version
        asked = attributes(served, shown, resource.subresource, namespace_of(served, resource), name)
        return asked, resource.version

    def _fail(self, server: "ApiServer", audited: Audited, error: Exception) -> None:
        if isinstance(error, StatusError):
            self._answer(audited, server.clock.now(), error.status)
            return
        status = {"metadata": {}, "status": "Failure", "message": str(error), "reason": "InternalError", "code": 500}
        self._write(audited, "Panic", server.clock.now(), status)

    def _answer(self, audited: Audited, now: datetime, status: dict[str, Any]) -> None:
        """A Status was the answer."""
        shown = {key: value for key, value in status.items() if key not in ("kind", "apiVersion")}
        asked, whole = audited.asked, orjson.dumps(status) if "kind" in status else b""
        if status["code"] == NOT_ACCEPTABLE:
            shown, whole = {"metadata": {}, "code": NOT_ACCEPTABLE}, b""
        long = asked.verb == "watch" or asked.subresource in STREAMED
        if audited.nobody or (long and not audited.started):
            self._write(audited, "ResponseStarted", now, shown, whole)
        if not audited.nobody:
            self._write(audited, "ResponseComplete", now, shown, whole)

    def unary(self, server: "ApiServer", verb: str, handler: Handler) -> Callable[[Any, CallContext], Awaitable[Any]]:
        """A handler with one answer, audited."""

        async def audited(message: Any, call: CallContext) -> Any:
            record = call.audit = await self._begin(server, verb, message, call)
            if record is None:
                return await handler(message, call)
            try:
                response = await handler(message, call)
            except Exception as error:
                self._fail(server, record, error)
                await self._settled()
                raise
            status = {"metadata": {}, **success(response), "code": answer_code(verb, response)}
            now = server.clock.now()
            if refusal := _bytes(message, "refusal"):
                self._answer(record, now, orjson.loads(refusal))
                await self._settled()
                return response
            if verb in PASSED_ON:
                self._write(record, "ResponseStarted", now, status)
            data = b"" if verb in PASSED_ON else next((b for field in ANSWERS if (b := _bytes(response, field))), b"")
            self._write(record, "ResponseComplete", now, status, data)
            await self._settled()
            return response

        return audited

    def streaming(
        self, server: "ApiServer", verb: str, handler: Handler
    ) -> Callable[[Any, CallContext], AsyncIterator[Any]]:
        """A list or watch, audited."""

        async def audited(message: Any, call: CallContext) -> AsyncIterator[Any]:
            record = call.audit = await self._begin(server, verb, message, call)
            items: list[bytes] | None = [] if record is not None and record.recorded.with_response else None
            status, head = {"metadata": {}, "code": 200}, dict[str, Any]()
            try:
                async with aclosing(handler(message, call)) as responses:
                    async for response in responses:
                        if record is not None and verb == "watch" and not record.started:
                            record.started = True
                            self._write(record, "ResponseStarted", server.clock.now(), status)
                        if items is not None and verb == "list":
                            head = head or listing(response)
                            if response.items:
                                items.append(response.items)
                        yield response
            except Exception as error:
                if record is not None:
                    self._fail(server, record, error)
                raise
            except BaseException:  # the client has gone
                if record is not None:
                    self._write(record, "ResponseComplete", server.clock.now(), status)
                raise
            if record is not None:
                whole = (
                    list_document(server, message.resource, items, head)
                    if items is not None and verb == "list"
                    else b""
                )
                self._write(record, "ResponseComplete", server.clock.now(), status, whole)
                await self._settled()

        return audited


def listing(response: Any) -> dict[str, Any]:
    """The metadata of a list, if this part of it tells."""
    said = {"resourceVersion": response.resource_version, "continue": response.continue_token}
    if response.HasField("remaining_item_count"):
        said["remainingItemCount"] = response.remaining_item_count
    return {name: value for name, value in said.items() if value}


def list_document(server: "ApiServer", resource: Any, items: list[bytes], metadata: dict[str, Any]) -> bytes:
    """The list that was answered."""
    served = server.table.served.get((resource.group, resource.version, resource.resource))
    kind = served.info.kind if served is not None else ""
    api_version = join_group_version(resource.group, resource.version)
    head = orjson.dumps({"kind": f"{kind}List", "apiVersion": api_version, "metadata": metadata})
    return b'%b,"items":[%b]}' % (head[:-1], b",".join(items))


def success(response: Any) -> dict[str, Any]:
    """What the Status says that answers a deletion, a binding or an eviction."""
    data = _bytes(response, "object")
    if not data.startswith(b'{"kind":"Status"'):
        return {}
    try:
        status = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return {name: status[name] for name in ("status", "details") if name in status}


def answer_code(verb: str, response: Any) -> int:
    """The HTTP status of a success."""
    return 201 if verb == "create" or getattr(response, "created", False) else 200


def synthetic_uri(asked: Attributes, version: str) -> str:
    """The path that a call over gRPC would have had."""
    if not asked.is_resource_request:
        return asked.path
    base = f"/apis/{asked.group}/{version}" if asked.group else f"/api/{version}"
    namespaced = asked.namespace and asked.resource != "namespaces"
    name = asked.name if asked.subresource or asked.verb != "create" else ""  # its body names what is made
    parts = [base, f"namespaces/{asked.namespace}" if namespaced else "", asked.resource, name, asked.subresource]
    return "/".join(part for part in parts if part)


def _bytes(message: Any, field: str) -> bytes:
    found = getattr(message, field, b"")
    return found if isinstance(found, bytes) else b""
