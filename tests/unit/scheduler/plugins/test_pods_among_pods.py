"""PodTopologySpread and InterPodAffinity: tables, and filters against a model that walks nodes and pods one by one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.scheduler.core.columns import ALL
from kybern.scheduler.core.pod import FactsOf
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.plugins.inter_pod_affinity import NOT_AWAY, NOT_NEAR, UNWELCOME, InterPodAffinity
from kybern.scheduler.plugins.pod_topology_spread import MISSING, SKEWED, PodTopologySpread
from kybern.testing.builders import make_node, make_pod

Object = dict[str, Any]
ZONE, HOST = "zone", "kubernetes.io/hostname"


def nodes_in(*zones: str) -> list[Object]:
    """n0, n1, … in these zones; "" is a node without a zone."""
    return [make_node(f"n{i}", labels={ZONE: zone} if zone else {}) for i, zone in enumerate(zones)]


def placed(*places: tuple[str, str], **spec: Any) -> list[Object]:
    """Pods with label app, on nodes: (app, node)."""
    return [make_pod(f"p{i}", labels={"app": app}, node=node, **spec) for i, (app, node) in enumerate(places)]


def selector(app: str) -> Object:
    return {"matchLabels": {"app": app}}


def spread(key: str = ZONE, skew: int = 1, when: str = "DoNotSchedule", **more: Any) -> Object:
    return {"topologyKey": key, "maxSkew": skew, "whenUnsatisfiable": when, "labelSelector": selector("web"), **more}


def pod(app: str = "web", **spec: Any) -> Object:
    return make_pod("new", labels={"app": app}, **spec)


def term(app: str, key: str = ZONE, **more: Any) -> Object:
    return {"labelSelector": selector(app), "topologyKey": key, **more}


def near(*terms: Object) -> Object:
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def away(*terms: Object) -> Object:
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def prefer(kind: str, weight: int, wanted: Object) -> Object:
    return {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": weight, "podAffinityTerm": wanted}]}}


def snapshot_of(nodes: list[Object], pods: list[Object], facts_of: FactsOf) -> Snapshot:
    snapshot = Snapshot(capacity=2)
    snapshot.set_namespace("default", {"team": "a"})
    snapshot.set_namespace("other", {"team": "b"})
    for node in nodes:
        snapshot.set_node(node)
    for each in pods:
        snapshot.add_pod(facts_of.facts(each), each["spec"]["nodeName"])
    return snapshot


THREE = nodes_in("a", "a", "b")
FILTERS: dict[str, tuple[Any, Object, list[Object], list[Object], str, dict[str, int]]] = {
    "no constraint": (PodTopologySpread, pod(), THREE, [], "n0 n1 n2", {}),
    "balanced": (PodTopologySpread, pod(topologySpreadConstraints=[spread()]), THREE, [], "n0 n1 n2", {}),
    "the fuller zone is out": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread()]),
        THREE,
        placed(("web", "n0")),
        "n2",
        {SKEWED: 2},
    ),
    "others do not count": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread()]),
        THREE,
        [*placed(("db", "n0")), make_pod("x", labels={"app": "web"}, namespace="other", node="n0")],
        "n0 n1 n2",
        {},
    ),
    "a larger skew is allowed": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread(skew=2)]),
        THREE,
        placed(("web", "n0")),
        "n0 n1 n2",
        {},
    ),
    "a node without the label": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread()]),
        nodes_in("a", ""),
        placed(("web", "n0")),
        "n0",
        {MISSING: 1},
    ),
    "too few domains": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread(minDomains=3)]),
        THREE,
        placed(("web", "n0"), ("web", "n2")),
        "",
        {SKEWED: 3},
    ),
    "zones the selector forbids do not count": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread(HOST)], nodeSelector={ZONE: "a"}),
        THREE,
        placed(("web", "n0"), ("web", "n1")),
        "n0 n1 n2",
        {},
    ),
    "two constraints": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread(), spread(HOST)]),
        nodes_in("a", "a", "b", "b"),
        placed(("web", "n0"), ("web", "n2"), ("web", "n2")),
        "n1",
        {SKEWED: 3},
    ),
    "only pods of the same hash": (
        PodTopologySpread,
        make_pod("new", labels={"app": "web", "h": "2"}, topologySpreadConstraints=[spread(matchLabelKeys=["h"])]),
        THREE,
        [make_pod("old", labels={"app": "web", "h": "1"}, node="n0")],
        "n0 n1 n2",
        {},
    ),
    "near": (InterPodAffinity, pod(affinity=near(term("db"))), THREE, placed(("db", "n0")), "n0 n1", {NOT_NEAR: 1}),
    "near nobody": (InterPodAffinity, pod(affinity=near(term("db"))), THREE, [], "", {NOT_NEAR: 3}),
    "the first of a group": (
        InterPodAffinity,
        pod(affinity=near(term("web"))),
        nodes_in("a", "b", ""),
        [],
        "n0 n1",
        {NOT_NEAR: 1},
    ),
    "away": (InterPodAffinity, pod(affinity=away(term("db"))), THREE, placed(("db", "n0")), "n2", {NOT_AWAY: 2}),
    "away from itself, by host": (
        InterPodAffinity,
        pod(affinity=away(term("web", HOST))),
        THREE,
        placed(("web", "n1")),
        "n0 n2",
        {NOT_AWAY: 1},
    ),
    "a running pod keeps it away": (
        InterPodAffinity,
        pod(),
        THREE,
        placed(("db", "n0"), affinity=away(term("web"))),
        "n2",
        {UNWELCOME: 2},
    ),
    "in other namespaces": (
        InterPodAffinity,
        pod(affinity=away(term("db", namespaces=["other"]))),
        THREE,
        [make_pod("x", labels={"app": "db"}, namespace="other", node="n2"), *placed(("db", "n0"))],
        "n0 n1",
        {NOT_AWAY: 1},
    ),
    "in namespaces with labels": (
        InterPodAffinity,
        pod(affinity=near(term("db", namespaceSelector={"matchLabels": {"team": "b"}}))),
        THREE,
        [make_pod("x", labels={"app": "db"}, namespace="other", node="n2"), *placed(("db", "n0"))],
        "n2",
        {NOT_NEAR: 2},
    ),
    "in all namespaces": (
        InterPodAffinity,
        pod(affinity=near(term("db", namespaceSelector={}))),
        THREE,
        [make_pod("x", labels={"app": "db"}, namespace="other", node="n2")],
        "n2",
        {NOT_NEAR: 2},
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filter(name: str) -> None:
    plugin_type, new, nodes, pods, fits, reasons = FILTERS[name]
    plugin, facts_of = plugin_type(), FactsOf()
    snapshot = snapshot_of(nodes, pods, facts_of)
    facts = facts_of.facts(new)
    mask = plugin.filter(facts, snapshot, ALL)
    mask = snapshot.present if mask is None else mask & snapshot.present
    assert " ".join(snapshot.names[slot] for slot in np.flatnonzero(mask)) == fits
    rejected = np.flatnonzero(snapshot.present & ~mask)
    assert (dict(plugin.reasons(facts, snapshot, rejected)) if len(rejected) else {}) == reasons


SCORES: dict[str, tuple[Any, Object, list[Object], list[Object], list[int] | None]] = {
    "soft spread prefers the emptier zone": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread(when="ScheduleAnyway")]),
        THREE,
        placed(("web", "n0"), ("web", "n1")),
        [0, 0, 100],
    ),
    "soft spread over hosts": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread(HOST, when="ScheduleAnyway")]),
        nodes_in("a", "a", ""),
        placed(("web", "n0"), ("web", "n0"), ("web", "n1")),
        [0, 33, 100],
    ),
    "no label, no score": (
        PodTopologySpread,
        pod(topologySpreadConstraints=[spread(when="ScheduleAnyway")]),
        nodes_in("a", "b", ""),
        placed(("web", "n0")),
        [0, 100, 0],
    ),
    "hard constraints do not score": (PodTopologySpread, pod(topologySpreadConstraints=[spread()]), THREE, [], None),
    "prefers to be near": (
        InterPodAffinity,
        pod(affinity=prefer("podAffinity", 10, term("db"))),
        THREE,
        placed(("db", "n2")),
        [0, 0, 100],
    ),
    "prefers to be away": (
        InterPodAffinity,
        pod(affinity=prefer("podAntiAffinity", 10, term("db", HOST))),
        THREE,
        placed(("db", "n0"), ("db", "n0"), ("db", "n1")),
        [0, 50, 100],
    ),
    "those that run prefer it near": (
        InterPodAffinity,
        pod(),
        THREE,
        placed(("db", "n2"), affinity=prefer("podAffinity", 5, term("web"))),
        [0, 0, 100],
    ),
    "those that require it near count a little": (
        InterPodAffinity,
        pod(),
        THREE,
        placed(("db", "n2"), affinity=near(term("web"))),
        [0, 0, 100],
    ),
    "nobody cares": (InterPodAffinity, pod(), THREE, placed(("db", "n2")), None),
}


@pytest.mark.parametrize("name", SCORES)
def test_score(name: str) -> None:
    plugin_type, new, nodes, pods, expected = SCORES[name]
    plugin, facts_of = plugin_type(), FactsOf()
    snapshot = snapshot_of(nodes, pods, facts_of)
    raw = plugin.score(facts_of.facts(new), snapshot, np.flatnonzero(snapshot.present))
    if raw is None or expected is None:
        assert raw is expected
        return
    scores = dict(zip(np.array(snapshot.names)[snapshot.present].tolist(), plugin.normalize(raw).tolist(), strict=True))
    assert [scores[f"n{number}"] for number in range(len(nodes))] == expected


zones = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=5)
apps = st.sampled_from(["web", "db"])
keys = st.sampled_from([ZONE, HOST])


@settings(max_examples=300, deadline=None)
@given(zones=zones, data=st.data())
def test_spread_as_a_model_would(zones: list[str], data: st.DataObject) -> None:
    nodes = nodes_in(*zones)
    places = data.draw(st.lists(st.tuples(apps, st.sampled_from([n["metadata"]["name"] for n in nodes])), max_size=8))
    wanted = [spread(key, data.draw(st.integers(1, 3))) for key in data.draw(st.lists(keys, min_size=1, max_size=2))]
    app = data.draw(apps)

    def fits(node: Object) -> bool:
        labels = node["metadata"]["labels"]
        for each in wanted:
            counts: dict[str, int] = {}
            for other in nodes:
                if all(w["topologyKey"] in other["metadata"]["labels"] for w in wanted):
                    value = other["metadata"]["labels"][each["topologyKey"]]
                    here = sum(a == "web" and n == other["metadata"]["name"] for a, n in places)
                    counts[value] = counts.get(value, 0) + here
            if each["topologyKey"] not in labels:
                return False
            if not counts:
                continue
            mine = counts.get(labels[each["topologyKey"]], 0) + (app == "web")
            if mine - min(counts.values()) > each["maxSkew"]:
                return False
        return True

    check(PodTopologySpread(), pod(app, topologySpreadConstraints=wanted), nodes, placed(*places), fits)


@settings(max_examples=300, deadline=None)
@given(zones=zones, data=st.data())
def test_affinity_as_a_model_would(zones: list[str], data: st.DataObject) -> None:
    nodes = nodes_in(*zones)
    labels = {n["metadata"]["name"]: n["metadata"]["labels"] for n in nodes}
    rules = st.one_of(
        st.none(), st.builds(lambda kind, app, key: (kind, app, key), st.sampled_from([near, away]), apps, keys)
    )
    pods = []
    for number, (app, node, rule) in enumerate(
        data.draw(st.lists(st.tuples(apps, st.sampled_from(sorted(labels)), rules), max_size=6))
    ):
        affinity = rule[0](term(rule[1], rule[2])) if rule else {}
        pods.append((app, node, rule, make_pod(f"p{number}", labels={"app": app}, node=node, affinity=affinity)))
    app, rule = data.draw(apps), data.draw(rules)

    def same(one: str, other: str, key: str) -> bool:
        return key in labels[one] and labels[one][key] == labels[other].get(key)

    def fits(node: Object) -> bool:
        name = node["metadata"]["name"]
        if any(r and r[0] is away and r[1] == app and same(name, where, r[2]) for _, where, r, _ in pods):
            return False
        if not rule:
            return True
        kind, wanted, key = rule
        there = any(a == wanted and same(name, where, key) for a, where, _, _ in pods)
        if kind is away:
            return not there
        anywhere = any(a == wanted and key in labels[where] for a, where, _, _ in pods)
        return there or (not anywhere and wanted == app and key in labels[name])

    new = pod(app, affinity=rule[0](term(rule[1], rule[2])) if rule else {})
    check(InterPodAffinity(), new, nodes, [each for *_, each in pods], fits)


def check(plugin: Any, new: Object, nodes: list[Object], pods: list[Object], fits: Callable[[Object], bool]) -> None:
    facts_of = FactsOf()
    snapshot = snapshot_of(nodes, pods, facts_of)
    mask = plugin.filter(facts_of.facts(new), snapshot, ALL)
    mask = snapshot.present if mask is None else mask & snapshot.present
    assert {snapshot.names[slot] for slot in np.flatnonzero(mask)} == {n["metadata"]["name"] for n in nodes if fits(n)}
