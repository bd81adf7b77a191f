"""Which traces are kept and which one speaks of an object."""

from kybern.traces.core.recent import RecentTraces, SpanRecord


def span(trace: str, number: int, **attributes: str) -> SpanRecord:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return SpanRecord(trace, f"s{number}", "", "kybern-test", "step", number * 10, number * 10 + 5, named)


POD = {"k8s__pod__name": "web", "k8s__namespace__name": "default"}
KEY = ("pods", "default", "web")


def test_spans_come_back_by_start_time() -> None:
    traces = RecentTraces()
    for number in (3, 1, 2):
        traces.add(span("t", number))
    assert [s.span_id for s in traces.get("t")] == ["s1", "s2", "s3"]


def test_a_repeated_span_is_kept_once() -> None:
    traces = RecentTraces()
    traces.add(span("t", 1))
    traces.add(span("t", 1))
    assert len(traces) == 1


def test_newest_trace_of_an_object_wins() -> None:
    traces = RecentTraces()
    traces.add(span("old", 1, **POD))
    traces.add(span("new", 2, **POD))
    assert traces.of_object(KEY)[0].trace_id == "new"


def test_the_trace_that_created_an_object_is_not_displaced() -> None:
    traces = RecentTraces()
    traces.add(span("made", 1, k8s__verb="create", **POD))
    traces.add(span("touched", 2, **POD))
    assert traces.of_object(KEY)[0].trace_id == "made"


def test_the_oldest_trace_goes_first_and_is_forgotten_by_object() -> None:
    traces = RecentTraces(limit=4)
    traces.add(span("old", 1, **POD))
    for number in range(2, 6):
        traces.add(span(f"t{number}", number))
    assert traces.get("old") == []
    assert traces.of_object(KEY) == []
    assert len(traces) == 4


def test_one_trace_cannot_take_all_the_room() -> None:
    traces = RecentTraces(limit=10)
    for number in range(100):
        traces.add(span("big", number))
    assert len(traces) <= 10
