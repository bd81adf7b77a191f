"""The trace service's shell: an OTLP receiver, the Traces contract, and export onwards."""

import asyncio
from argparse import ArgumentParser, Namespace
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from prometheus_client import Counter, Gauge

from kybern.protos.telemetry.v1 import traces_pb2, traces_pb2_grpc
from kybern.rpc.transport import ANYONE, Policy
from kybern.runtime.service import Env, Service
from kybern.telemetry import Telemetry
from kybern.traces.core.otlp import read_spans, write_trace
from kybern.traces.core.recent import RecentTraces

WAITING = 256  # exports that may wait for the receiver downstream; more are dropped and counted
POLICY = Policy(
    {
        "/opentelemetry.proto.collector.trace.v1.TraceService/": frozenset({ANYONE}),
        "/kybern.telemetry.v1.Traces/": frozenset({"system:kybern:gateway"}),
    }
)


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """OTLP over gRPC: keeps what arrives and passes it on."""

    def __init__(self, traces: RecentTraces, onwards: asyncio.Queue[Any] | None, telemetry: Telemetry) -> None:
        self._traces, self._onwards = traces, onwards
        self._received = Counter("kybern_spans_received_total", "Spans received", registry=telemetry.registry)
        self._dropped = Counter("kybern_exports_dropped_total", "Exports not passed on", registry=telemetry.registry)
        kept = Gauge("kybern_spans_kept", "Spans in memory", registry=telemetry.registry)
        kept.set_function(lambda: len(traces))

    async def Export(self, request: Any, context: Any) -> Any:
        for span in read_spans(request):
            self._traces.add(span)
            self._received.inc()
        if self._onwards is not None:
            try:
                self._onwards.put_nowait(request)
            except asyncio.QueueFull:
                self._dropped.inc()
        return trace_service_pb2.ExportTraceServiceResponse()


class Traces(traces_pb2_grpc.TracesServicer):
    """Recent traces, by id or by the object they speak of."""

    def __init__(self, traces: RecentTraces) -> None:
        self._traces = traces

    async def GetTrace(self, request: traces_pb2.GetTraceRequest, context: Any) -> traces_pb2.GetTraceResponse:
        spans = self._traces.get(request.trace_id)
        if not spans:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"trace {request.trace_id!r} is not (or no longer) kept")
        return traces_pb2.GetTraceResponse(trace=write_trace(spans))

    async def GetObjectTrace(
        self, request: traces_pb2.GetObjectTraceRequest, context: Any
    ) -> traces_pb2.GetObjectTraceResponse:
        spans = self._traces.of_object((request.resource, request.namespace, request.name))
        if not spans:
            where = f"{request.resource} {request.namespace}/{request.name}"
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no trace of {where} is kept")
        return traces_pb2.GetObjectTraceResponse(trace=write_trace(spans))


async def send_onwards(waiting: asyncio.Queue[Any], endpoint: str, telemetry: Telemetry) -> None:
    """Pass exports on to another OTLP receiver; one that fails is logged and dropped."""
    insecure = endpoint.startswith("http://")
    target = endpoint.split("://")[-1]
    secure = grpc.ssl_channel_credentials
    async with grpc.aio.insecure_channel(target) if insecure else grpc.aio.secure_channel(target, secure()) as channel:
        stub: Any = trace_service_pb2_grpc.TraceServiceStub(channel)  # type: ignore[no-untyped-call]  # generated without types
        while True:
            request = await waiting.get()
            try:
                await stub.Export(request, timeout=10.0)
            except grpc.RpcError as error:
                telemetry.log.warning("an export onwards failed", extra={"endpoint": endpoint, "error": str(error)})


def add_flags(parser: ArgumentParser) -> None:
    """Flags beyond the shared ones."""
    parser.add_argument("--keep-spans", type=int, default=50_000, help="spans kept in memory")
    parser.add_argument(
        "--otlp-endpoint", default="", metavar="URL", help="pass every span on, e.g. http://collector:4317"
    )


async def run(options: Namespace, env: Env) -> None:
    """Serve until cancelled."""
    traces = RecentTraces(options.keep_spans)
    onwards: asyncio.Queue[Any] | None = asyncio.Queue(WAITING) if options.otlp_endpoint else None
    server = env.transport.server(options.address, POLICY)
    receiver = Receiver(traces, onwards, env.telemetry)
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)  # type: ignore[no-untyped-call]  # generated without types
    traces_pb2_grpc.add_TracesServicer_to_server(Traces(traces), server)  # type: ignore[arg-type]  # any transport's server
    await server.start()
    env.ready()
    try:
        if onwards is not None:
            await send_onwards(onwards, options.otlp_endpoint, env.telemetry)
        await asyncio.get_running_loop().create_future()
    finally:
        await server.stop(1.0)


SERVICE = Service(
    name="traces", user="system:kybern:traces", help="Keeps recent traces of the mesh.", add_flags=add_flags, run=run
)
