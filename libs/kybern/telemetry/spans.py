"""Spans on their way out: a bounded buffer that an async task empties over the service's own transport by OTLP.

What does not fit is dropped and counted; a trace service that is away costs nothing but its spans.
"""

import asyncio
from collections import deque
from random import Random
from typing import Any

from google.protobuf.message import Message
from grpc import RpcError
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator

INTERVAL = 0.2  # seconds between exports
BATCH = 64  # spans in one export: encoding them holds the loop up for a few milliseconds
DEADLINE = 5.0  # seconds for one export


class SpanBuffer(SpanProcessor):
    """Keeps ended spans until they are exported; at most `limit` of them."""

    def __init__(self, limit: int = 8192) -> None:
        self.spans: deque[ReadableSpan] = deque()
        self.limit = limit
        self.dropped = 0

    def on_end(self, span: ReadableSpan) -> None:
        if len(self.spans) < self.limit:
            self.spans.append(span)
        else:
            self.dropped += 1

    def take(self) -> list[ReadableSpan]:
        """The oldest spans, at most one batch."""
        return [self.spans.popleft() for _ in range(min(BATCH, len(self.spans)))]


class SeededIds(IdGenerator):
    """Trace and span ids from a given source of randomness."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or 1


def make_provider(service: str, random: Random, buffer: SpanBuffer, **attributes: str) -> TracerProvider:
    """A tracer provider for one service whose spans end in `buffer`."""
    resource = Resource({"service.name": f"kybern-{service}", **attributes})
    provider = TracerProvider(
        resource=resource, id_generator=SeededIds(random), span_limits=SpanLimits(), shutdown_on_exit=False
    )
    provider.add_span_processor(buffer)
    return provider


async def flush(buffer: SpanBuffer, channel: Any) -> None:
    """Send what waits, a batch at a time; a batch the receiver does not take is dropped."""
    stub: Any = TraceServiceStub(channel)  # type: ignore[no-untyped-call]  # generated without types
    while spans := buffer.take():
        request: Message = encode_spans(spans)
        try:
            await stub.Export(request, timeout=DEADLINE)
        except RpcError:
            buffer.dropped += len(spans)
            return


async def run_exporter(buffer: SpanBuffer, channel: Any) -> None:
    """Export for as long as the service lives, and once more when it ends."""
    try:
        while True:
            await asyncio.sleep(INTERVAL)
            if buffer.spans:
                await flush(buffer, channel)
    finally:
        if buffer.spans:
            await asyncio.wait_for(flush(buffer, channel), 1.0)
