"""The cache: every pod counts once, wherever news of it comes from."""

from typing import Any

import pytest

from kybern.scheduler.core.cache import Cache, diff_node
from kybern.scheduler.core.framework import Event
from kybern.scheduler.core.pod import FactsOf, Pod
from kybern.scheduler.core.snapshot import Snapshot
from kybern.testing.builders import make_node, make_pod

facts_of = FactsOf()


def pod(name: str, node: str = "", **members: Any) -> Pod:
    return facts_of.pod(make_pod(name, node=node, requests={"cpu": "1"}, **members))


@pytest.fixture
def cache() -> Cache:
    cache = Cache(Snapshot(capacity=1))
    for name in ("a", "b"):
        cache.set_node(make_node(name))
    return cache


def cpu(cache: Cache, node: str) -> int:
    return int(cache.nodes.requested[cache.nodes.slots[node], 0])


def test_an_assumed_pod_that_is_confirmed_counts_once(cache: Cache) -> None:
    cache.assume(pod("p"), "a")
    assert cpu(cache, "a") == 1000
    bound = pod("p", "a")
    changes = len(cache.nodes.changes)
    assert cache.set_pod(bound) == {Event.POD_ADD}
    assert len(cache.nodes.changes) == changes
    assert cache.set_pod(bound) == frozenset()
    assert cpu(cache, "a") == 1000


def test_an_assumed_pod_that_went_elsewhere_moves(cache: Cache) -> None:
    cache.assume(pod("p"), "a")
    cache.set_pod(pod("p", "b"))
    assert (cpu(cache, "a"), cpu(cache, "b")) == (0, 1000)


def test_forgetting_takes_back_what_was_assumed_but_not_what_was_seen(cache: Cache) -> None:
    cache.assume(pod("p"), "a")
    cache.forget("uid-default-p")
    assert cpu(cache, "a") == 0
    cache.set_pod(pod("p", "a"))
    cache.forget("uid-default-p")
    assert cpu(cache, "a") == 1000


def test_pods_may_come_before_their_node_and_outlive_it(cache: Cache) -> None:
    cache.set_pod(pod("p", "c"))
    cache.set_node(make_node("c"))
    assert cpu(cache, "c") == 1000
    cache.remove_node("c")
    cache.set_node(make_node("c"))
    assert cpu(cache, "c") == 1000
    cache.remove_node("c")
    cache.remove_pod("uid-default-p")
    cache.set_node(make_node("c"))
    assert cpu(cache, "c") == 0


def test_a_slot_that_is_used_again_is_clean(cache: Cache) -> None:
    cache.set_pod(pod("p", "a", host_ports=[80]))
    cache.remove_node("a")
    cache.set_node(make_node("other", labels={"x": "y"}))
    slot = cache.nodes.slots["other"]
    assert not cache.nodes.requested[slot].any()
    assert not any(slot in taken for taken in cache.nodes.ports.values())


@pytest.mark.parametrize(
    ("new", "events"),
    [
        (make_node("a"), set()),
        (make_node("a", allocatable={"cpu": "8"}), {Event.NODE_ALLOCATABLE}),
        (make_node("a", labels={"x": "y"}), {Event.NODE_LABEL}),
        (make_node("a", taints=[("k", "", "NoSchedule")]), {Event.NODE_TAINT}),
        (make_node("a", unschedulable=True), {Event.NODE_TAINT}),
    ],
)
def test_what_a_change_of_a_node_means(new: dict[str, Any], events: set[Event]) -> None:
    assert diff_node(make_node("a"), new) == events
