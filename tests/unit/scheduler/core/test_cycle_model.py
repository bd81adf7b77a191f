"""The vectorized cycle against a deliberately dumb model that looks at one pod and one node at a time."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.scheduler.core.cache import Cache
from kybern.scheduler.core.cycle import Cycle, Placed, Unplaced
from kybern.scheduler.core.pod import FactsOf
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.registry import default_profile
from kybern.testing.builders import make_node, make_pod

Object = dict[str, Any]
MIB = 1024 * 1024
EFFECTS = ["NoSchedule", "NoExecute", "PreferNoSchedule"]


@dataclass
class Model:
    """Nodes and the pods on them, as objects."""

    nodes: dict[str, Object] = field(default_factory=dict)
    pods: dict[str, tuple[Object, str]] = field(default_factory=dict)  # name → (pod, node)

    def on(self, node: str) -> list[Object]:
        return [pod for pod, where in self.pods.values() if where == node]

    def fits(self, pod: Object, node: Object) -> bool:
        name, spec = node["metadata"]["name"], pod["spec"]
        tolerated = {toleration["key"] for toleration in spec.get("tolerations", [])}
        if node["spec"].get("unschedulable"):
            return False
        if any(t["effect"] != "PreferNoSchedule" and t["key"] not in tolerated for t in node["spec"]["taints"]):
            return False
        if any(node["metadata"]["labels"].get(k) != v for k, v in spec.get("nodeSelector", {}).items()):
            return False
        taken = {port for other in self.on(name) for port in ports(other)}
        if taken & ports(pod):
            return False
        limits = node["status"]["allocatable"]
        cpu = sum(request(other)[0] for other in self.on(name)) + request(pod)[0]
        memory = sum(request(other)[1] for other in self.on(name)) + request(pod)[1]
        too_much_cpu = request(pod)[0] > 0 and cpu > int(limits["cpu"]) * 1000
        too_much_memory = request(pod)[1] > 0 and memory > 8 * 1024
        return not too_much_cpu and not too_much_memory and len(self.on(name)) < int(limits["pods"])

    def best(self, pod: Object) -> set[str]:
        """The names of all nodes with the highest score."""
        feasible = [node for node in self.nodes.values() if self.fits(pod, node)]
        disliked = {n["metadata"]["name"]: self.disliked(pod, n) for n in feasible}
        most = max(disliked.values(), default=0)
        scores = {}
        for node in feasible:
            name = node["metadata"]["name"]
            taint_score = 100 if most == 0 else 100 - disliked[name] * 100 // most
            scores[name] = 3 * taint_score + self.least_allocated(pod, node) + self.balanced(pod, node)
        return {name for name, score in scores.items() if score == max(scores.values())}

    def disliked(self, pod: Object, node: Object) -> int:
        tolerated = {toleration["key"] for toleration in pod["spec"].get("tolerations", [])}
        taints = node["spec"]["taints"]
        return sum(t["effect"] == "PreferNoSchedule" and t["key"] not in tolerated for t in taints)

    def least_allocated(self, pod: Object, node: Object) -> int:
        everyone = [*self.on(node["metadata"]["name"]), pod]
        cpu = sum(request(each)[0] or 100 for each in everyone)
        memory = sum(request(each)[1] or 200 for each in everyone)
        limit = int(node["status"]["allocatable"]["cpu"]) * 1000
        cpu_score = (limit - cpu) * 100 // limit if cpu <= limit else 0
        memory_score = (8192 - memory) * 100 // 8192 if memory <= 8192 else 0
        return (cpu_score + memory_score) // 2

    def balanced(self, pod: Object, node: Object) -> int:
        if request(pod) == (0, 0):
            return 0
        others = self.on(node["metadata"]["name"])
        limit = int(node["status"]["allocatable"]["cpu"]) * 1000

        def balance(pods: list[Object]) -> int:
            cpu = min(sum(request(each)[0] for each in pods) / limit, 1.0)
            memory = min(sum(request(each)[1] * MIB for each in pods) / (8192 * MIB), 1.0)
            return int((1 - abs(cpu - memory) / 2) * 100)

        return 50 + (50 + balance([*others, pod]) - balance(others)) // 2


def request(pod: Object) -> tuple[int, int]:
    """Millicores and mebibytes."""
    wanted = pod["spec"]["containers"][0]["resources"]["requests"]
    return int(wanted.get("cpu", "0m")[:-1]), int(wanted.get("memory", "0Mi")[:-2])


def ports(pod: Object) -> set[int]:
    return {port["hostPort"] for port in pod["spec"]["containers"][0].get("ports", [])}


nodes = st.builds(
    make_node,
    st.sampled_from([f"n{number}" for number in range(6)]),
    taints=st.lists(st.tuples(st.sampled_from("xy"), st.just(""), st.sampled_from(EFFECTS)), max_size=2),
    unschedulable=st.sampled_from([False, False, False, True]),
    labels=st.sampled_from([{}, {"disk": "ssd"}, {"disk": "hdd"}]),
    allocatable=st.fixed_dictionaries({"cpu": st.sampled_from(["1", "2", "4"]), "pods": st.sampled_from(["2", "110"])}),
)
kinds = st.fixed_dictionaries(
    {
        "requests": st.sampled_from([{}, {"cpu": "500m"}, {"memory": "3000Mi"}, {"cpu": "900m", "memory": "1000Mi"}]),
        "host_ports": st.sampled_from([(), (), (80,), (80, 443)]),
        "tolerations": st.sampled_from([[], [], [{"key": "x", "operator": "Exists"}]]),
        "nodeSelector": st.sampled_from([{}, {}, {"disk": "ssd"}]),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("node"), nodes),
        st.tuples(st.just("drop node"), st.integers(0, 5)),
        st.tuples(st.just("pod"), st.tuples(kinds, st.integers(1, 4))),
        st.tuples(st.just("drop pod"), st.integers(0, 30)),
    ),
    min_size=3,
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(steps=steps, seed=st.integers(0, 1000))
def test_the_cycle_decides_as_the_model_does(steps: list[tuple[str, Any]], seed: int) -> None:
    model, facts_of, cache = Model(), FactsOf(), Cache(Snapshot(capacity=2))
    cycle = Cycle(default_profile(), cache.nodes, Random(seed))
    counter = 0
    for what, value in steps:
        match what:
            case "node":
                model.nodes[value["metadata"]["name"]] = value
                cache.set_node(value)
            case "drop node":
                model.nodes.pop(f"n{value}", None)
                cache.remove_node(f"n{value}")
            case "drop pod":
                if model.pods.pop(f"p{value}", None) is not None:
                    cache.remove_pod(f"uid-default-p{value}")
            case "pod":
                kind, count = value
                for _ in range(count):
                    pod = make_pod(f"p{counter}", **kind)
                    counter += 1
                    decide(model, cache, cycle, facts_of, pod)


def decide(model: Model, cache: Cache, cycle: Cycle, facts_of: FactsOf, obj: Object) -> None:
    pod = facts_of.pod(obj)
    outcome = cycle.decide(pod.facts)
    best = model.best(obj)
    if isinstance(outcome, Unplaced):
        assert best == set()
        assert outcome.nodes == len(model.nodes)
        assert sum(r.nodes for r in outcome.rejections) >= len(model.nodes)
        return
    assert isinstance(outcome, Placed)
    assert outcome.node in best
    for number, (node, total, by_plugin) in enumerate(outcome.top()):
        assert number > 0 or node == outcome.node
        assert sum(by_plugin.values()) == total
    cache.assume(pod, outcome.node)
    model.pods[pod.name] = (obj, outcome.node)


def test_a_run_takes_equally_good_nodes_one_each() -> None:
    cache, facts_of = Cache(Snapshot()), FactsOf()
    for number in range(6):
        cache.set_node(make_node(f"n{number}", allocatable={"cpu": "8" if number < 4 else "2"}))
    cycle = Cycle(default_profile(), cache.nodes, Random(1))
    facts = facts_of.facts(make_pod(requests={"cpu": "1"}))
    evaluation = cycle.evaluation(facts)
    evaluation.filter()
    run = cycle.select(evaluation, count=10)
    assert sorted(placed.node for placed in run) == ["n0", "n1", "n2", "n3"]
    assert [placed.top()[0][0] for placed in run] == [placed.node for placed in run]
    assert all(len(placed.top()) == 6 for placed in run)


def test_pods_that_look_at_each_other_are_placed_one_by_one() -> None:
    cache, facts_of = Cache(Snapshot()), FactsOf()
    for number in range(4):
        cache.set_node(make_node(f"n{number}"))
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    facts = facts_of.facts(make_pod(labels={"app": "x"}, affinity=affinity))
    cycle = Cycle(default_profile(), cache.nodes, Random(1))
    evaluation = cycle.evaluation(facts)
    evaluation.filter()
    assert len(cycle.select(evaluation, count=10)) == 1


def test_the_same_seed_makes_the_same_choices() -> None:
    def choices(seed: int) -> list[str]:
        cache, facts_of = Cache(Snapshot()), FactsOf()
        for number in range(20):
            cache.set_node(make_node(f"n{number}"))
        cycle = Cycle(default_profile(), cache.nodes, Random(seed))
        found = []
        for number in range(10):
            pod = facts_of.pod(make_pod(f"p{number}"))
            outcome = cycle.decide(pod.facts)
            assert isinstance(outcome, Placed)
            cache.assume(pod, outcome.node)
            found.append(outcome.node)
        return found

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)


def test_the_message_is_upstreams() -> None:
    cache, facts_of = Cache(Snapshot()), FactsOf()
    cache.set_node(make_node("small", allocatable={"cpu": "1"}))
    cache.set_node(make_node("tainted", taints=[("k", "v", "NoSchedule")]))
    cache.set_node(make_node("cordoned", unschedulable=True))
    outcome = Cycle(default_profile(), cache.nodes, Random(0)).decide(facts_of.facts(make_pod(requests={"cpu": "2"})))
    assert isinstance(outcome, Unplaced)
    assert outcome.message == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable."
    )
    assert outcome.helpful == ()  # too small even if it were empty
    assert outcome.plugins == {"NodeResourcesFit", "TaintToleration", "NodeUnschedulable"}


def test_a_cluster_without_nodes() -> None:
    outcome = Cycle(default_profile(), Snapshot(), Random(0)).decide(FactsOf().facts(make_pod()))
    assert isinstance(outcome, Unplaced)
    assert outcome.message == "no nodes available to schedule pods"
