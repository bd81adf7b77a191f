"""From a request to its handler: one table of paths and verbs, and the boundary where errors become Statuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from kybern.gateway import answers
from kybern.gateway.api import SPACED_WARNING, Api
from kybern.gateway.core.budget import Budget
from kybern.gateway.core.router import ResourcePath, resource_path
from kybern.gateway.handlers import aggregated, logs, port_forward, proxy, read, remote_command, watch, write
from kybern.gateway.handlers.fast_create import FastCreate
from kybern.gateway.handlers.fast_get import FastGet
from kybern.gateway.handlers.health import NOT_FOUND, Readiness
from kybern.gateway.handlers.others import GatewayOptions, Others
from kybern.gateway.handlers.target import Target, find, resource_of
from kybern.gateway.heads import Heads
from kybern.gateway.http.handler import Said
from kybern.gateway.http.message import Request, Response
from kybern.gateway.metrics import ANSWERED, Labels, RequestMetrics, labels_of, other_labels
from kybern.kube.status import StatusError, bad_request, internal, request_entity_too_large, service_unavailable
from kybern.telemetry import Span
from kybern.telemetry.series import Series

Answer = Awaitable[Response | None]
MUTATING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
READS: dict[str, Callable[[Api, Request, Target, str], Answer]] = {
    "get": read.get,
    "list": read.list_objects,
    "watch": watch.watch,
}
WRITES: dict[str, Callable[[Api, Request, Target, str], Answer]] = {
    "create": write.create,
    "update": write.update,
    "patch": write.patch,
    "delete": write.delete,
    "deletecollection": write.delete_collection,
}
STREAMS: dict[str, Callable[[Api, Request, Target], Answer]] = {
    "log": logs.logs,
    "exec": remote_command.remote_command,
    "attach": remote_command.remote_command,
    "portforward": port_forward.port_forward,
    "proxy": proxy.proxy,
}
REFUSED_HERE = (400, 406, 415)  # codes of what is wrong with the form of a request
TRACES_PER_SECOND, TRACES_AT_ONCE = 2, 100  # of writes that bring no trace of their own; one costs some 3 ms in all
TERMINATED, CROWDED = (429, 504), "Too many requests, please try again later."
SKIP = "insecureSkipTLSVerifyBackend"
VALIDATIONS = ("", "Ignore", "Warn", "Strict")
PLAIN: dict[str, Any] = {"metadata": {}, "code": 404}  # a 404 without a Status


class NoSuchGroup(Exception):
    """The path is below an API group that nobody serves, or names nothing in a group of custom resources: a path like
    any other that is not there."""


class Gateway:
    """The handler of every connection."""

    def __init__(self, api: Api, front: Readiness, server_address: str, options: GatewayOptions) -> None:
        self._api = api
        self._log = api.env.telemetry.log
        self._loop = asyncio.get_running_loop()
        self._others = Others(api, front, server_address, options)
        self.metrics = RequestMetrics(api.env.telemetry.registry, api.sizes)
        self._labels: dict[tuple[ResourcePath, str], Labels] = {}
        self._traces = Budget(TRACES_PER_SECOND, TRACES_AT_ONCE)
        self.gets = FastGet(api, self._series_of)
        self.creates = FastCreate(api, self._series_of, self._traces)
        heads = Heads(api.env, api.headers)
        self.standard_headers, self.plain_head, self.audit_id = heads.standard, heads.plain, heads.audit_id
        self.get_again, self.create_again = self.gets.again, self.creates.again  # the shortest way: known words

    def begin(self, request: Request, said: Said | None) -> bool:
        """Whether the request went the short way."""
        if not self._api.loaded.is_set():
            return False
        if request.method == "POST":
            self.creates.learn(request, said)
        return self.gets.begin(request, said)

    def passes_on(self, target: bytes) -> bool:
        """Whether the body of a request goes on to another server, and so is read while it comes."""
        path = resource_path(target.partition(b"?")[0].decode("latin-1"))
        if path is None:
            return False
        return path.subresource == "proxy" or (path.group, path.version) in self._api.resources.remote

    async def handle(self, request: Request) -> Response | None:
        """Answer one request. Raises nothing but cancellation."""
        path = resource_path(request.path)
        with self.metrics.flying(request.method):
            return await self._handle(request, path)

    async def _handle(self, request: Request, path: ResourcePath | None) -> Response | None:
        labels, code, response = None, 200, None
        try:
            if path is None:
                labels = other_labels(request.method, request.path)
                response = await self._others.handle(request)
                code = request.answered or 200 if response is None else response.status
                return response
            if (path.group, path.version) in self._api.resources.remote:
                labels = self._labels_for(path, aggregated.verb_of(request, path))
                response = await aggregated.aggregated(self._api, request, path)
                code = request.answered or 200 if response is None else response.status
                return response
            target = await self._find(request, path)
            labels = self._labels_of(target)
            if target.verb in MUTATING and not target.connects:
                labels = _of_write(request, labels)
                if b"fieldValidation" in request.raw_query:
                    self.metrics.validations.add(_validation(request))
                self._api.sizes.of_bodies(path, target.verb).observe(len(request.body))
            response = await self._resource(request, target)
            code = request.answered or 200 if response is None else response.status
            return response
        except StatusError as found:
            error = await self._recorded(request, path, found)
            code = error.code
            if code in TERMINATED:
                self._terminated(request, path, error)
            denied = code == 401 or (code == 403 and " cannot " in error.message)
            if denied and request.warning != SPACED_WARNING:
                request.warning = ""  # of a resource: only for those who may ask for it
            response = answers.failure(request, error)
            return response
        except NoSuchGroup:
            code = 404
            return NOT_FOUND
        except ConnectionResetError:
            code = 499
            return None
        except Exception as error:  # the boundary of the service: whatever went wrong is answered and logged
            self._log.exception("request failed", extra={"method": request.method, "path": request.path})
            code = 500
            return answers.failure(request, internal(str(error) or type(error).__name__))
        finally:
            if labels is None and path is not None and code >= 500:
                labels = self._labels_for(path, aggregated.verb_of(request, path))
            if labels is not None:
                self._count(request, labels, code, response)

    def _terminated(self, request: Request, path: ResourcePath | None, error: StatusError) -> None:
        """A request that the server has ended to protect itself: no time was left, or no seat."""
        if error.code == 429 and error.message != CROWDED:
            return
        if path is None:
            labels = Labels(request.method, "", "", "", request.path, "")
        else:
            labels = self._labels_for(path, aggregated.verb_of(request, path))
        self.metrics.terminated(labels, error.code)

    def _count(self, request: Request, labels: Labels, code: int, response: Response | None) -> None:
        """One more; of reads it is known how large the answer was."""
        size = -1
        if labels.verb in ANSWERED and labels.component:
            size = len(response.body) if response is not None else request.stream.sent if request.stream else -1
        self.metrics.series(labels).record(code, self._loop.time() - request.started, size)

    async def _find(self, request: Request, path: ResourcePath) -> Target:
        """The target; what is not there is told only to those who may ask. Raises StatusError, NoSuchGroup."""
        if not self._api.loaded.is_set():
            raise service_unavailable("the gateway has not reached the apiserver yet")
        try:
            target = find(request, path, self._api.resources)
            request.warning = target.served.warning
            return target
        except StatusError as error:
            nowhere = path.group and not self._is_known(path, error)
            await self._told(request, path, PLAIN if nowhere else error.status)
            if nowhere:
                raise NoSuchGroup from None
            raise

    async def _told(self, request: Request, path: ResourcePath, answer: dict[str, Any]) -> None:
        """Whether the client may hear this answer. Raises StatusError."""
        resource = resource_of(path)
        if path.resource == "namespaces" and not path.group:
            resource.namespace = path.name  # a namespace lies in itself
        verb = aggregated.verb_of(request, path)
        await self._api.check_resource_access(request, resource, path.name, verb, answer)

    async def _recorded(self, request: Request, path: ResourcePath | None, error: StatusError) -> StatusError:
        """The answer to a request that was refused here: only for those who may ask, and the audit log has it, too."""
        audited = self._api.resources.table.audited
        asked = request.audit_id if audited else request.flow or error.code not in REFUSED_HERE
        if path is None or asked or error.code == 401:
            return error
        try:
            await self._told(request, path, error.status)
        except StatusError as denied:
            return denied
        return error

    def _is_known(self, path: ResourcePath, error: StatusError) -> bool:
        """Whether what is not there is said in the words of the API; custom resources have them for objects alone."""
        served = self._api.resources.find(path.group, path.version, path.resource)
        if served is not None and served.custom:
            return error.code != 404 or bool(error.details)
        return path.group in self._api.resources.own_groups

    async def _resource(self, request: Request, target: Target) -> Response | None:
        traceparent = request.header(b"traceparent")
        if target.connects:
            if target.path.subresource == "log":
                self.metrics.logs.add("skip_tls_allowed" if request.parameter(SKIP) == "true" else "enforce_tls")
            with self.metrics.lasting(request.method, self._labels_of(target)):
                return await STREAMS[target.path.subresource](self._api, request, target)
        if target.verb in MUTATING:
            return await self._write(request, target, traceparent)
        if target.verb != "watch":
            return await READS[target.verb](self._api, request, target, traceparent)
        labels = self._labels_of(target)
        if any(term.startswith("metadata.name=") for term in request.parameter("fieldSelector").split(",")):
            labels = labels._replace(scope="resource")
        with self.metrics.lasting(request.method, labels):
            return await READS["watch"](self._api, request, target, traceparent)

    async def _write(self, request: Request, target: Target, traceparent: str) -> Response | None:
        """A write, in the root span of whatever happens because of it."""
        path = target.path
        resource = f"{path.resource}/{path.subresource}" if path.subresource else path.resource
        root = not traceparent and self._traces.take(self._loop.time())
        span = self._api.env.telemetry.start_span(f"gateway {request.method} {resource}", traceparent, root=root)
        try:
            response = await WRITES[target.verb](self._api, request, target, span.traceparent or traceparent)
            if span.traceparent and response is not None:
                _describe(span, target, response)
            return response
        except StatusError as error:
            span.set(http__response__status_code=error.code)
            span.fail(error.message)
            raise
        finally:
            span.end()

    def _series_of(self, target: Target) -> Series:
        return self.metrics.series(self._labels_of(target))

    def _labels_of(self, target: Target) -> Labels:
        return self._labels_for(target.path, target.verb, target.connects)

    def _labels_for(self, path: ResourcePath, verb: str, connects: bool = False) -> Labels:
        key = (path, verb)
        labels = self._labels.get(key)
        if labels is None:
            labels = labels_of(path, verb, connects=connects)
            if len(self._labels) >= 8192:
                self._labels.clear()
            self._labels[key] = labels
        return labels

    def refuse(self, request: Request, code: int) -> Response:
        """The answer to a request that is too large to be read."""
        if code == 413:
            return answers.failure(request, request_entity_too_large("limit is 3145728"))
        return answers.failure(request, bad_request("request header fields are too large"))


def _describe(span: Span, target: Target, response: Response) -> None:
    """Name the object that a write made or changed, so that its trace can be found."""
    span.set(
        http__response__status_code=response.status,
        k8s__resource=target.path.resource,
        k8s__namespace__name=target.path.namespace,
    )
    name = target.path.name or _created_name(response)
    if name:
        span.set(k8s__object__name=name)
        if target.path.resource == "pods":
            span.set(k8s__pod__name=name)


def _created_name(response: Response) -> str:
    body = response.stored if isinstance(response, answers.Converted) else response.body
    if response.status != 201 or not body.startswith(b"{"):
        return ""
    try:
        return str((orjson.loads(body).get("metadata") or {}).get("name") or "")
    except (orjson.JSONDecodeError, AttributeError):
        return ""


def _validation(request: Request) -> str:
    given = request.query.get("fieldValidation", [])
    return given[0] if len(given) == 1 and given[0] in VALIDATIONS else "invalid"


def _of_write(request: Request, labels: Labels) -> Labels:
    """A dry run and an apply are counted apart."""
    if request.raw_query and "All" in request.query.get("dryRun", ()):
        labels = labels._replace(dry_run="All")
    if labels.verb == "PATCH" and "apply-patch" in request.header(b"content-type"):
        labels = labels._replace(verb="APPLY")
    return labels
