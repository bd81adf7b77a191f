"""Who may replace roles and bindings with what; programs that do not say who they are."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from same import ROOT_USER, Both

Object = dict[str, Any]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
RULES = [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]
EDITOR = [{"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"]}]


def _binding(role: str, *users: str) -> Object:
    named = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user} for user in users]
    return {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}, "subjects": named}


CHANGES: dict[str, Callable[[Object], Any]] = {
    "nothing": lambda obj: None,
    "no resourceVersion": lambda obj: obj["metadata"].pop("resourceVersion"),
    "no uid": lambda obj: obj["metadata"].pop("uid"),
    "no creationTimestamp": lambda obj: obj["metadata"].pop("creationTimestamp"),
    "no managedFields": lambda obj: obj["metadata"].pop("managedFields"),
    "a name alone": lambda obj: obj.update(metadata={"name": "r"}),
    "a label": lambda obj: obj["metadata"].update(labels={"a": "b"}),
    "a finalizer": lambda obj: obj["metadata"].update(finalizers=["a/b"]),
    "an owner": lambda obj: obj["metadata"].update(
        ownerReferences=[{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y"}]
    ),
    "a generation": lambda obj: obj["metadata"].update(generation=5),
    "a selfLink": lambda obj: obj["metadata"].update(selfLink="x"),
}


@pytest.mark.parametrize("kind", ["roles", "rolebindings"])
def test_replacing_what_grants_more(both: Both, namespace: str, kind: str) -> None:
    at = f"{RBAC}/namespaces/{namespace}"
    both.same("POST", f"{at}/roles", {"metadata": {"name": "r"}, "rules": RULES})
    both.same("POST", f"{at}/rolebindings", {"metadata": {"name": "r"}, **_binding("r")})
    both.same("POST", f"{at}/roles", {"metadata": {"name": "editor"}, "rules": EDITOR})
    both.same("POST", f"{at}/rolebindings", {"metadata": {"name": "editor"}, **_binding("editor", "ed")})
    for user in (("ed",), ROOT_USER):
        for name, change in CHANGES.items():
            found = []
            for server in (both.kube, both.kybern):
                obj = server.ask("GET", f"{at}/{kind}/r", None, {}, ROOT_USER).document
                change(obj)
                headers = {"Content-Type": "application/json", "User-Agent": "x"}
                answer = server.ask("PUT", f"{at}/{kind}/r?dryRun=All", json.dumps(obj).encode(), headers, user)
                found.append((name, answer.status, answer.document.get("message")))
            assert found[0] == found[1]
    for patch in ({}, {"metadata": {"labels": {"a": "c"}}}, {"metadata": {"finalizers": ["a/b"]}}):
        both.same("PATCH", f"{at}/{kind}/r?dryRun=All", patch, user=("ed",))


@pytest.mark.parametrize("agent", [None, "", "/x", " ", "a b/c", "kubectl/v1 (x)", "a/b/c"])
def test_programs_without_a_name(both: Both, namespace: str, agent: str | None) -> None:
    asked: dict[str, Object] = {
        f"/api/v1/namespaces/{namespace}/configmaps": {"metadata": {"name": "a"}, "data": {"a": "b"}},
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": {"spec": {"resourceAttributes": {"verb": "get"}}},
        "/apis/authentication.k8s.io/v1/tokenreviews": {"spec": {"token": "x"}},
    }
    headers = {"Content-Type": "application/json", **({} if agent is None else {"User-Agent": agent})}
    for path, body in asked.items():
        found = []
        for server in (both.kube, both.kybern):
            answer = server.ask("POST", path, json.dumps(body).encode(), headers, ROOT_USER)
            found.append((path, answer.status, answer.document["metadata"]["managedFields"][0]["manager"]))
        assert found[0] == found[1]
