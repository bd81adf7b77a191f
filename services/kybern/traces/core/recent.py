"""Recent traces within a bound on spans; the oldest trace goes first.

A span speaks of an object through the attributes `k8s.resource`, `k8s.namespace.name` and `k8s.object.name`; a span
with `k8s.pod.name` speaks of that pod. The newest trace that speaks of an object is the one people ask for, except that
a trace which created the object is not displaced by later ones that only touched it.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

CREATION = "create"  # value of the attribute `k8s.verb` on a span that brought an object into being


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One span; times in nanoseconds since the epoch, ids in hex."""

    trace_id: str
    span_id: str
    parent_span_id: str
    service: str
    name: str
    start: int
    end: int
    attributes: dict[str, str] = field(default_factory=dict)
    error: str = ""


ObjectKey = tuple[str, str, str]  # resource (plural), namespace, name


def objects_of(span: SpanRecord) -> list[ObjectKey]:
    """The objects that a span speaks of."""
    attributes = span.attributes
    namespace = attributes.get("k8s.namespace.name", "")
    keys = []
    if name := attributes.get("k8s.object.name", ""):
        keys.append((attributes.get("k8s.resource", ""), namespace, name))
    if name := attributes.get("k8s.pod.name", ""):
        keys.append(("pods", namespace, name))
    return keys


class RecentTraces:
    """Traces by id and by object, at most `limit` spans in all."""

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._spans = 0
        self._traces: OrderedDict[str, dict[str, SpanRecord]] = OrderedDict()
        self._by_object: dict[ObjectKey, list[str]] = {}

    def add(self, span: SpanRecord) -> None:
        """Keep a span; a repeated span id is kept once, and a trace may fill half of the room at most."""
        spans = self._traces.setdefault(span.trace_id, {})
        if span.span_id in spans or len(spans) > self._limit // 2:
            return
        spans[span.span_id] = span
        self._spans += 1
        for key in objects_of(span):
            ids = self._by_object.setdefault(key, [])
            if span.trace_id not in ids:
                ids.append(span.trace_id)
        while self._spans > self._limit and len(self._traces) > 1:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        trace_id, spans = self._traces.popitem(last=False)
        self._spans -= len(spans)
        for key in {key for span in spans.values() for key in objects_of(span)}:
            ids = [other for other in self._by_object[key] if other != trace_id]
            if ids:
                self._by_object[key] = ids
            else:
                del self._by_object[key]

    def get(self, trace_id: str) -> list[SpanRecord]:
        """The spans of a trace by start time; empty when it is not known."""
        return sorted(self._traces.get(trace_id, {}).values(), key=lambda span: (span.start, -span.end))

    def of_object(self, key: ObjectKey) -> list[SpanRecord]:
        """The trace to show for an object: the newest that created it, else the newest; empty when there is none."""
        ids = self._by_object.get(key, [])
        created = [i for i in ids if any(self._creates(span, key) for span in self._traces[i].values())]
        chosen = (created or ids)[-1:]
        return self.get(chosen[0]) if chosen else []

    @staticmethod
    def _creates(span: SpanRecord, key: ObjectKey) -> bool:
        return span.attributes.get("k8s.verb") == CREATION and key in objects_of(span)

    def __len__(self) -> int:
        return self._spans
