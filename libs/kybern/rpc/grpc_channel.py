"""A grpc.aio channel that follows the rotation of its client certificate.

Looks like `grpc.aio.Channel` to generated stubs. When the source's version has grown, the next call opens a new
connection; the old one is closed once its last call has ended.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import grpc

from kybern.pki.contexts import client_context
from kybern.pki.source import CertificateSource
from kybern.rpc.bidi import offered
from kybern.rpc.bidi.client import ClientStream

MAX_MESSAGE = 64 << 20  # bytes
LAST_CALLS = 24 * 3600.0  # seconds that calls on an old connection may still take
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.absolute_max_metadata_size", 2 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 20),  # a service that starts is reached at once
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # in truth: how long one attempt to connect may take
    ("grpc.use_local_subchannel_pool", 1),  # connections belong to this channel's certificate
    ("grpc.enable_http_proxy", 0),
)


class RotatingChannel:
    """The newest connection to a server, and those that still have calls."""

    def __init__(self, target: str, server_name: str, certificates: CertificateSource) -> None:
        self.target = target
        self.server_name = server_name
        self._certificates = certificates
        self._version = 0
        self._channel: grpc.aio.Channel | None = None
        self._context: tuple[int, ssl.SSLContext] | None = None  # for streams in the event loop, and its version
        self._closing: dict[asyncio.Task[None], grpc.aio.Channel] = {}

    def current(self) -> grpc.aio.Channel:
        """The underlying channel for a new call."""
        version = self._certificates.version
        if self._channel is not None and version == self._version:
            return self._channel
        if self._channel is not None:
            task = asyncio.create_task(self._channel.close(LAST_CALLS), name=f"old connection to {self.target}")
            self._closing[task] = self._channel
            task.add_done_callback(lambda task: self._closing.pop(task, None))
        pair = self._certificates.current()
        credentials = grpc.ssl_channel_credentials(pair.ca, pair.key, pair.cert)
        names = (("grpc.ssl_target_name_override", self.server_name), ("grpc.default_authority", self.server_name))
        self._channel = grpc.aio.secure_channel(self.target, credentials, options=OPTIONS + names)
        self._version = version
        return self._channel

    def unary_unary(self, method: str, *codecs: Any, **named: Any) -> Callable[..., Any]:
        return self._method("unary_unary", method, codecs, named)

    def unary_stream(self, method: str, *codecs: Any, **named: Any) -> Callable[..., Any]:
        return self._method("unary_stream", method, codecs, named)

    def stream_unary(self, method: str, *codecs: Any, **named: Any) -> Callable[..., Any]:
        return self._method("stream_unary", method, codecs, named)

    def stream_stream(self, method: str, *codecs: Any, **named: Any) -> Callable[..., Any]:
        return self._method("stream_stream", method, codecs, named)

    def _method(self, kind: str, method: str, codecs: tuple[Any, ...], named: dict[str, Any]) -> Callable[..., Any]:
        """A callable like the channel's own, bound anew after each rotation."""
        bound_to: grpc.aio.Channel | None = None
        bound: Any = None

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal bound_to, bound
            channel = self.current()
            if channel is not bound_to:
                bound_to, bound = channel, getattr(channel, kind)(method, *codecs, **named)
            return bound(*args, **kwargs)

        return call

    async def bidi(self, method: str) -> ClientStream | None:
        """A stream of raw messages in the event loop; None where the server has none. Raises AioRpcError."""
        path = offered(self.target)
        if path is None:
            return None
        if self._context is None or self._context[0] != self._certificates.version:
            self._context = self._certificates.version, client_context(self._certificates.current(), ["h2"])
        return await ClientStream.connect(path, method, self.server_name, self._context[1])

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self.current().get_state(try_to_connect)

    async def channel_ready(self) -> None:
        """Until the server has been reached and has proved its name."""
        await self.current().channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """End every call and connection."""
        old = dict(self._closing)
        for task in old:
            task.cancel()
        await asyncio.gather(*old, return_exceptions=True)
        for channel in old.values():
            await channel.close(None)
        if self._channel is not None:
            await self._channel.close(grace)

    async def __aenter__(self) -> "RotatingChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
