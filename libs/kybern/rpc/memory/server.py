"""A server at an address of a MemoryNetwork."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from kybern.rpc.builtin import add_builtin_services
from kybern.rpc.guard import Guard
from kybern.rpc.memory.call import MemoryCall
from kybern.rpc.memory.context import MemoryContext
from kybern.rpc.memory.network import MemoryNetwork
from kybern.rpc.memory.wire import ToServer, Trailers
from kybern.rpc.streams import END_OF_STREAM

GONE = Trailers(grpc.StatusCode.UNAVAILABLE, "the server is shutting down")
UNKNOWN_METHOD = Trailers(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


@dataclass(frozen=True, slots=True)
class CallDetails:
    """What a generic handler is asked about."""

    method: str
    invocation_metadata: Any


class MemoryServer:
    """Runs each call as a task that it owns; guarded like a gRPC server."""

    def __init__(self, network: MemoryNetwork, address: str, guard: Guard) -> None:
        self.address = address  # the one in use, after start
        self.port = 0
        self.metrics = guard.metrics
        self.health: Any = None
        self.draining = asyncio.Event()  # set when the server begins to stop
        self._network = network
        self._guard = guard
        self._methods: dict[str, Any] = {}
        self._generic: list[Any] = []
        self._names: list[str] = []
        self._tasks: dict[asyncio.Task[None], MemoryContext] = {}
        self._serving = False
        self._stopped = asyncio.Event()

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Register handlers that are found by name at each call."""
        self._generic.extend(self._guard.generic(handlers))

    def add_registered_method_handlers(self, service_name: str, method_handlers: dict[str, Any]) -> None:
        """Register a service's methods, as generated code does."""
        if service_name not in self._names:
            self._names.append(service_name)
        for name, handler in method_handlers.items():
            method = f"/{service_name}/{name}"
            self._methods[method] = self._guard.handler(method, handler)

    async def start(self) -> None:
        """Listen; raises CannotListen."""
        self.health = await add_builtin_services(self, tuple(self._names))
        self.address = self._network.listen(self.address, self)
        port = self.address.rpartition(":")[2]
        self.port = int(port) if port.isdigit() else 1
        self._serving = True

    async def stop(self, grace: float | None) -> None:
        """Refuse new calls, let open ones end within `grace` seconds."""
        self._network.unlisten(self.address, self)
        self.draining.set()
        if self._serving:
            await self.health.enter_graceful_shutdown()
        self._serving = False
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        if tasks and grace:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._stopped.set()

    async def wait_for_termination(self) -> None:
        """Until the server has stopped."""
        await self._stopped.wait()

    def accept(self, call: MemoryCall) -> Callable[[ToServer], None]:
        """A call has arrived; what it sends goes to the result."""
        handler = self._find(call)
        codecs = (handler.request_deserializer, handler.response_serializer) if handler is not None else (None, None)
        context = MemoryContext(call, codecs)
        context.task = asyncio.create_task(self._serve(context, handler), name=call.method)
        self._tasks[context.task] = context
        context.task.add_done_callback(lambda task: self._tasks.pop(task, None))
        return context.receive

    def _find(self, call: MemoryCall) -> Any:
        found = self._methods.get(call.method)
        for generic in self._generic:
            found = found or generic.service(CallDetails(call.method, call.metadata))
        return found

    async def _serve(self, context: MemoryContext, handler: Any) -> None:
        trailers = GONE
        try:
            trailers = await self._run(context, handler)
        except asyncio.CancelledError:
            if context.cancelled():
                trailers = Trailers(grpc.StatusCode.CANCELLED, "CANCELLED")
            raise
        except Exception as error:
            trailers = Trailers(grpc.StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}")
            self._guard.telemetry.log.exception("call failed", extra={"peer": context.identity.user})
        finally:
            context.finish(trailers)

    async def _run(self, context: MemoryContext, handler: Any) -> Trailers:
        if handler is None:
            return UNKNOWN_METHOD
        request: Any = context.requests() if handler.request_streaming else await context.read()
        if request is END_OF_STREAM:
            return Trailers(grpc.StatusCode.INTERNAL, "the request is missing")
        behavior = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        try:
            response = await behavior(request, context)
            if not handler.response_streaming and context.code() in (None, grpc.StatusCode.OK):
                await context.write(response)
            return context.trailers()
        except grpc.aio.AbortError:
            return context.trailers(grpc.StatusCode.UNKNOWN)
