"""Health, reflection and trace spans: what every server does without being asked, over both transports."""

import asyncio
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kybern.kube.status import not_found
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.protos.api.v1.objects_pb2_grpc import ObjectsServicer, ObjectsStub, add_ObjectsServicer_to_server
from kybern.rpc.tracing import traceparent
from kybern.rpc.transport import ANYONE, Policy
from kybern.telemetry import Telemetry

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Objects(ObjectsServicer):
    """Answers with the trace context that its own spans would have as parent."""

    async def Get(self, request: pb.GetRequest, context: Any) -> pb.GetResponse:
        if request.name == "missing":
            raise not_found("", "pods", "missing")
        return pb.GetResponse(object=traceparent(context).encode())


@pytest.fixture
def exporter(wires: Any) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    wires.telemetry = Telemetry("server", provider=provider)
    return exporter


@pytest.fixture
async def channel(wires: Any, exporter: InMemorySpanExporter) -> Any:
    policy = Policy({"/kybern.api.v1.Objects/": frozenset({ANYONE})})
    await wires.serve(lambda server: add_ObjectsServicer_to_server(Objects(), server), policy)  # type: ignore[abstract]
    return wires.channel("anybody", ())


async def test_health(wires: Any, channel: Any) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="kybern.api.v1.Objects"))
    assert (await watch.read()).status == SERVING
    assert (await stub.Check(health_pb2.HealthCheckRequest())).status == SERVING
    await wires.server.health.set("", NOT_SERVING)
    assert (await stub.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING
    stopping = asyncio.create_task(wires.server.stop(1))
    assert (await watch.read()).status == NOT_SERVING, "a draining server says so"
    watch.cancel()
    await stopping


async def test_reflection_names_what_was_registered(channel: Any) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo()
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    names = {service.name for service in (await call.read()).list_services_response.service}
    assert names == {
        "kybern.api.v1.Objects",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="kybern.api.v1.Objects"))
    assert len((await call.read()).file_descriptor_response.file_descriptor_proto) > 0
    await call.done_writing()


async def spans(exporter: InMemorySpanExporter, count: int) -> list[ReadableSpan]:
    async with asyncio.timeout(2):
        while len(exporter.get_finished_spans()) < count:
            await asyncio.sleep(0.01)
    return list(exporter.get_finished_spans())


async def test_a_span_under_the_clients_trace(channel: Any, exporter: InMemorySpanExporter) -> None:
    response = await ObjectsStub(channel).Get(pb.GetRequest(), metadata=(("traceparent", PARENT),))
    [span] = await spans(exporter, 1)
    assert span.name == "kybern.api.v1.Objects/Get"
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" in PARENT
    assert response.object.decode() == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


async def test_a_failed_span(channel: Any, exporter: InMemorySpanExporter) -> None:
    call = ObjectsStub(channel).Get(pb.GetRequest(name="missing"), metadata=(("traceparent", PARENT),))
    await call.code()
    [span] = await spans(exporter, 1)
    assert (span.status.is_ok, span.status.description) == (False, 'pods "missing" not found')


@pytest.mark.parametrize("parent", ["", PARENT[:-1] + "0", "nonsense"])
async def test_no_span_unless_sampled(channel: Any, exporter: InMemorySpanExporter, parent: str) -> None:
    metadata = (("traceparent", parent),) if parent else ()
    response = await ObjectsStub(channel).Get(pb.GetRequest(), metadata=metadata)
    assert response.object.decode() == parent
    assert not exporter.get_finished_spans()
