"""The queue against tables of what happens, second by second."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kybern.scheduler.core.framework import Event
from kybern.scheduler.core.pod import FactsOf, Pod
from kybern.scheduler.core.queue import Place, Queue, QueuedPod
from kybern.scheduler.plugins.scheduling_gates import gated
from kybern.scheduler.registry import default_profile, hints
from kybern.testing.builders import make_node, make_pod

WALL = datetime(2026, 1, 1, tzinfo=UTC)
FIT = frozenset({"NodeResourcesFit"})
facts_of = FactsOf()


def pod(name: str, **members: Any) -> Pod:
    return facts_of.pod(make_pod(name, **members))


def queue_of(*pods: Pod) -> Queue:
    queue = Queue(hints(default_profile()), gated)
    for second, each in enumerate(pods):
        queue.put(each, float(second), WALL)
    return queue


def names(run: list[QueuedPod]) -> list[str]:
    return [queued.pod.name for queued in run]


def test_priority_then_time() -> None:
    queue = queue_of(pod("low"), pod("high", priority=10), pod("late"))
    assert names(queue.pop_run(9)) == ["high"]
    assert names(queue.pop_run(9)) == ["low", "late"]
    assert queue.pop_run(9) == []


def test_equal_pods_come_in_runs_up_to_the_limit() -> None:
    queue = queue_of(pod("a"), pod("b"), pod("c"), pod("other", requests={"cpu": "1"}), pod("d"))
    assert [names(queue.pop_run(9, limit=2)) for _ in range(4)] == [["a", "b"], ["c"], ["other"], ["d"]]


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (60, 10)])
def test_backoff_doubles_up_to_ten_seconds(attempts: int, seconds: float) -> None:
    queue = queue_of(pod("a"))
    (queued,) = queue.pop_run(0)
    queued.attempts = attempts
    queue.failed(queued, "refused", 100.0, WALL)
    assert queue.next_backoff() == 100.0 + seconds
    assert queue.pop_run(100.0 + seconds - 0.01) == []
    assert names(queue.pop_run(100.0 + seconds)) == ["a"]


def test_unschedulable_waits_for_an_event_that_helps() -> None:
    queue = queue_of(pod("a", requests={"cpu": "6"}))
    (queued,) = queue.pop_run(0)
    queue.turned_down(queued, FIT, "Insufficient cpu", 0.0)
    assert queue.move(Event.NODE_ADD, make_node("small"), 5.0, WALL) == 0
    assert queue.move(Event.NODE_LABEL, make_node("large", allocatable={"cpu": "8"}), 5.0, WALL) == 0
    assert queue.counts()[Place.UNSCHEDULABLE] == 1
    assert queue.move(Event.NODE_ADD, make_node("large", allocatable={"cpu": "8"}), 5.0, WALL) == 1
    assert names(queue.pop_run(5.0)) == ["a"]


def test_without_any_node_the_first_node_helps() -> None:
    queue = queue_of(pod("a"))
    (queued,) = queue.pop_run(0)
    queue.turned_down(queued, frozenset(), "no nodes available to schedule pods", 0.0)
    assert queue.move(Event.POD_DELETE, queued.pod.facts, 5.0, WALL) == 0
    assert queue.move(Event.NODE_ADD, make_node("a"), 5.0, WALL) == 1
    assert names(queue.pop_run(5.0)) == ["a"]


def test_an_early_event_leads_to_backoff_that_is_cut_short_when_nothing_else_waits() -> None:
    queue = queue_of(pod("a", requests={"cpu": "6"}))
    (queued,) = queue.pop_run(0)
    queue.turned_down(queued, FIT, "Insufficient cpu", 0.0)
    queue.move(Event.NODE_ADD, make_node("large", allocatable={"cpu": "8"}), 0.1, WALL)
    assert queue.counts()[Place.BACKOFF] == 1
    assert queue.next_backoff() == 1.0
    queue.put(pod("b"), 0.2, WALL)
    assert [names(queue.pop_run(0.2)), names(queue.pop_run(0.2))] == [["b"], ["a"]]


def test_flush_after_five_minutes() -> None:
    queue = queue_of(pod("a"))
    (queued,) = queue.pop_run(0)
    queue.turned_down(queued, FIT, "full", 0.0)
    queue.flush(299.0, WALL)
    assert queue.counts()[Place.UNSCHEDULABLE] == 1
    queue.flush(300.0, WALL)
    assert names(queue.pop_run(300.0)) == ["a"]


def test_gates_hold_until_all_are_gone() -> None:
    queue = queue_of(pod("a", schedulingGates=[{"name": "x"}, {"name": "y"}]))
    assert queue.pop_run(1) == []
    queue.flush(1000.0, WALL)
    assert queue.counts()[Place.GATED] == 1
    queue.put(pod("a", schedulingGates=[{"name": "y"}]), 2, WALL)
    assert [queued.message for queued in queue] == ["waiting for scheduling gates: [y]"]
    queue.put(pod("a"), 3, WALL)
    assert names(queue.pop_run(3)) == ["a"]


def test_a_status_change_alone_is_not_worth_an_attempt_but_a_spec_change_is() -> None:
    queue = queue_of(pod("a", requests={"cpu": "9"}))
    (queued,) = queue.pop_run(0)
    queue.turned_down(queued, FIT, "full", 0.0)
    same = make_pod("a", requests={"cpu": "9"})
    same["status"]["conditions"] = [{"type": "PodScheduled", "status": "False"}]
    queue.put(facts_of.pod(same), 20, WALL)
    assert queue.pop_run(20) == []
    queue.put(pod("a", requests={"cpu": "1"}), 20, WALL)
    assert names(queue.pop_run(20)) == ["a"]
    assert queue.move(Event.NODE_DELETE, make_node("n"), 30, WALL) == 0


def test_removed_pods_are_not_popped() -> None:
    queue = queue_of(pod("a"), pod("b"))
    queue.remove("uid-default-a")
    assert names(queue.pop_run(5)) == ["b"]
    assert "uid-default-a" not in queue


def test_a_pod_removed_while_it_was_decided_does_not_come_back() -> None:
    queue = queue_of(pod("a"))
    (queued,) = queue.pop_run(0)
    queue.remove(queued.pod.uid)
    queue.failed(queued, "refused", 1.0, WALL)
    queue.turned_down(queued, FIT, "full", 1.0)
    queue.flush(1000.0, WALL)
    assert queue.pop_run(1000.0) == []
    assert list(queue) == []
