"""Preemption: who has to go, on which node, and what is said when nobody can."""

import copy
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from kybern.scheduler.core.cache import Cache
from kybern.scheduler.core.cycle import Cycle, Unplaced
from kybern.scheduler.core.pod import FactsOf
from kybern.scheduler.core.preemption import Budget, Refused, Victims, decide_preemption
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.registry import default_profile
from kybern.testing.builders import make_node, make_pod

Object = dict[str, Any]


def running(name: str, node: str, priority: int = 0, cpu: str = "1", started: str = "", **members: Any) -> Object:
    pod = make_pod(name, node=node, priority=priority, requests={"cpu": cpu}, **members)
    pod["status"]["startTime"] = started or "2026-01-01T00:00:00Z"
    return pod


def deleting(pod: Object) -> Object:
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return pod


def nominated(pod: Object, node: str) -> Object:
    pod["status"]["nominatedNodeName"] = node
    return pod


def small(*names: str) -> list[Object]:
    return [make_node(name, allocatable={"cpu": "2"}) for name in names]


def budget(app: str, allowed: int) -> Budget:
    spec = {"selector": {"matchLabels": {"app": app}}}
    return Budget.read({"metadata": {"namespace": "default"}, "spec": spec, "status": {"disruptionsAllowed": allowed}})


@dataclass
class Case:
    nodes: list[Object]
    pods: list[Object]
    expected: list[str] | str  # the node and the victims, or the message
    new: Object = field(default_factory=lambda: make_pod("new", requests={"cpu": "2"}, priority=100))
    budgets: list[Budget] = field(default_factory=list)


CASES = {
    "all of lower priority go": Case(small("a"), [running("x", "a"), running("y", "a", 50)], ["a", "y", "x"]),
    "no more than needed, the least important": Case(
        small("a"),
        [running("x", "a", 10), running("y", "a", 50)],
        ["a", "x"],
        make_pod("new", requests={"cpu": "1"}, priority=100),
    ),
    "among equals the one that started last": Case(
        small("a"),
        [running("old", "a"), running("young", "a", started="2026-01-02T00:00:00Z")],
        ["a", "young"],
        make_pod("new", requests={"cpu": "1"}, priority=100),
    ),
    "the node with the least important victim": Case(
        small("a", "b"), [running("x", "a", 20, "2"), running("y", "b", 10, "2")], ["b", "y"]
    ),
    "the node with fewer victims": Case(
        small("a", "b"), [running("x", "a"), running("y", "a"), running("z", "b", 0, "2")], ["b", "z"]
    ),
    "the node whose budget holds": Case(
        small("a", "b"),
        [running("x", "a", 0, "2", labels={"app": "db"}), running("y", "b", 10, "2")],
        ["b", "y"],
        budgets=[budget("db", 0)],
    ),
    "a budget that allows it": Case(
        small("a", "b"),
        [running("x", "a", 0, "2", labels={"app": "db"}), running("y", "b", 10, "2")],
        ["a", "x"],
        budgets=[budget("db", 1)],
    ),
    "a protected pod stays if another can go": Case(
        small("a"),
        [running("x", "a", labels={"app": "db"}), running("y", "a", 50)],
        ["a", "y"],
        make_pod("new", requests={"cpu": "1"}, priority=100),
        [budget("db", 0)],
    ),
    "a host port is freed": Case(
        small("a"),
        [running("x", "a", host_ports=[80]), running("y", "a")],
        ["a", "x"],
        make_pod("new", host_ports=[80], priority=1),
    ),
    "equal priority is not enough": Case(
        small("a"),
        [running("x", "a", 100), running("y", "a", 100)],
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    ),
    "nobody is less important on this node": Case(
        small("a", "b"),
        [running("x", "a", 100, "2"), running("y", "b", 100), running("z", "b", 0)],
        "preemption: 0/2 nodes are available: 1 Insufficient cpu, 1 No preemption victims found for incoming pod.",
    ),
    "no use where the node itself is wrong": Case(
        [make_node("a", taints=[("k", "v", "NoSchedule")]), *small("b")],
        [running("x", "b", 200, "2")],
        "preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, "
        "1 Preemption is not helpful for scheduling.",
    ),
    "no use where the node is too small": Case(
        small("a"),
        [running("x", "a", 0, "2")],
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        make_pod("new", requests={"cpu": "3"}, priority=100),
    ),
    "never": Case(
        small("a"),
        [running("x", "a", 0, "2")],
        "preemption: not eligible due to preemptionPolicy=Never.",
        make_pod("new", requests={"cpu": "2"}, priority=100, preemptionPolicy="Never"),
    ),
    "victims are leaving already": Case(
        small("a"),
        [deleting(running("x", "a", 0, "2"))],
        "preemption: not eligible due to a terminating pod on the nominated node.",
        nominated(make_pod("new", requests={"cpu": "2"}, priority=100), "a"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_preemption(name: str) -> None:
    case, facts_of = CASES[name], FactsOf()
    cache, profile = Cache(Snapshot(capacity=2)), default_profile()
    for node in case.nodes:
        cache.set_node(node)
    for pod in case.pods:
        cache.set_pod(facts_of.pod(pod))
    new = facts_of.pod(case.new)
    outcome = Cycle(profile, cache.nodes, Random(0)).decide(new.facts)
    assert isinstance(outcome, Unplaced)
    before = cache.nodes.requested.copy(), cache.nodes.nonzero.copy(), copy.deepcopy([*cache.nodes.pods.values()])
    found = decide_preemption(new, outcome, cache, profile, case.budgets, Random(0))
    if isinstance(case.expected, str):
        assert isinstance(found, Refused)
        assert found.message == case.expected
    else:
        assert isinstance(found, Victims)
        assert [found.node, *(pod.name for pod in found.pods)] == case.expected
    assert (cache.nodes.requested == before[0]).all()
    assert (cache.nodes.nonzero == before[1]).all()
    assert sorted(map(str, cache.nodes.pods.values())) == sorted(map(str, before[2]))


def test_many_nodes_that_are_no_use_are_counted_at_once() -> None:
    facts_of, cache, profile = FactsOf(), Cache(Snapshot()), default_profile()
    for number in range(50):
        cache.set_node(make_node(f"n{number}", allocatable={"cpu": "2"}))
        cache.set_pod(facts_of.pod(running(f"low{number}", f"n{number}")))
        cache.set_pod(facts_of.pod(running(f"high{number}", f"n{number}", 100)))
    new = facts_of.pod(make_pod("new", requests={"cpu": "2"}, priority=50))
    outcome = Cycle(profile, cache.nodes, Random(0)).decide(new.facts)
    assert isinstance(outcome, Unplaced)
    before = cache.nodes.version
    found = decide_preemption(new, outcome, cache, profile, [], Random(0))
    assert found == Refused("preemption: 0/50 nodes are available: 50 Insufficient cpu.")
    assert cache.nodes.version == before  # nothing was tried
