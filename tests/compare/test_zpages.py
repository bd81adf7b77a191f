"""Health checks, /version, /statusz and /flagz: status, headers and body for whoever asks, however they ask."""

import json
import re

import pytest
from same import ROOT_USER, Both, differences, readable

ENDPOINTS = ("/healthz", "/livez", "/readyz")
WAYS = (
    "", "?verbose", "?verbose=false", "?exclude=etcd", "?exclude=ping&verbose", "?exclude=nope&verbose",
    "?exclude=nope", "?exclude=ping&exclude=etcd&verbose", "?exclude=", "/", "/ping", "/ping?verbose", "/etcd",
    "/log", "/nope",
    "/poststarthook/rbac/bootstrap-roles", "/poststarthook", "/informer-sync", "/shutdown", "/etcd-readiness",
)  # fmt: skip
USERS = {"root": ROOT_USER, "bob": ("bob",), "nobody": ()}
BUILD = ("gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler")
MADE_UP = ("startTime", "uptimeSeconds", "goVersion", "flags")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("way", WAYS)
def test_health(both: Both, endpoint: str, way: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        for user in USERS.values():
            both.same(method, endpoint + way, user=user)


@pytest.mark.parametrize("user", USERS)
def test_version(both: Both, user: str) -> None:
    """Of another build."""
    for method in ("GET", "HEAD", "POST", "DELETE"):
        pair = both.ask(method, "/version", user=USERS[user])
        kube, kybern = readable(pair.kube), readable(pair.kybern)
        for answer in (kube, kybern):
            if isinstance(answer["body"], dict):
                answer["body"].update(dict.fromkeys(BUILD, ""))
        assert differences(kube, kybern) == []


def accepted(kind: str) -> list[str]:
    whole = [f"{kind};v={version};g=config.k8s.io;as={{}}" for version in ("v1alpha1", "v1beta1", "v1")]
    return [kind, *whole]


ACCEPTS = [
    "", "text/plain", "*/*", "text/*", "text/html", "foo/bar", "application/json, text/plain",
    "text/plain;q=0.5, foo/bar",
    *(form for kind in ("application/json", "application/yaml", "application/cbor") for form in accepted(kind)),
    "application/json;v=v1beta1;g=config.k8s.io;as=Table", "application/json;v=v1beta1;g=other;as={}",
    "text/plain, application/json;v=v1beta1;g=config.k8s.io;as={}",
]  # fmt: skip


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("kind", ["Statusz", "Flagz"])
def test_zpages(both: Both, kind: str, accept: str) -> None:
    path = f"/{kind.lower()}"
    for method in ("GET", "HEAD", "POST"):
        pair = both.ask(method, path, headers={"Accept": accept.format(kind)} if accept else {})
        kube, kybern = readable(pair.kube), readable(pair.kybern)
        for answer in (kube, kybern):
            answer["body"] = comparable(answer["body"])
        assert differences(kube, kybern) == []


def comparable(body: object) -> object:
    """Without what each server says of itself; upstream separates names and values by what it likes."""
    if isinstance(body, dict):
        return {**body, **{name: "" for name in MADE_UP if name in body}}
    text = str(body)
    if text.startswith("\napiserver flagz"):
        return text.splitlines()[:3]
    text = re.sub("(?s)^(apiVersion.*\n)flags:\n.*(kind: Flagz)", r"\1\2", text)
    text = re.sub("(?m)^(Started|Up|Go version|startTime|uptimeSeconds|goVersion)[ =:].*$", r"\1", text)
    return re.sub("(?m)^(Binary version|Emulation version|Paths)[ =:]+", r"\1: ", text)


@pytest.mark.parametrize("path", ["/statusz", "/flagz", "/statusz/", "/flagz/", "/configz", "/statusz/x", "/metrics/x"])
def test_who_may_ask(both: Both, path: str) -> None:
    for user in (("bob",), ()):
        both.same("GET", path, user=user)
    if path not in ("/statusz", "/flagz"):
        both.same("GET", path)


def test_flags(both: Both) -> None:
    """Names and values, all texts."""
    accept = {"Accept": "application/json;v=v1beta1;g=config.k8s.io;as=Flagz"}
    flags = json.loads(both.ask("GET", "/flagz", headers=accept).kybern.body)["flags"]
    assert all(isinstance(value, str) for value in flags.values())


@pytest.mark.parametrize("path", ["/", "/index.html"])
def test_paths(fresh: Both, path: str) -> None:
    """Where no definitions have been left."""
    fresh.same("GET", path)
    fresh.same("POST", path)
