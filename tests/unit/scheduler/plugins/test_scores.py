"""Each score plugin on a few nodes, against scores worked out by hand from its formula."""

from typing import Any

import numpy as np
import pytest

from kybern.scheduler.core.columns import ALL
from kybern.scheduler.core.pod import FactsOf
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.registry import default_profile
from kybern.testing.builders import make_node, make_pod

Object = dict[str, Any]
SCORES = {plugin.name: plugin for plugin, _ in default_profile().scores}
MIB = 1024 * 1024


def preferred(weight: int, key: str, value: str) -> Object:
    expression = {"key": key, "operator": "In", "values": [value]}
    return {"weight": weight, "preference": {"matchExpressions": [expression]}}


def prefer(*terms: Object) -> Object:
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": list(terms)}}


CASES: dict[str, tuple[str, Object, list[Object], list[Object], list[int] | None]] = {
    "least allocated": (
        "NodeResourcesFit",
        make_pod("new", requests={"cpu": "1", "memory": "2Gi"}),
        [make_node("a"), make_node("b")],
        [make_pod("old", requests={"cpu": "2", "memory": "1Gi"}, node="a")],
        [(25 + 62) // 2, 75],
    ),
    "best effort weighs 100m and 200Mi": (
        "NodeResourcesFit",
        make_pod("new"),
        [make_node("a", allocatable={"cpu": "1", "memory": "1000Mi"})],
        [],
        [(90 + 80) // 2],
    ),
    "a resource the node has not": (
        "NodeResourcesFit",
        make_pod("new", requests={"cpu": "1"}),
        [make_node("a", allocatable={"memory": "0"})],
        [],
        [75],
    ),
    "balance kept, improved, hurt": (
        "NodeResourcesBalancedAllocation",
        make_pod("new", requests={"cpu": "2", "memory": "0"}),
        [make_node("a"), make_node("b")],
        [make_pod("old", requests={"cpu": "0", "memory": "4Gi"}, node="a")],
        [50 + (50 + 100 - 75) // 2, 50 + (50 + 75 - 100) // 2],
    ),
    "best effort is not balanced": ("NodeResourcesBalancedAllocation", make_pod(), [make_node("a")], [], None),
    "prefer taints": (
        "TaintToleration",
        make_pod(tolerations=[{"key": "y", "operator": "Exists"}]),
        [
            make_node("a", taints=[("x", "", "PreferNoSchedule"), ("z", "", "PreferNoSchedule")]),
            make_node("b", taints=[("x", "", "PreferNoSchedule"), ("y", "", "PreferNoSchedule")]),
            make_node("c"),
        ],
        [],
        [0, 50, 100],
    ),
    "preferred affinity": (
        "NodeAffinity",
        make_pod(affinity=prefer(preferred(10, "disk", "ssd"), preferred(30, "zone", "x"))),
        [make_node("a", labels={"disk": "ssd"}), make_node("b", labels={"zone": "x", "disk": "ssd"}), make_node("c")],
        [],
        [25, 100, 0],
    ),
    "no preferred affinity": ("NodeAffinity", make_pod(), [make_node("a")], [], None),
    "image on one of two nodes": (
        "ImageLocality",
        make_pod(image="registry:5000/app"),
        [make_node("a", images=[{"names": ["registry:5000/app:latest"], "sizeBytes": 1046 * MIB}]), make_node("b")],
        [],
        [100 * (523 - 23) // (1000 - 23), 0],
    ),
    "image nowhere": ("ImageLocality", make_pod(image="x"), [make_node("a")], [], None),
}


@pytest.mark.parametrize("name", CASES)
def test_score(name: str) -> None:
    plugin_name, pod, nodes, placed, expected = CASES[name]
    snapshot, facts_of = Snapshot(capacity=len(nodes)), FactsOf()
    for node in nodes:
        snapshot.set_node(node)
    for each in placed:
        snapshot.add_pod(facts_of.facts(each), each["spec"]["nodeName"])
    plugin = SCORES[plugin_name]
    raw = plugin.score(facts_of.facts(pod), snapshot, ALL)
    if raw is None:
        assert expected is None
        return
    assert plugin.normalize(raw).tolist() == expected
    last = np.array([len(nodes) - 1])
    again = plugin.score(facts_of.facts(pod), snapshot, last)
    assert again is not None
    assert again.tolist() == [raw[-1]]


def test_weights_are_upstreams() -> None:
    assert {plugin.name: weight for plugin, weight in default_profile().scores} == {
        "TaintToleration": 3,
        "NodeAffinity": 2,
        "NodeResourcesFit": 1,
        "PodTopologySpread": 2,
        "InterPodAffinity": 2,
        "NodeResourcesBalancedAllocation": 1,
        "ImageLocality": 1,
    }
