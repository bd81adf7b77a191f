"""A channel of a MemoryNetwork: what generated stubs take."""

from collections.abc import Callable
from typing import Any

import grpc

from kybern.rpc.memory.call import MemoryCall
from kybern.rpc.memory.network import MemoryNetwork
from kybern.rpc.memory.wire import as_pairs
from kybern.rpc.transport import Identity


class MemoryChannel:
    """Calls for one identity to one target."""

    def __init__(self, network: MemoryNetwork, identity: Identity, target: str, server_name: str) -> None:
        self._network = network
        self._identity = identity
        self.target = target
        self.server_name = server_name
        self._calls: dict[int, MemoryCall] = {}
        self._closed = False

    def unary_unary(self, method: str, *codecs: Any, **named: Any) -> Callable[..., MemoryCall]:
        return self._method(method, False, codecs, named)

    def unary_stream(self, method: str, *codecs: Any, **named: Any) -> Callable[..., MemoryCall]:
        return self._method(method, False, codecs, named)

    def stream_unary(self, method: str, *codecs: Any, **named: Any) -> Callable[..., MemoryCall]:
        return self._method(method, True, codecs, named)

    def stream_stream(self, method: str, *codecs: Any, **named: Any) -> Callable[..., MemoryCall]:
        return self._method(method, True, codecs, named)

    def _method(
        self, method: str, request_streaming: bool, codecs: tuple[Any, ...], named: dict[str, Any]
    ) -> Callable[..., MemoryCall]:
        by_position = dict(zip(("request_serializer", "response_deserializer"), codecs, strict=False))
        given = {**by_position, **named}
        pair = (given.get("request_serializer"), given.get("response_deserializer"))

        def start(
            request: Any = None,
            timeout: float | None = None,
            metadata: Any = None,
            credentials: Any = None,
            wait_for_ready: bool | None = None,
            compression: Any = None,
            request_iterator: Any = None,
        ) -> MemoryCall:
            if self._closed:
                raise grpc.aio.UsageError("Channel is closed.")
            call = MemoryCall(
                self._network,
                self._identity,
                self.target,
                method,
                pair,
                as_pairs(metadata),
                timeout,
                bool(wait_for_ready),
            )
            self._calls[call.number] = call
            call.add_done_callback(self._forget)
            if not request_streaming:
                call.send(request)
                call.half_close()
            elif request is not None or request_iterator is not None:
                call.write_all(request if request is not None else request_iterator)
            return call

        return start

    def _forget(self, call: MemoryCall) -> None:
        self._calls.pop(call.number, None)

    async def bidi(self, method: str) -> None:
        """There are no streams apart from the others."""

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        if self._closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        found = self._network.find(self._identity.user, self.target) is not None
        return grpc.ChannelConnectivity.READY if found else grpc.ChannelConnectivity.TRANSIENT_FAILURE

    async def channel_ready(self) -> None:
        """Until a server listens at the target."""
        while self._network.find(self._identity.user, self.target) is None:
            await self._network.pause(0.01)

    async def close(self, grace: float | None = None) -> None:
        """End every call."""
        self._closed = True
        for call in list(self._calls.values()):
            call.cancel()

    async def __aenter__(self) -> "MemoryChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
