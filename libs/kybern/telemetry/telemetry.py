"""The tracer, the metrics registry and the logger of one service."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, set_span_in_context
from prometheus_client import CollectorRegistry

from kybern.clock import Clock, SystemClock

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Attributes = Mapping[str, str | int | float | bool]
SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def parse_traceparent(traceparent: str) -> SpanContext | None:
    """The span context in a W3C traceparent; None when it is empty, malformed or not sampled."""
    parts = traceparent.split("-")
    if len(parts) != 4 or len(parts[1]) != 32 or len(parts[2]) != 16 or not parts[3].endswith("1"):
        return None
    try:
        return SpanContext(int(parts[1], 16), int(parts[2], 16), is_remote=True, trace_flags=SAMPLED)
    except ValueError:
        return None


class Span:
    """One timed step; its `traceparent` is handed to whatever happens because of it."""

    __slots__ = ("_clock", "_span", "traceparent")

    def __init__(self, span: trace.Span | None, clock: Clock) -> None:
        self._span = span
        self._clock = clock
        self.traceparent = ""
        if span is not None:
            context = span.get_span_context()
            self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def set(self, **attributes: str | int | float | bool) -> None:
        """Add attributes; dots in names are written as two underscores (`k8s__pod__name`)."""
        if self._span is not None:
            for name, value in attributes.items():
                self._span.set_attribute(name.replace("__", "."), value)

    def fail(self, message: str) -> None:
        """Mark the step as failed."""
        if self._span is not None:
            self._span.set_status(trace.StatusCode.ERROR, message)

    def end(self, at: datetime | None = None) -> None:
        """Close the step, now or at a given time."""
        if self._span is not None:
            self._span.end(nanoseconds(at or self._clock.now()))


NO_SPAN = Span(None, SystemClock())


def nanoseconds(at: datetime) -> int:
    """Nanoseconds since the epoch, OpenTelemetry's unit of time."""
    return int(at.timestamp() * 1_000_000) * 1000


class Telemetry:
    """What one service records of itself.

    `start_span` records only if it has a parent (a sampled traceparent) or is a root (`root=True`): reads and
    background work cost nothing.
    """

    def __init__(self, service: str, clock: Clock | None = None, provider: "TracerProvider | None" = None) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self.log = logging.getLogger(f"kybern.{service}")
        self._clock = clock or SystemClock()
        self._tracer = provider.get_tracer("kybern") if provider is not None else None

    def start_span(
        self,
        name: str,
        traceparent: str = "",
        *,
        root: bool = False,
        attributes: Attributes | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        start: datetime | None = None,
    ) -> Span:
        """Begin a step; the caller ends it."""
        parent = parse_traceparent(traceparent) if traceparent else None
        if self._tracer is None or (parent is None and not root):
            return NO_SPAN
        context = set_span_in_context(trace.NonRecordingSpan(parent)) if parent is not None else None
        at = nanoseconds(start or self._clock.now())
        values: dict[str, Any] = dict(attributes) if attributes else {}
        return Span(self._tracer.start_span(name, context, kind, values, start_time=at), self._clock)

    def span(
        self, name: str, traceparent: str = "", *, root: bool = False, attributes: Attributes | None = None
    ) -> "Step | NoStep":
        """A step around a block; an exception marks it as failed and passes on."""
        if not root and not traceparent:
            return NO_STEP
        return Step(self.start_span(name, traceparent, root=root, attributes=attributes))


class NoStep:
    """The context manager of what is not recorded."""

    __slots__ = ()

    def __enter__(self) -> Span:
        return NO_SPAN

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        pass


class Step:
    """The context manager of a span."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        return self._span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            self._span.fail(str(error))
        self._span.end()


NO_STEP = NoStep()
