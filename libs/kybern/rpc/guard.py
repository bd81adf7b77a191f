"""What every served call passes through: policy, deadline, trace span, metrics, log and error mapping.

Handlers are wrapped once, when a servicer is registered, rather than by grpc interceptors for each call: an
interceptor sees no peer, runs before the context exists, and costs a coroutine per call. Both transports register
through `Guard`, so a call is treated the same over TLS and in memory.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import grpc
from opentelemetry.trace import SpanKind

from kybern.kube import status as statuses
from kybern.kube.status import StatusError
from kybern.rpc.errors import abort, grpc_code
from kybern.rpc.identity import peer
from kybern.rpc.metrics import ServerMetrics
from kybern.rpc.policy import decide_allowed
from kybern.rpc.tracing import enter_span, metadata_value
from kybern.rpc.transport import Identity, Policy
from kybern.telemetry import Telemetry

DEFAULT_DEADLINE = 60.0  # seconds, for unary calls whose client set none
Behavior = Callable[[Any, Any], Awaitable[Any]]


class Guard:
    """Wraps the method handlers of one server."""

    def __init__(self, policy: Policy, telemetry: Telemetry, metrics: ServerMetrics) -> None:
        self.policy = policy
        self.telemetry = telemetry
        self.metrics = metrics
        self._wrapped: dict[str, Any] = {}

    def handler(self, method: str, handler: Any) -> Any:
        """The guarded form of an RpcMethodHandler for `/package.Service/Method`."""
        if method not in self._wrapped:
            self._wrapped[method] = self._wrap(method, handler)
        return self._wrapped[method]

    def generic(self, handlers: Sequence[Any]) -> list[Any]:
        """The guarded form of generic handlers, which are looked up by name at each call."""
        return [_GuardedGeneric(self, handler) for handler in handlers]

    def _wrap(self, method: str, handler: Any) -> Any:
        codecs = (handler.request_deserializer, handler.response_serializer)
        if not handler.request_streaming and not handler.response_streaming:
            return grpc.unary_unary_rpc_method_handler(self._guarded(method, handler.unary_unary, True), *codecs)
        if not handler.response_streaming:
            return grpc.stream_unary_rpc_method_handler(self._guarded(method, handler.stream_unary, False), *codecs)
        if not handler.request_streaming:
            behavior = self._guarded(method, as_writer(handler.unary_stream), False)
            return grpc.unary_stream_rpc_method_handler(behavior, *codecs)
        behavior = self._guarded(method, as_writer(handler.stream_stream), False)
        return grpc.stream_stream_rpc_method_handler(behavior, *codecs)

    def _guarded(self, method: str, behavior: Behavior, unary: bool) -> Behavior:
        decided: dict[Identity, bool] = {}

        async def guarded(request: Any, context: Any) -> Any:
            loop = asyncio.get_running_loop()
            started, code, span = loop.time(), "OK", None
            identity = peer(context)
            try:
                allowed = decided.get(identity)
                if allowed is None:
                    allowed = decided[identity] = decide_allowed(self.policy, method, identity)
                if not allowed:
                    raise statuses.forbidden("", "", "", f'User "{identity.user}" cannot call {method}')
                traceparent = metadata_value(context, "traceparent")
                if traceparent:
                    span = self.telemetry.start_span(method[1:], traceparent, kind=SpanKind.SERVER)
                    enter_span(span.traceparent)
                if unary and context.time_remaining() is None:
                    async with asyncio.timeout(DEFAULT_DEADLINE):
                        return await behavior(request, context)
                return await behavior(request, context)
            except grpc.aio.AbortError:
                code = code_name(context.code())
                raise
            except (grpc.aio.InternalError, asyncio.CancelledError):  # the client has gone
                code = "CANCELLED"
                raise
            except Exception as error:  # the boundary: one failed call never ends the server
                failed = self._status(method, identity, error)
                code = grpc_code(failed).name
                if span is not None:
                    span.fail(failed.message)
            finally:
                if span is not None:
                    span.end()
                self.metrics.record(method, code, loop.time() - started)
            return await abort(context, failed)

        return guarded

    def _status(self, method: str, identity: Identity, error: Exception) -> StatusError:
        """What the client is told about an exception; only surprises are logged as errors."""
        extra = {"method": method, "peer": identity.user}
        if isinstance(error, StatusError):
            if error.code >= 500 or error.code in (401, 403):
                self.telemetry.log.warning("call refused: %s", error.message, extra=extra)
            return error
        if isinstance(error, TimeoutError):
            self.telemetry.log.warning("call timed out", extra=extra)
            return statuses.timeout(str(error) or f"{method} took longer than its deadline")
        if isinstance(error, NotImplementedError):  # what generated servicers raise
            return statuses.status_error(405, "MethodNotAllowed", f"{method} is not implemented")
        self.telemetry.log.error("call failed", extra=extra, exc_info=error)
        return statuses.internal(str(error) or type(error).__name__)


class _GuardedGeneric(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """A generic handler whose results are guarded."""

    def __init__(self, guard: Guard, handler: Any) -> None:
        self._guard, self._handler = guard, handler

    def service(self, handler_call_details: Any) -> Any:
        handler = self._handler.service(handler_call_details)
        return None if handler is None else self._guard.handler(handler_call_details.method, handler)


def code_name(code: Any) -> str:
    """The name of a status code, which grpc.aio gives as a number."""
    if isinstance(code, int):
        return next((known.name for known in grpc.StatusCode if known.value[0] == code), "UNKNOWN")
    return code.name if isinstance(code, grpc.StatusCode) else "UNKNOWN"


def as_writer(behavior: Callable[[Any, Any], Any]) -> Behavior:
    """A streaming method as a coroutine that writes, also if it was written as an async generator."""
    if not inspect.isasyncgenfunction(behavior):
        return behavior

    async def write_all(request: Any, context: Any) -> None:
        async with aclosing(behavior(request, context)) as responses:
            async for response in responses:
                await context.write(response)

    return write_all
