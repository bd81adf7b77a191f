"""OpenTelemetry traces, Prometheus metrics and structured logs, as one thing given to a service.

Spans are cheap to leave out: without a parent context and without being asked for, nothing is recorded. The W3C
`traceparent` string is the form in which a context crosses a wire or rides in a watch event.
"""

from prometheus_client import disable_created_metrics

from kybern.telemetry.telemetry import Span, Telemetry

# Kubernetes has no series that say when others began.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here

__all__ = ["Span", "Telemetry"]
