"""OTLP messages in, span records out; span records in, answers out."""

from collections.abc import Iterable, Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from kybern.protos.telemetry.v1 import traces_pb2
from kybern.traces.core.recent import SpanRecord


def text(value: AnyValue) -> str:
    """An attribute's value as text; arrays and maps in protobuf's own notation."""
    kind = value.WhichOneof("value")
    return "" if kind is None else str(getattr(value, kind))


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """OTLP attributes as a dictionary of texts."""
    return {pair.key: text(pair.value) for pair in pairs}


def read_spans(request: ExportTraceServiceRequest) -> Iterator[SpanRecord]:
    """Every span of an export; spans without ids are left out, as OTLP asks."""
    for resource_spans in request.resource_spans:
        service = attributes_of(resource_spans.resource.attributes).get("service.name", "")
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                if len(span.trace_id) == 16 and len(span.span_id) == 8:
                    failed = span.status.code == Status.STATUS_CODE_ERROR
                    yield SpanRecord(
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_span_id=span.parent_span_id.hex(),
                        service=service,
                        name=span.name,
                        start=span.start_time_unix_nano,
                        end=span.end_time_unix_nano,
                        attributes=attributes_of(span.attributes),
                        error=(span.status.message or "failed") if failed else "",
                    )


def write_trace(spans: list[SpanRecord]) -> traces_pb2.Trace:
    """A trace as our contract gives it."""
    rows = [
        traces_pb2.Span(
            span_id=span.span_id,
            parent_span_id=span.parent_span_id,
            service=span.service,
            name=span.name,
            start_unix_nano=span.start,
            end_unix_nano=span.end,
            attributes=span.attributes,
            error=span.error,
        )
        for span in spans
    ]
    return traces_pb2.Trace(trace_id=spans[0].trace_id if spans else "", spans=rows)
