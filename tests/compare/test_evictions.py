"""Evictions: what they say, and what budgets say to them; zones and regions that come with a binding."""

from typing import Any

import pytest
from bad_values import Asked
from same import Both, differences, normal

Object = dict[str, Any]
RUN = {"containers": [{"name": "c", "image": "i"}]}
PODS = {  # name: (phase, ready)
    "ready": ("Running", "True"), "unready": ("Running", "False"), "pending": ("Pending", None),
    "done": ("Succeeded", None), "failed": ("Failed", None), "unknown": ("Unknown", None),
}  # fmt: skip
STATUSES: list[Object] = [
    {}, {"currentHealthy": 2, "desiredHealthy": 1}, {"desiredHealthy": 1}, {"disruptionsAllowed": 1},
    {"disruptionsAllowed": 1, "disruptedPods": {"ready": "2024-01-01T00:00:00Z"}},
    {"currentHealthy": 1, "desiredHealthy": 1}, {"observedGeneration": 0, "disruptionsAllowed": 1},
]  # fmt: skip
NAMES: list[Object] = [{}, {"name": "x"}, {"generateName": "ready"}, {"name": "ready", "namespace": "other"}]
OPTIONS: list[Any] = [
    {"dryRun": ["All"]}, {"gracePeriodSeconds": -1}, {"preconditions": {"uid": "x"}}, {"propagationPolicy": "X"},
    {"propagationPolicy": "Foreground"}, {"orphanDependents": True}, {"kind": "X", "apiVersion": "v1"}, "x",
    {"propagationPolicy": "Orphan", "orphanDependents": True}, {"foo": 1}, None,
]  # fmt: skip


@pytest.fixture
def pods(both: Both, namespace: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/pods"
    for name, (phase, ready) in PODS.items():
        both.same("POST", path, {"metadata": {"name": name, "labels": {"a": "b"}}, "spec": {**RUN, "nodeName": "n"}})
        conditions = [{"type": "Ready", "status": ready}] if ready else []
        both.same("PATCH", f"{path}/{name}/status", {"status": {"phase": phase, "conditions": conditions}})
    return path


def eviction(name: str, **more: Any) -> Object:
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, **more}


def test_budgets(both: Both, namespace: str, pods: str) -> None:
    budgets, ask = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets", Asked(both)

    def every(what: str) -> None:
        for name in PODS:
            ask(f"{what} {name}", "POST", f"{pods}/{name}/eviction?dryRun=All", eviction(name))

    every("no budget")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    ask("made", "POST", budgets, {"metadata": {"name": "x"}, "spec": spec})
    every("new")
    none = {"currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0, "disruptionsAllowed": 0, "disruptedPods": None}
    for policy in (None, "AlwaysAllow", "IfHealthyBudget"):
        ask("policy", "PATCH", f"{budgets}/x", {"spec": {"unhealthyPodEvictionPolicy": policy}})
        for status in STATUSES:
            wanted = {**none, "observedGeneration": 9, **status}
            ask("status", "PATCH", f"{budgets}/x/status", {"status": wanted})
            every(f"{policy} {status}")
    ask("two", "POST", budgets, {"metadata": {"name": "y"}, "spec": {"minAvailable": 1, "selector": {}}})
    every("two")
    ask.check()


def test_what_evictions_say(both: Both, pods: str) -> None:
    ask, at = Asked(both), f"{pods}/ready/eviction?dryRun=All"
    for metadata in NAMES:
        ask(f"{metadata}", "POST", at, {**eviction(""), "metadata": metadata})
    for options in OPTIONS:
        ask(f"{options}", "POST", at, eviction("ready", deleteOptions=options))
        ask(f"strict {options}", "POST", f"{at}&fieldValidation=Strict", eviction("ready", deleteOptions=options))
    for version in ("v1", "policy/v2", "policy/v1beta1"):
        ask(version, "POST", at, {**eviction("ready"), "apiVersion": version})
        odd = eviction("ready", deleteOptions={"gracePeriodSeconds": 5, "foo": 1})
        ask(f"{version} strict", "POST", f"{at}&fieldValidation=Strict", {**odd, "apiVersion": version})
    for query in ("dryRun=x", "dryRun=All&dryRun=x"):
        ask(query, "POST", f"{at.partition('?')[0]}?{query}", eviction("done"))
    for method in ("GET", "DELETE"):
        ask(method, method, f"{pods}/ready/eviction")
    ask.check()


def test_zones_come_with_bindings(both: Both, namespace: str) -> None:
    ask, root = Asked(both), f"/api/v1/namespaces/{namespace}"
    zone, region = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
    ask("node", "POST", "/api/v1/nodes", {"metadata": {"name": f"z{namespace}", "labels": {zone: "z", region: "r"}}})
    both.ask("GET", "/api/v1/nodes")
    for kind in ("Node", ""):
        for where in ("binding", "bindings"):
            for labels in ({}, {zone: "mine"}):
                name = f"{kind.lower()}{where}{len(labels)}"
                ask(
                    "made", "POST", f"{root}/pods", {"metadata": {"name": name, "labels": {region: "old"}}, "spec": RUN}
                )
                path = f"{root}/pods/{name}/binding" if where == "binding" else f"{root}/bindings"
                target = {"kind": kind, "name": f"z{namespace}"}
                ask("bound", "POST", path, {"metadata": {"name": name, "labels": labels}, "target": target})
                ask(name, "GET", f"{root}/pods/{name}")
    ask.check()


def test_a_budget_that_is_used_up(both: Both, namespace: str, pods: str) -> None:
    """What an eviction writes; kube-apiserver's manager is called as its program."""
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    both.same("POST", path, {"metadata": {"name": "x"}, "spec": spec})
    for allowed in (2, 1):
        status = {"observedGeneration": 9, "disruptionsAllowed": allowed, "currentHealthy": 3, "desiredHealthy": 1}
        both.ask("PATCH", f"{path}/x/status", {"status": {**status, "expectedPods": 3, "disruptedPods": None}})
        unmet = eviction("ready", deleteOptions={"preconditions": {"uid": "x"}})
        both.same("POST", f"{pods}/ready/eviction", unmet)
        pair = both.ask("GET", f"{path}/x")
        kube, kybern = (normal(answer.document["status"]) for answer in (pair.kube, pair.kybern))
        assert differences(kube, kybern) == []
