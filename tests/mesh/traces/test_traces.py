"""Spans through the trace service: received, found by the object they speak of, passed on, missed without harm."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from kybern.clock import SystemClock
from kybern.protos.telemetry.v1 import traces_pb2, traces_pb2_grpc
from kybern.telemetry import Telemetry
from kybern.telemetry.spans import SpanBuffer, flush, make_provider
from kybern.testing.mesh import mesh
from kybern.traces.service import SERVICE

POD = {"k8s.resource": "pods", "k8s.namespace.name": "default", "k8s.object.name": "web", "k8s.pod.name": "web"}


def recorded() -> tuple[SpanBuffer, str]:
    """Two spans, parent and child; the id of their trace."""
    buffer = SpanBuffer()
    telemetry = Telemetry("test", SystemClock(), make_provider("test", Random(1), buffer))
    with telemetry.span("gateway POST pods", root=True, attributes={**POD, "k8s.verb": "create"}) as parent:
        with telemetry.span("commit", parent.traceparent, attributes=POD):
            pass
        with pytest.raises(ValueError, match="no room"), telemetry.span("bind", parent.traceparent, attributes=POD):
            raise ValueError("no room")
    return buffer, parent.traceparent.split("-")[1]


async def test_a_trace_is_found_by_its_object_and_by_its_id() -> None:
    buffer, trace_id = recorded()
    async with mesh() as net:
        await net.start(SERVICE)
        await flush(buffer, net.channel("traces:1"))
        stub: Any = traces_pb2_grpc.TracesStub(net.channel("traces:1"))
        request = traces_pb2.GetObjectTraceRequest(resource="pods", namespace="default", name="web")
        trace = (await stub.GetObjectTrace(request)).trace
        assert trace == (await stub.GetTrace(traces_pb2.GetTraceRequest(trace_id=trace_id))).trace
    assert trace.trace_id == trace_id
    assert [(s.name, s.service, s.error) for s in trace.spans] == [
        ("gateway POST pods", "kybern-test", ""),
        ("commit", "kybern-test", ""),
        ("bind", "kybern-test", "no room"),
    ]
    assert trace.spans[1].parent_span_id == trace.spans[0].span_id


async def test_what_is_not_kept_is_not_found() -> None:
    async with mesh() as net:
        await net.start(SERVICE)
        stub: Any = traces_pb2_grpc.TracesStub(net.channel("traces:1"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetTrace(traces_pb2.GetTraceRequest(trace_id="0" * 32))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Another OTLP receiver."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[Any] = asyncio.Queue()

    async def Export(self, request: Any, context: Any) -> Any:
        self.requests.put_nowait(request)
        return trace_service_pb2.ExportTraceServiceResponse()


async def test_spans_are_passed_on_to_another_receiver(tmp_path: Path) -> None:
    buffer, trace_id = recorded()
    collector, server = Collector(), grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"unix:{tmp_path}/collector")
    await server.start()
    async with mesh() as net:
        await net.start(SERVICE, "--otlp-endpoint", f"http://unix:{tmp_path}/collector")
        await flush(buffer, net.channel("traces:1"))
        async with asyncio.timeout(10):
            request = await collector.requests.get()
    await server.stop(0)
    [spans] = [scope.spans for resource in request.resource_spans for scope in resource.scope_spans]
    assert {span.trace_id.hex() for span in spans} == {trace_id}


async def test_a_missing_trace_service_costs_only_its_spans() -> None:
    buffer, _ = recorded()
    async with mesh() as net:
        await flush(buffer, net.channel("nobody:1"))
    assert buffer.dropped == 3


def test_a_full_buffer_drops_and_counts() -> None:
    buffer = SpanBuffer(limit=1)
    telemetry = Telemetry("test", SystemClock(), make_provider("test", Random(1), buffer))
    for _ in range(3):
        telemetry.start_span("step", root=True).end()
    assert (len(buffer.spans), buffer.dropped) == (1, 2)


def test_without_a_parent_nothing_is_recorded() -> None:
    buffer = SpanBuffer()
    telemetry = Telemetry("test", SystemClock(), make_provider("test", Random(1), buffer))
    for traceparent in ("", "nonsense", "00-" + "0" * 31 + "1-" + "0" * 15 + "1-00"):
        with telemetry.span("read", traceparent) as span:
            assert span.traceparent == ""
    assert not buffer.spans
