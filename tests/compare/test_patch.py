"""Patches of every type, well-formed or not, and applied configurations; managedFields in every answer.

Where kube-apiserver says 500 of bad input, Kybern says 400 with the same message (docs/conformance.md). A refused merge
patch shows the whole object, whose members Kybern keeps in another order: of those only the status is compared. An
apply that changes nothing loses the time of its manager in kube-apiserver, not here.
"""

import json
from typing import Any

import pytest
from same import Both, differences, readable

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "labels": {"x": "y"}, "finalizers": ["a/b", "c/d"]},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "containers": [
                    {"name": "c", "image": "i", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]},
                    {"name": "e", "image": "j"},
                ],
                "tolerations": [{"key": "k", "operator": "Exists"}],
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
        },
    },
}
TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


@pytest.fixture
def path(both: Both, namespace: str) -> str:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    both.same("POST", path, DEPLOYMENT)
    return path


def pod(**spec: Any) -> Any:
    return {"spec": {"template": {"spec": spec}}}


def c(**members: Any) -> Any:
    return pod(containers=[members])


def differ(both: Both, path: str, patch: Any, kind: str) -> list[str]:
    """How the answers to a patch differ, but for what the module's docstring names."""
    pair = both.ask("PATCH", path, patch, headers={"Content-Type": TYPES[kind]})
    kube, kybern = readable(pair.kube), readable(pair.kybern)
    if kube["status"] == 500:
        kube["status"] = kube["body"]["code"] = 400
    if isinstance(kube["body"], dict) and 'patch: Invalid value: "{' in (kube["body"].get("message") or ""):
        kube, kybern = {"status": kube["status"]}, {"status": kybern["status"]}
    return [
        f"{kind} {json.dumps(patch) if not isinstance(patch, bytes) else patch!r}\n{each}"
        for each in differences(kube, kybern)
        if ".time:" not in each
    ]


BODIES = (b"", b"{", b"[]", b"1", b'"x"', b"{}", b"null")
ORDER, DELETE = "$setElementOrder", "$deleteFromPrimitiveList"
MERGES: list[Any] = [
    *BODIES,
    *({"$patch": each} for each in ("replace", "delete", "merge", 1, None)),
    *({"spec": {"$patch": each}} for each in ("replace", "delete", "fly", "merge")),
    *({"metadata": {"labels": each}} for each in (None, {"x": None})),
    *({"metadata": {"finalizers": each}} for each in (["e/f"], None)),
    *({"metadata": {f"{DELETE}/finalizers": each}} for each in (["a/b"], ["zz"], "a/b", None)),
    *({"metadata": {name: ["a"]}} for name in (DELETE, f"{DELETE}/nope", f"{DELETE}/labels", ORDER, f"{ORDER}/nope")),
    *({"metadata": {f"{ORDER}/finalizers": each}} for each in (["c/d", "a/b"], "x")),
    {"metadata": {f"{ORDER}/finalizers": ["c/d", "z/z", "a/b"], "finalizers": ["z/z"]}},
    {"metadata": {f"{ORDER}/finalizers": ["c/d"], "finalizers": ["z/z"]}},
    *(
        pod(**{f"{ORDER}/containers": each})
        for each in ([{"name": "e"}, {"name": "c"}], ["e"], [{"image": "e"}], None, [])
    ),
    pod(
        **{
            f"{ORDER}/containers": [{"name": "z"}, {"name": "e"}, {"name": "c"}],
            "containers": [{"name": "z", "image": "k"}],
        }
    ),
    pod(**{f"{ORDER}/containers": [{"name": "e"}], "containers": [{"name": "z", "image": "k"}]}),
    *(c(**each) for each in ({"name": "c", "image": "z"}, {"name": "c", "$patch": "delete"}, {"$patch": "delete"})),
    *(c(**each) for each in ({"$patch": "replace"}, {"$patch": "merge", "name": "q"}, {"$patch": "fly", "name": "q"})),
    *(c(**each) for each in ({"image": "x"}, {}, {"name": 1, "image": "x"}, {"name": None}, {"name": "c", "foo": 1})),
    *(pod(containers=each) for each in ([None], ["x"], [{"name": "a"}, "b"], "x", {}, None, [], [[]])),
    pod(containers=[{"$patch": "replace"}, {"name": "q", "image": "r"}]),
    *(
        c(name="c", ports=[each])
        for each in ({"containerPort": 80, "name": "w"}, {"containerPort": 80, "$patch": "delete"})
    ),
    *(
        c(name="c", env=each)
        for each in ([{"name": "A", "value": None}], [{"name": "B"}, {"name": "A", "$patch": "delete"}])
    ),
    pod(volumes=[{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "q"}}]),
    pod(volumes=[{"name": "v", "$retainKeys": ["name"], "configMap": {"name": "q"}}]),
    *(
        {"spec": {"strategy": {"$retainKeys": each, "type": "Recreate"}}}
        for each in (["type"], ["foo"], [1], "x", None)
    ),
    pod(tolerations=[{"key": "z"}]),
    pod(nodeSelector={"$patch": "replace", "a": "b"}),
    *({"spec": each} for each in ({"replicas": "x"}, {"replicas": -1}, "x", None, [])),
    *(
        {"metadata": each}
        for each in ({"name": "z"}, {"namespace": "z"}, {"resourceVersion": "1"}, {"resourceVersion": ""})
    ),
    *({"metadata": {"managedFields": each}} for each in ([], [{}], None, [{"manager": "z"}])),
    *({"kind": "Foo"}, {"kind": None}, {"kind": 1}, {"status": {"replicas": 3}}, {"metadata": {"generation": 9}}),
]


@pytest.mark.parametrize("kind", ["strategic", "merge"])
def test_merges(both: Both, path: str, kind: str) -> None:
    queries = ("", "&fieldValidation=Strict")
    found = [
        line
        for patch in MERGES
        for query in queries
        for line in differ(both, f"{path}/d?dryRun=All{query}", patch, kind)
    ]
    assert not found, "\n".join(found)


def op(name: Any, at: Any = None, **members: Any) -> list[Any]:
    return [{"op": name, **({"path": at} if at is not None else {}), **members}]


OPERATIONS: list[Any] = [
    *BODIES,
    *([], [{}], [1], [None], op("x"), op("add"), op("add", "/a"), op("add", "a", value=1), op(1, "/foo"), op("add", 1)),
    *(op("replace", at, value=3) for at in ("/spec/replicas", "/nope/x", "/metadata/finalizers/2")),
    *(
        op("remove", at)
        for at in ("/nope", "/metadata/labels/x", "/metadata/labels", "", "/spec", "/metadata/finalizers/9")
    ),
    *(op("add", f"/metadata/finalizers/{at}", value="q/r") for at in ("-", "0", "5", "x")),
    *(op("test", at, value=1) for at in ("/spec/replicas", "/nope", "")),
    op("copy", "/metadata/labels/w", **{"from": "/metadata/labels/x"}),
    op("move", "/metadata/labels/w", **{"from": "/metadata/labels/x"}),
    *(op("add", at, value=None) for at in ("/metadata/labels", "/spec/replicas", "/metadata/labels/n")),
    *(
        op("add", at, value="z")
        for at in ("/metadata/name", "/kind", "/spec/replicas", "/foo", "/metadata/annotations/a")
    ),
]


def test_operations(both: Both, path: str) -> None:
    found = [line for patch in OPERATIONS for line in differ(both, f"{path}/d?dryRun=All", patch, "json")]
    assert not found, "\n".join(found)


def applied(**members: Any) -> Any:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, **members}


def meta(**members: Any) -> Any:
    return applied(metadata={"name": "d", **members})


CONFIGURATIONS: list[Any] = [
    *(b"", b"[]", b"1", b"a: [", {}, {"kind": "Deployment"}, {"apiVersion": 1}, {"kind": 1}, {"apiVersion": "a/b/c"}),
    *(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": each}
        for each in ({"name": "z"}, {"namespace": "z"}, "x")
    ),
    *(applied(**each) for each in ({}, {"foo": 1}, {"apiVersion": "v1"}, {"kind": "Foo"}, {"status": {"replicas": 1}})),
    *(applied(spec=each) for each in ("x", [], {"foo": 1}, {"replicas": 2}, {"replicas": 1}, {"replicas": "x"})),
    *(meta(labels=each) for each in ({"x": "z", "w": "q"}, {"x": 1}, {"w": None})),
    *(meta(finalizers=each) for each in (["a/b", "z/z"], ["a/b", "a/b"], [1], [None])),
    *(meta(**each) for each in ({"resourceVersion": "1"}, {"managedFields": []}, {"managedFields": [{}]}, {"foo": 1})),
    *(
        applied(**pod(containers=each))
        for each in ([{"image": "z"}], [{}], [None], ["x"], {}, [{"name": "c"}, {"name": "c"}])
    ),
    *(applied(**c(**each)) for each in ({"name": "c", "image": "z"}, {"name": 1}, {"name": "c", "foo": 1})),
    applied(**c(name="new", image="q", ports=[{"containerPort": 80}])),
    *(applied(**c(name="c", ports=each)) for each in ([{"containerPort": 80, "name": "w"}], [{"protocol": "TCP"}])),
    applied(**c(name="c", resources={"limits": {"cpu": 1}})),
    applied(**pod(nodeSelector={"a": "b"})),
    *(applied(spec=each) for each in ({"selector": {"matchLabels": {"a": "c"}}}, {"strategy": {"type": "Recreate"}})),
]


@pytest.mark.parametrize("query", ["", "&force=true", "&fieldValidation=Strict"])
def test_configurations(both: Both, path: str, query: str) -> None:
    at = f"{path}/d?dryRun=All&fieldManager=m{query}"
    found = [line for patch in CONFIGURATIONS for line in differ(both, at, patch, "apply")]
    assert not found, "\n".join(found)
