"""What an evaluation brings up to date row by row equals what a new one computes from the start."""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.scheduler.core.cache import Cache
from kybern.scheduler.core.cycle import Cycle, Placed
from kybern.scheduler.core.evaluation import Evaluation
from kybern.scheduler.core.pod import FactsOf
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.registry import default_profile
from kybern.testing.builders import make_node, make_pod

WEB = {"matchLabels": {"app": "web"}}
ZONE = "zone"


def spread(when: str) -> dict[str, Any]:
    constraint = {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": when, "labelSelector": WEB}
    return {"topologySpreadConstraints": [constraint]}


def affinity(kind: str, required: bool) -> dict[str, Any]:
    term = {"labelSelector": WEB, "topologyKey": ZONE}
    rule = (
        {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        if required
        else {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7, "podAffinityTerm": term}]}
    )
    return {"affinity": {kind: rule}}


PREFER_SSD = {
    "affinity": {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 3, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
            ]
        }
    }
}
KINDS: list[dict[str, Any]] = [
    {},
    {"requests": {"cpu": "700m", "memory": "1Gi"}},
    {"host_ports": [80]},
    {"nodeSelector": {"disk": "ssd"}},
    {"tolerations": [{"key": "x", "operator": "Exists"}]},
    {"image": "app:1"},
    {"requests": {"example.com/gpu": "1"}},
    PREFER_SSD,
    spread("DoNotSchedule"),
    spread("ScheduleAnyway"),
    affinity("podAffinity", True),
    affinity("podAntiAffinity", True),
    affinity("podAffinity", False),
    affinity("podAntiAffinity", False),
]
nodes = st.builds(
    make_node,
    st.sampled_from([f"n{number}" for number in range(5)]),
    taints=st.sampled_from([(), [("x", "", "NoSchedule")], [("x", "", "PreferNoSchedule")]]),
    unschedulable=st.sampled_from([False, False, True]),
    labels=st.sampled_from([{}, {ZONE: "a"}, {ZONE: "b"}, {ZONE: "b", "disk": "ssd"}]),
    allocatable=st.sampled_from([{}, {"cpu": "1"}, {"example.com/gpu": "2"}, {"pods": "2"}]),
    images=st.sampled_from([[], [{"names": ["app:1"], "sizeBytes": 900 * 1024 * 1024}]]),
)
pods = st.tuples(st.sampled_from(KINDS), st.sampled_from(["web", "db"]))
steps = st.lists(
    st.one_of(nodes, pods, pods, st.integers(0, 4).map(lambda n: f"n{n}"), st.integers(0, 20)),
    min_size=5,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps=steps)
def test_kept_evaluations_equal_new_ones(steps: list[Any]) -> None:
    profile, facts_of = default_profile(), FactsOf()
    cache = Cache(Snapshot(capacity=2))
    cycle = Cycle(profile, cache.nodes, Random(0))
    kept: list[Evaluation] = []
    placed = 0
    for step in steps:
        match step:
            case dict():
                cache.set_node(step)
            case str():
                cache.remove_node(step)
            case int():
                cache.remove_pod(f"uid-default-p{step}")
            case (kind, app):
                pod = facts_of.pod(make_pod(f"p{placed}", labels={"app": app}, **kind))
                placed += 1
                outcome = cycle.decide(pod.facts)
                if isinstance(outcome, Placed):
                    cache.assume(pod, outcome.node)
                kept.append(cycle.evaluation(pod.facts))
                kept[-1].filter()
                kept[-1].score()
        for evaluation in kept[-6:]:
            fresh = Evaluation(profile, evaluation.facts, cache.nodes)
            assert evaluation.filter().tolist() == fresh.filter().tolist()
            assert evaluation.score().tolist() == fresh.score().tolist()
