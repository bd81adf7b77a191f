"""What containers and pods ask for, and how they are resized: names, amounts, claims, policies, patches of any type."""

import json
from typing import Any

import pytest
from bad_values import Asked
from same import Both

Object = dict[str, Any]
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
JSON = {"Content-Type": "application/json-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
B = {"cpu": "1", "memory": "1Gi"}


def container(name: str = "c", **members: Any) -> Object:
    return {"name": name, "image": "i", **members}


def both_sides(**amounts: str) -> Object:
    named = {name.replace("__", "/").replace("_", "-"): amount for name, amount in amounts.items()}
    return {"requests": named, "limits": named}


def only(side: str, name: str, amount: str = "1") -> Object:
    return {side: {name: amount}}


ASKED: list[Object] = [
    *(only("requests", name) for name in ("foo", "Bad Key!", "", "a/b/c", "x.y/z", "requests.x.y/z", "pods",
    "storage")),
    *(only("limits", name) for name in ("foo", "x.y/z", "ephemeral-storage")), only("requests", "cpu", "-1"),
    only("requests", "cpu", "0"), both_sides(cpu="0"), only("requests", "hugepages-2Mi", "4Mi"),
    both_sides(hugepages_2Mi="4Mi"), both_sides(hugepages_2Mi="3Mi"), both_sides(cpu="1", hugepages_x="1"),
    {"limits": {"hugepages-2Mi": "4Mi", "cpu": "1"}}, {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
    {"requests": {"x.y/z": "1"}, "limits": {"x.y/z": "2"}}, {"requests": {"x.y/z": "1.5"}, "limits": {"x.y/z": "1.5"}},
    {"claims": [{"name": "z"}]}, {"claims": [{"name": "z"}, {"name": "z"}]}, both_sides(memory="1"),
    {"requests": B, "limits": {"cpu": "1000m", "memory": "1024Mi"}}, only("requests", "ephemeral-storage", "1Gi"),
]  # fmt: skip


def specs(asked: Object) -> dict[str, Object]:
    """Where a pod can ask for it."""
    return {
        "container": {"containers": [container(resources=asked)]},
        "init": {"containers": [container()], "initContainers": [container("d", resources=asked)]},
        "pod": {"resources": asked, "containers": [container()]},
        "both": {"resources": {"requests": B, "limits": B}, "containers": [container(resources=asked)]},
        "windows": {"os": {"name": "windows"}, "resources": asked, "containers": [container()]},
        "overhead": {"overhead": asked.get("requests") or asked.get("limits"), "containers": [container()]},
    }


def test_what_is_asked_for(both: Both, namespace: str) -> None:
    ask = Asked(both)
    for asked in ASKED:
        for where, spec in specs(asked).items():
            said = f"{where} {json.dumps(asked)}"
            template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
            wanted = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
            pods, sets = f"/api/v1/namespaces/{namespace}/pods", f"/apis/apps/v1/namespaces/{namespace}/replicasets"
            ask(said, "POST", f"{pods}?dryRun=All", {"metadata": {"name": "p"}, "spec": spec})
            ask(f"template {said}", "POST", f"{sets}?dryRun=All", {"metadata": {"name": "p"}, "spec": wanted})
    ask.check()


@pytest.mark.parametrize("restarts", ["Never", "OnFailure", "Always"])
def test_resize_policies(both: Both, namespace: str, restarts: str) -> None:
    ask = Asked(both)
    for policy in ("RestartContainer", "NotRequired", "X", ""):
        rules = [{"resourceName": name, "restartPolicy": policy} for name in ("cpu", "memory")]
        for spec in (
            {"containers": [container(resizePolicy=rules)]},
            {"containers": [container(resizePolicy=rules, restartPolicy="Always")]},
            {"containers": [container()], "initContainers": [container("d", resizePolicy=rules)]},
            {
                "containers": [container()],
                "initContainers": [container("d", resizePolicy=rules, restartPolicy="Always")],
            },
        ):
            pod = {"metadata": {"name": "p"}, "spec": {**spec, "restartPolicy": restarts}}
            ask(f"{policy} {spec}", "POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
    ask.check()


RESIZED: dict[str, Object] = {
    "best effort": {"containers": [container()]},
    "burstable": {"containers": [container(resources={"requests": B})]},
    "limited": {"containers": [container(resources={"requests": B, "limits": {"cpu": "2", "memory": "2Gi"}})]},
    "guaranteed": {"containers": [container(resources=both_sides(**B))]},
    "sidecar": {"initContainers": [container("s", restartPolicy="Always", resources=both_sides(**B))],
                "containers": [container(resources=both_sides(**B))]},
    "windows": {"os": {"name": "windows"}, "containers": [container(resources=both_sides(**B))]},
    "on a node": {"nodeName": "n", "containers": [container(resources=both_sides(**B))]},
    "extended": {"containers": [container(resources=both_sides(**B, x__z="1"))]},
    "pod level": {"resources": both_sides(**B), "containers": [container()]},
}  # fmt: skip
CHANGES: list[Object] = [
    only("requests", "cpu", "2"), only("limits", "cpu", "2"), both_sides(cpu="2"), both_sides(cpu="2", memory="2Gi"),
    both_sides(memory="512Mi"), only("limits", "memory", "1Mi"), {"requests": None}, {"requests": None, "limits": None},
    {"limits": {"memory": None}}, only("requests", "ephemeral-storage", "2Gi"), both_sides(hugepages_2Mi="8Mi"),
    only("requests", "cpu", "-1"), both_sides(cpu="0"), {"claims": [{"name": "z"}]}, only("requests", "foo"),
]  # fmt: skip
OTHERS: list[Object] = [
    {"containers": [container(image="z")]}, {"containers": [container("q")]}, {"nodeName": "z"}, {"hostNetwork": True},
    {"containers": [{"$patch": "delete", "name": "c"}]}, {"activeDeadlineSeconds": 5}, {"resources": None},
    {"containers": [{"name": "c", "env": [{"name": "A", "value": "b"}]}]},
]  # fmt: skip


@pytest.mark.parametrize("base", RESIZED)
def test_resize(both: Both, namespace: str, base: str) -> None:
    path, ask = f"/api/v1/namespaces/{namespace}/pods", Asked(both)
    ask("made", "POST", path, {"metadata": {"name": "p"}, "spec": RESIZED[base]})
    at = f"{path}/p/resize?dryRun=All"
    for change in CHANGES:
        if base == "pod level" and change == both_sides(cpu="2", memory="2Gi"):
            continue  # two amounts are told in the order of a Go map
        said, spec = json.dumps(change), {"containers": [{"name": "c", "resources": change}]}
        ask(f"strategic {said}", "PATCH", at, {"spec": spec}, headers=STRATEGIC)
        applied = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
        ask(f"apply {said}", "PATCH", f"{at}&fieldManager=m&force=true", applied, headers=APPLY)
        operation = {"op": "replace", "path": "/spec/containers/0/resources", "value": change}
        ask(f"json {said}", "PATCH", at, [operation], headers=JSON)
        if base == "pod level":
            ask(f"pod {said}", "PATCH", at, {"spec": {"resources": change}}, headers=STRATEGIC)
    for spec in OTHERS:
        ask(f"other {spec}", "PATCH", at, {"spec": spec}, headers=STRATEGIC)
    for metadata in ({"labels": {"z": "y"}}, {"finalizers": ["a.b/c"]}, {"name": "x"}, {"resourceVersion": "1"}):
        ask(f"{metadata}", "PATCH", at, {"metadata": metadata})
    ask.check()


EPHEMERAL = container("e", terminationMessagePolicy="File")


def test_ephemeral_containers(both: Both, namespace: str) -> None:
    path, ask = f"/api/v1/namespaces/{namespace}/pods", Asked(both)
    ask("made", "POST", path, {"metadata": {"name": "p"}, "spec": {"containers": [container()]}})
    mirror = {"name": "m", "annotations": {"kubernetes.io/config.mirror": "x"}}
    ask("mirror", "POST", path, {"metadata": mirror, "spec": {"nodeName": "n", "containers": [container()]}})
    for name in ("p", "m"):
        at = f"{path}/{name}/ephemeralcontainers"
        ask(name, "PATCH", at, {"spec": {"ephemeralContainers": [EPHEMERAL]}}, headers=STRATEGIC)
        for change in (
            [],
            [{**EPHEMERAL, "image": "z"}],
            [EPHEMERAL, container("f")],
            [container("f")],
            [{"name": "c"}],
        ):
            ask(f"{name} {change}", "PATCH", f"{at}?dryRun=All", {"spec": {"ephemeralContainers": change}})
    ask.check()
