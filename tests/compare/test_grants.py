"""Who may grant what: roles and bindings by users who do not hold everything, and what users are told they may do."""

import json
from typing import Any

import pytest
from conftest import numbers
from same import Both, differences, readable

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
EVE, BINDER, ESCALATOR = ("eve", "devs"), ("binder", "devs"), ("escalator", "devs")
USERS = [EVE, BINDER, ESCALATOR, ("nobody-special",), ("root", "system:masters")]
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def rule(verbs: Any, groups: Any = None, resources: Any = None, names: Any = None, urls: Any = None) -> dict[str, Any]:
    given = {"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names}
    return {name: value for name, value in {**given, "nonResourceURLs": urls}.items() if value is not None}


def ref(name: Any, kind: str = "ClusterRole", group: str = GROUP) -> dict[str, Any]:
    return {"apiGroup": group, "kind": kind, "name": name}


def user(name: str, kind: str = "User") -> dict[str, Any]:
    return {"kind": kind, "name": name, "apiGroup": GROUP}


def grant(both: Both, subject: dict[str, Any], rules: list[Any], namespace: str = "") -> None:
    name, path = f"grant-{next(numbers)}", f"{RBAC}/namespaces/{namespace}/" if namespace else f"{RBAC}/cluster"
    kind = "Role" if namespace else "ClusterRole"
    both.ask("POST", f"{path}roles", {"metadata": {"name": name}, "rules": rules})
    binding = {"metadata": {"name": name}, "roleRef": ref(name, kind), "subjects": [subject]}
    both.ask("POST", f"{path}rolebindings", binding)


def alike(both: Both, *arguments: Any, **named: Any) -> None:
    """The same answer, but for a 500 of kube-apiserver to bad input, which is 400 here (docs/conformance.md)."""
    pair = both.ask(*arguments, **named)
    kube, kybern = readable(pair.kube), readable(pair.kybern)
    if kube["status"] == 500:
        kube["status"] = kube["body"]["code"] = 400
    assert differences(kube, kybern) == []


@pytest.fixture(scope="module")
def granted(both: Both) -> Both:
    for name in ("grants-a", "grants-b"):
        both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    kinds = ["roles", "clusterroles", "rolebindings", "clusterrolebindings"]
    write = rule(["create", "update", "patch", "get", "delete"], [GROUP], kinds)
    for name in ("eve", "binder", "escalator"):
        grant(both, user(name), [write])
    held = [rule(["get", "list"], [""], ["pods"]), rule(["get"], [""], ["secrets"], ["s1"])]
    held += [rule(["get"], urls=["/healthz", "/foo/*"]), rule(["get"], ["apps"], ["*/scale"])]
    grant(both, user("eve"), [*held, rule(["*"], ["batch"], ["jobs"])])
    grant(both, user("eve"), [rule(["create"], [""], ["services"])], "grants-a")
    grant(both, user("binder"), [rule(["bind"], [GROUP], ["clusterroles", "roles"], ["okc", "r0"])])
    grant(both, user("binder"), [rule(["escalate"], [GROUP], ["roles"])])
    grant(both, user("escalator"), [rule(["escalate", "bind"], [GROUP], ["clusterroles"])])
    both.ask("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "okc"}, "rules": [rule(["get"], [""], ["pods"])]})
    for name, resource in (("r0", "nodes"), ("ok", "pods")):
        role = {"metadata": {"name": name}, "rules": [rule(["get"], [""], [resource])]}
        both.ask("POST", f"{RBAC}/namespaces/grants-a/roles", role)
    return both


PODS = rule(["get"], [""], ["pods"])
RULES: dict[str, Any] = {
    "held": [PODS], "more": [rule(["get", "delete", "watch"], [""], ["pods", "nodes", "secrets"])],
    "all": [rule(["*"], ["*"], ["*"])], "all paths": [rule(["*"], urls=["*"])],
    "paths": [rule(["get", "post"], urls=["/healthz", "/foo/bar", "/bar", "/foo/*"])],
    "names": [rule(["get"], [""], ["secrets"], ["s1", "s2"])], "any name": [rule(["get"], [""], ["secrets"])],
    "here": [rule(["get", "create"], ["", "apps"], ["services", "deployments/scale"])],
    "subresources": [rule(["get"], ["apps"], ["x/scale", "*/scale", "*/status"])],
    "any verb": [rule(["*"], ["batch"], ["jobs", "cronjobs"])], "below": [rule(["get"], ["batch"], ["jobs/status"])],
    "several": [PODS, rule(["create"], [""], ["pods"]), rule(["list"], ["z", "a"], ["q", "b"], ["n2", "n1"])],
    "unsorted": [rule(["z", "b", "a"], ["z", "b", ""], ["z", "b", "a"])],
    "twice": [rule(["get", "get"], [""], ["nodes", "nodes"]), rule(["list", "get"], [""], ["nodes"])],
    "null": None, "no verbs": [rule([])], "empty": [{}], "no resources": [rule(["get"], [""])],
    "path and resource": [rule(["get"], [""], ["pods"], None, ["/x"])],
    "odd paths": [rule(["get"], urls=["x", "/a*b"])],
    "empty words": [rule([""], [""], [""])], "star and more": [rule(["get"], ["*", ""], ["*", "pods"])],
}  # fmt: skip


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_roles(granted: Both, rules: Any) -> None:
    for who in USERS:
        for path in ("clusterroles", "namespaces/grants-a/roles", "namespaces/grants-b/roles"):
            name = f"role-{next(numbers)}"
            granted.same("POST", f"{RBAC}/{path}", {"metadata": {"name": name}, "rules": rules}, user=who)
    name = f"role-{next(numbers)}"
    granted.same(
        "POST", f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": [rule(["get"], [""], ["nodes"])]}
    )
    path = f"{RBAC}/clusterroles/{name}"
    for who in (EVE, ESCALATOR, EVE):
        granted.same("PATCH", path, {"rules": rules}, user=who)
        granted.same("PUT", path, {"metadata": {"name": name}, "rules": rules}, user=who)
        granted.same("PATCH", path, {"metadata": {"labels": {"a": who[0]}}}, user=who)
        granted.same("PATCH", path, {"metadata": {"finalizers": ["a.b/c"], "labels": {"a": who[0]}}}, user=who)
    config = {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    granted.same("PATCH", f"{path}?fieldManager=m&force=true", config, headers=APPLY, user=EVE)


@pytest.mark.parametrize("selectors", [[{"matchLabels": {"a": "b"}}], [], [{}], [{"matchLabels": {"a b": "c"}}], None])
def test_aggregation(granted: Both, selectors: Any) -> None:
    for who in (EVE, ESCALATOR, USERS[-1]):
        name = f"role-{next(numbers)}"
        body = {"metadata": {"name": name}, "aggregationRule": {"clusterRoleSelectors": selectors}}
        granted.same("POST", f"{RBAC}/clusterroles", body, user=who)
        granted.same("PATCH", f"{RBAC}/clusterroles/{name}", {"metadata": {"labels": {"a": "b"}}}, user=EVE)


REFS: list[Any] = [
    ref("okc"), ref("none"), ref("cluster-admin"), ref("r0", "Role"), ref("ok", "Role"), ref("none", "Role"),
    {"kind": "ClusterRole", "name": "okc"}, ref("okc", group="x"), ref("okc", "Nope"), ref(None), ref(""), ref("a/b"),
    ref("a%b"), ref("."), {}, None, "x", ref("ok", "Role", ""),
]  # fmt: skip


@pytest.mark.parametrize("given", REFS, ids=lambda given: json.dumps(given))
def test_bindings(granted: Both, given: Any) -> None:
    for path in ("clusterrolebindings", "namespaces/grants-a/rolebindings", "namespaces/grants-b/rolebindings"):
        for who in (*USERS[:3], USERS[-1]):
            body = {"metadata": {"name": f"b-{next(numbers)}"}, "roleRef": given, "subjects": [user("x")]}
            alike(granted, "POST", f"{RBAC}/{path}", body, user=who)
        name = f"b-{next(numbers)}"
        body = {"metadata": {"name": name}, "roleRef": ref("okc"), "subjects": [user("x")]}
        alike(granted, "POST", f"{RBAC}/{path}", body)
        for who in (EVE, BINDER, USERS[-1]):
            alike(granted, "PUT", f"{RBAC}/{path}/{name}", {"metadata": {"name": name}, "roleRef": given}, user=who)
            if given != "x":
                alike(granted, "PATCH", f"{RBAC}/{path}/{name}", {"roleRef": given}, user=who)


def test_roles_that_are_gone(granted: Both) -> None:
    binding = {"metadata": {"name": "broken"}, "roleRef": ref("missing"), "subjects": [user("lost"), user("lost")]}
    granted.same("POST", f"{RBAC}/clusterrolebindings", binding)
    grant(granted, user("lost"), [rule(["create"], [GROUP], ["clusterroles"])])
    granted.same("GET", "/api/v1/pods", user=("lost",))
    granted.same("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "l"}, "rules": [PODS]}, user=("lost",))
    both_gone = {"metadata": {"name": "broken"}, "roleRef": ref("gone", "Role"), "subjects": [user("lost")]}
    granted.same("POST", f"{RBAC}/namespaces/grants-a/rolebindings", both_gone)
    granted.same("GET", "/api/v1/namespaces/grants-a/pods", user=("lost",))


@pytest.mark.parametrize("namespace", ["grants-a", "grants-b", "none", "", None, 5])
def test_rules_reviews(granted: Both, namespace: Any) -> None:
    """In which order rules come is chance upstream."""
    for who in (EVE, ("root", "system:masters"), ("lost",), ("system:kube-scheduler",), ()):
        body = {"spec": {"namespace": namespace}, "metadata": {"labels": {"a": "b"}}}
        pair = granted.ask("POST", f"{REVIEWS}/selfsubjectrulesreviews", body, user=who)
        kube, kybern = readable(pair.kube), readable(pair.kybern)
        for side in (kube, kybern):
            for name in ("resourceRules", "nonResourceRules"):
                if isinstance(side["body"].get("status"), dict):
                    side["body"]["status"][name].sort(key=json.dumps)
        assert differences(kube, kybern) == []


ASKED: list[Any] = [
    {"verb": "get", "resource": "pods"}, {"verb": "create", "resource": "services", "namespace": "grants-a"},
    {"verb": "get", "resource": "secrets", "name": "s1"}, {"verb": "get", "resource": "x", "subresource": "scale"},
    {"verb": "*", "resource": "*", "group": "*"}, {}, {"verb": "get"}, {"resource": "pods"}, {"verb": 5},
    {"verb": "get", "resource": "pods", "unknown": 1},
    *({"verb": "list", "resource": "pods", **selector} for selector in (
        {"fieldSelector": {}}, {"fieldSelector": {"rawSelector": "a=="}}, {"fieldSelector": {"rawSelector": "a"}},
        {"fieldSelector": {"requirements": [{"key": "a", "operator": "In", "values": ["b"]}]}},
        {"fieldSelector": {"requirements": [{"key": "a", "operator": "Exists", "values": ["b"]}]}},
        {"fieldSelector": {"rawSelector": "a=b", "requirements": [{"key": "", "operator": "Bad"}]}},
        {"labelSelector": {"rawSelector": "a in ("}}, {"labelSelector": {"requirements": [{}]}},
        {"labelSelector": {"requirements": [{"key": "a b", "operator": "In", "values": ["b b"]}]}})),
]  # fmt: skip


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: json.dumps(asked))
def test_access_reviews(granted: Both, asked: Any) -> None:
    spec = {"resourceAttributes": asked}
    for who in (EVE, ("root", "system:masters")):
        granted.same("POST", f"{REVIEWS}/selfsubjectaccessreviews", {"spec": spec}, user=who)
    for subject in ({"user": "eve"}, {"groups": ["devs"]}, {"user": "lost", "uid": "1", "extra": {"a": ["b"]}}, {}):
        body = {"spec": {**spec, **subject}}
        granted.same("POST", f"{REVIEWS}/subjectaccessreviews", body)
        granted.same("POST", f"{REVIEWS}/namespaces/grants-a/localsubjectaccessreviews", body)
        for metadata in ({"name": "x", "labels": {"a": "b"}}, {"namespace": "grants-a"}):
            granted.same("POST", f"{REVIEWS}/subjectaccessreviews?dryRun=All", {**body, "metadata": metadata})


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_reviews_are_not_kept(both: Both, method: str) -> None:
    body = {} if method in ("PUT", "PATCH") else None
    for path in ("subjectaccessreviews", "selfsubjectrulesreviews", "namespaces/a/localsubjectaccessreviews"):
        both.same(method, f"{REVIEWS}/{path}", body)
        both.same(method, f"{REVIEWS}/{path}/x", body)
    for path in ("tokenreviews", "selfsubjectreviews"):
        both.same(method, f"/apis/authentication.k8s.io/v1/{path}/x", body)


@pytest.mark.parametrize("path", ["clusterroles", "clusterrolebindings"])
def test_a_namespace_where_there_are_none(both: Both, path: str) -> None:
    body = {"metadata": {"name": f"spaced-{next(numbers)}", "namespace": "a"}}
    if path == "clusterrolebindings":
        body["roleRef"] = ref("view")
    both.same("POST", f"{RBAC}/{path}", body)
    both.same("PUT", f"{RBAC}/{path}/{body['metadata']['name']}", body)
    both.same("PATCH", f"{RBAC}/{path}/{body['metadata']['name']}", {"metadata": {"namespace": "q"}})
