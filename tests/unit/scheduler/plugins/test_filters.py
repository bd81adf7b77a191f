"""Each filter plugin: which of a few nodes it leaves, and upstream's words about the others."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from kybern.scheduler.core.columns import ALL
from kybern.scheduler.core.pod import FactsOf
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.registry import default_profile
from kybern.testing.builders import make_node, make_pod

Object = dict[str, Any]
FILTERS = {plugin.name: plugin for plugin in default_profile().filters}
SSD = {"disk": "ssd"}


@dataclass
class Case:
    plugin: str
    pod: Object
    nodes: list[Object]
    fits: list[str]
    reasons: dict[str, int] = field(default_factory=dict)
    placed: list[Object] = field(default_factory=list)


def required(*terms: Object) -> Object:
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"nodeAffinity": rule}


def expression(key: str, operator: str, *values: str) -> Object:
    return {"key": key, "operator": operator, "values": list(values)}


def labels(*expressions: Object) -> Object:
    return {"matchExpressions": list(expressions)}


SELECTOR = "node(s) didn't match Pod's node affinity/selector"
PORTS = "node(s) didn't have free ports for the requested pod ports"
TAINT = "node(s) had untolerated taint(s)"
two = [make_node("a", labels=SSD), make_node("b", labels={"cores": "8"})]

CASES = {
    "node name": Case(
        "NodeName", make_pod(nodeName="b"), two, ["b"], {"node(s) didn't match the requested node name": 1}
    ),
    "no node name": Case("NodeName", make_pod(), two, ["a", "b"]),
    "cordoned": Case(
        "NodeUnschedulable",
        make_pod(),
        [make_node("a", unschedulable=True), make_node("b")],
        ["b"],
        {"node(s) were unschedulable": 1},
    ),
    "cordoned but tolerated": Case(
        "NodeUnschedulable",
        make_pod(tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]),
        [make_node("a", unschedulable=True)],
        ["a"],
    ),
    "tainted": Case(
        "TaintToleration",
        make_pod(),
        [make_node("a", taints=[("k", "v", "NoSchedule")]), make_node("b", taints=[("k", "v", "NoExecute")])],
        [],
        {TAINT: 2},
    ),
    "prefer is no filter": Case(
        "TaintToleration", make_pod(), [make_node("a", taints=[("k", "v", "PreferNoSchedule")])], ["a"]
    ),
    "tolerated by equality": Case(
        "TaintToleration",
        make_pod(tolerations=[{"key": "k", "value": "v"}]),
        [make_node("a", taints=[("k", "v", "NoSchedule")]), make_node("b", taints=[("k", "w", "NoSchedule")])],
        ["a"],
        {TAINT: 1},
    ),
    "tolerated by existence, other effect": Case(
        "TaintToleration",
        make_pod(tolerations=[{"key": "k", "operator": "Exists", "effect": "NoExecute"}]),
        [make_node("a", taints=[("k", "v", "NoSchedule")]), make_node("b", taints=[("k", "", "NoExecute")])],
        ["b"],
        {TAINT: 1},
    ),
    "everything tolerated": Case(
        "TaintToleration",
        make_pod(tolerations=[{"operator": "Exists"}]),
        [make_node("a", taints=[("k", "v", "NoSchedule")])],
        ["a"],
    ),
    "node selector": Case("NodeAffinity", make_pod(nodeSelector=SSD), two, ["a"], {SELECTOR: 1}),
    "selector nobody has": Case("NodeAffinity", make_pod(nodeSelector={"x": "y"}), two, [], {SELECTOR: 2}),
    "affinity in": Case(
        "NodeAffinity",
        make_pod(affinity=required(labels(expression("disk", "In", "hdd", "ssd")))),
        two,
        ["a"],
        {SELECTOR: 1},
    ),
    "affinity not in": Case(
        "NodeAffinity",
        make_pod(affinity=required(labels(expression("disk", "NotIn", "ssd")))),
        two,
        ["b"],
        {SELECTOR: 1},
    ),
    "affinity exists": Case(
        "NodeAffinity", make_pod(affinity=required(labels(expression("cores", "Exists")))), two, ["b"], {SELECTOR: 1}
    ),
    "affinity does not exist": Case(
        "NodeAffinity",
        make_pod(affinity=required(labels(expression("cores", "DoesNotExist")))),
        two,
        ["a"],
        {SELECTOR: 1},
    ),
    "affinity greater than": Case(
        "NodeAffinity", make_pod(affinity=required(labels(expression("cores", "Gt", "4")))), two, ["b"], {SELECTOR: 1}
    ),
    "affinity less than": Case(
        "NodeAffinity", make_pod(affinity=required(labels(expression("cores", "Lt", "4")))), two, [], {SELECTOR: 2}
    ),
    "terms are alternatives": Case(
        "NodeAffinity",
        make_pod(affinity=required(labels(expression("disk", "Exists")), labels(expression("cores", "Exists")))),
        two,
        ["a", "b"],
    ),
    "an empty term matches nothing": Case("NodeAffinity", make_pod(affinity=required({})), two, [], {SELECTOR: 2}),
    "field: the node's name": Case(
        "NodeAffinity",
        make_pod(affinity=required({"matchFields": [expression("metadata.name", "In", "b")]})),
        two,
        ["b"],
        {SELECTOR: 1},
    ),
    "port taken": Case(
        "NodePorts",
        make_pod("new", host_ports=[80]),
        two,
        ["b"],
        {PORTS: 1},
        [make_pod("old", host_ports=[80], node="a")],
    ),
    "same port, other protocol": Case(
        "NodePorts",
        make_pod("new", host_ports=[("", "UDP", 80)]),
        two,
        ["a", "b"],
        placed=[make_pod("old", host_ports=[80], node="a")],
    ),
    "same port, other addresses": Case(
        "NodePorts",
        make_pod("new", host_ports=[("10.0.0.1", "TCP", 80)]),
        two,
        ["a", "b"],
        placed=[make_pod("old", host_ports=[("10.0.0.2", "TCP", 80)], node="a")],
    ),
    "all addresses clash with one": Case(
        "NodePorts",
        make_pod("new", host_ports=[80]),
        two,
        ["b"],
        {PORTS: 1},
        [make_pod("old", host_ports=[("10.0.0.2", "TCP", 80)], node="a")],
    ),
    "not enough of two things": Case(
        "NodeResourcesFit",
        make_pod("new", requests={"cpu": "3", "memory": "6Gi"}),
        two,
        ["b"],
        {"Insufficient cpu": 1, "Insufficient memory": 1},
        [make_pod("old", requests={"cpu": "2", "memory": "4Gi"}, node="a")],
    ),
    "exactly enough": Case("NodeResourcesFit", make_pod(requests={"cpu": "4", "memory": "8Gi"}), two, ["a", "b"]),
    "too many pods": Case(
        "NodeResourcesFit",
        make_pod("new"),
        [make_node("a", allocatable={"pods": "1"}), make_node("b")],
        ["b"],
        {"Too many pods": 1},
        [make_pod("old", node="a")],
    ),
    "extended resource": Case(
        "NodeResourcesFit",
        make_pod(requests={"example.com/gpu": "1"}),
        [make_node("a", allocatable={"example.com/gpu": "1"}), make_node("b")],
        ["a"],
        {"Insufficient example.com/gpu": 1},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_filter(name: str) -> None:
    case = CASES[name]
    snapshot, facts_of = Snapshot(capacity=2), FactsOf()
    for node in case.nodes:
        snapshot.set_node(node)
    for pod in case.placed:
        snapshot.add_pod(facts_of.facts(pod), pod["spec"]["nodeName"])
    plugin, facts = FILTERS[case.plugin], facts_of.facts(case.pod)
    mask = plugin.filter(facts, snapshot, ALL)
    mask = snapshot.present if mask is None else mask & snapshot.present
    assert [snapshot.names[slot] for slot in np.flatnonzero(mask)] == case.fits
    rejected = np.flatnonzero(snapshot.present & ~mask)
    if len(rejected):
        assert dict(plugin.reasons(facts, snapshot, rejected)) == case.reasons
        one = plugin.filter(facts, snapshot, rejected[:1])
        assert one is not None
        assert not one.any()
    else:
        assert not case.reasons
