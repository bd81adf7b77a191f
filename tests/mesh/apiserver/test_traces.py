"""Spans of a write: under the client's trace, naming the object."""

from random import Random
from typing import Any

from kybern.client.resources import CONFIG_MAPS
from kybern.clock import SystemClock
from kybern.telemetry import Telemetry
from kybern.telemetry.spans import SpanBuffer, make_provider


async def test_admission_and_commit(running: Any) -> None:
    buffer = SpanBuffer()
    telemetry = Telemetry("apiserver", SystemClock(), make_provider("apiserver", Random(1), buffer))
    async with running(telemetry=telemetry) as cluster:
        assert buffer.take() == []  # bootstrap and reads leave no spans
        admin = cluster.client()
        body = {"metadata": {"name": "a", "namespace": "default"}}
        await admin.create(CONFIG_MAPS, body, traceparent=f"00-{'1' * 32}-{'2' * 16}-01")
        spans = {span.name: span for span in buffer.take()}
    for name in ("admission", "commit"):
        span = spans[name]
        assert f"{span.context.trace_id:032x}" == "1" * 32
        assert dict(span.attributes or {}) == {
            "k8s.resource": "configmaps",
            "k8s.object.name": "a",
            "k8s.namespace.name": "default",
        }
