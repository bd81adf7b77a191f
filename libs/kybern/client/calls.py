"""One wire under the objects client: requests go out, replies or a StatusError come back.

`Calls` is the seam between verbs (`objects`) and the way they travel. `UnaryCalls` makes a gRPC call for each request.
`ExchangeCalls` puts requests and watches into the messages of one stream, where those that wait travel together; lists
keep streams of their own, so that their flow control slows nobody else down. A watch whose reader falls far behind
fails.
"""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc

from kybern.protos.api.v1.objects_pb2_grpc import ObjectsStub
from kybern.rpc.errors import status_error
from kybern.rpc.exchange.client import ExchangeClient

METHODS = {
    "get": "Get",
    "list": "List",
    "watch": "Watch",
    "create": "Create",
    "update": "Update",
    "patch": "Patch",
    "delete": "Delete",
    "delete_collection": "DeleteCollection",
}


class Calls(Protocol):
    """How requests travel. `verb` is the name of the request's field in `Call`."""

    async def call(self, verb: str, request: Any, traceparent: str, timeout: float) -> Any:
        """One request, one response. Raises StatusError."""
        ...

    def stream(self, verb: str, request: Any, traceparent: str, timeout: float) -> AsyncIterator[Any]:
        """One request, many responses. Raises StatusError."""
        ...


class UnaryCalls:
    """A gRPC call for each request."""

    def __init__(self, channel: Any) -> None:
        self._stub: Any = ObjectsStub(channel)

    async def call(self, verb: str, request: Any, traceparent: str, timeout: float) -> Any:
        try:
            return await getattr(self._stub, METHODS[verb])(request, timeout=timeout, metadata=_metadata(traceparent))
        except grpc.RpcError as error:
            raise status_error(error) from error

    async def stream(self, verb: str, request: Any, traceparent: str, timeout: float) -> AsyncIterator[Any]:
        """Waits for a server that is just starting, within the timeout."""
        method = getattr(self._stub, METHODS[verb])
        call = method(request, timeout=timeout, metadata=_metadata(traceparent), wait_for_ready=True)
        try:
            async for response in call:
                yield response
        except grpc.RpcError as error:
            raise status_error(error) from error
        finally:
            call.cancel()


class ExchangeCalls(UnaryCalls):
    """Single responses and watches over an open Exchange."""

    def __init__(self, channel: Any, exchange: ExchangeClient) -> None:
        super().__init__(channel)
        self._exchange = exchange

    async def call(self, verb: str, request: Any, traceparent: str, timeout: float) -> Any:
        return await self._exchange.call(request, traceparent=traceparent, timeout=timeout)

    def stream(self, verb: str, request: Any, traceparent: str, timeout: float) -> AsyncIterator[Any]:
        if verb != "watch":
            return super().stream(verb, request, traceparent, timeout)
        request.shared = True
        return self._exchange.stream(request, traceparent=traceparent, timeout=timeout)


def _metadata(traceparent: str) -> tuple[tuple[str, str], ...]:
    return (("traceparent", traceparent),) if traceparent else ()
