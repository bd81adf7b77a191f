"""DELETE with options of every sort, bodies of odd types, and what refuses patches shows."""

import re
from typing import Any

import pytest
from same import Both, differences, readable

OPTIONS = {"kind": "DeleteOptions", "apiVersion": "v1"}
VALUES: dict[str, tuple[Any, ...]] = {
    "gracePeriodSeconds": (0, 1, -1, 30, 1.5, "1", None, [], {}, True, 2**63 - 1),
    "preconditions": (None, {}, [], 1, "x", {"uid": "x"}, {"uid": ""}, {"uid": 1}, {"uid": None}, {"other": 1},
                      {"resourceVersion": 1}, {"uid": "x", "resourceVersion": "1"}),
    "orphanDependents": (None, True, False, "true", 1, []),
    "propagationPolicy": (None, "", "Orphan", "Background", "Foreground", "orphan", 1, []),
    "dryRun": (None, [], ["All"], ["All", "All"], ["x"], "All", [1], {}, [""], ["All", "x"], [None]),
    "ignoreStoreReadErrorWithClusterBreakingPotential": (None, True, False, "x"),
    "unknown": (1,),
    "metadata": ({}, None),
}  # fmt: skip
BODIES: list[Any] = [
    *(b"", b"{}", b"null", b"[]", b"1", b"{", b"{}{}", b"\n", b'{"gracePeriodSeconds":1,"gracePeriodSeconds":2}'),
    *({"kind": kind, "apiVersion": version} for kind in ("", "DeleteOptions", "Pod", "Status", "Nope", None)
      for version in ("", "v1", "v2", "x/v1", "a/b/c", "meta.k8s.io/v1", None)),
    *({**OPTIONS, name: value} for name, values in VALUES.items() for value in values),
    *({**OPTIONS, "orphanDependents": orphan, "propagationPolicy": policy} for orphan in (True, False)
      for policy in ("Orphan", "Background", "")),
]  # fmt: skip
QUERIES = (
    *("gracePeriodSeconds=0", "gracePeriodSeconds=-2", "gracePeriodSeconds=x", "gracePeriodSeconds=", "uid=", "uid=x"),
    *("gracePeriodSeconds=1&gracePeriodSeconds=2", "propagationPolicy=", "propagationPolicy=x", "resourceVersion="),
    *("orphanDependents=", "orphanDependents=x", "orphanDependents=false", "orphanDependents=true&propagationPolicy=x"),
    *("dryRun=", "dryRun=x", "dryRun=All", "dryRun=All&dryRun=All", "dryRun=All&dryRun=x", "timeoutSeconds=x"),
    *("fieldManager=x", "kind=x", "unknown=1", "limit=x", "force=true", "timeout=1s"),
)
POLICIES = (
    *("", "propagationPolicy=Orphan", "propagationPolicy=Background", "propagationPolicy=Foreground"),
    *("orphanDependents=true", "orphanDependents=false"),
)
ALONE = ("", "propagationPolicy=Background", "orphanDependents=false")  # add no finalizer
FINALIZERS: tuple[list[str], ...] = (
    *([], ["orphan"], ["foregroundDeletion"], ["a.b/c"], ["orphan", "foregroundDeletion"]),
)
PARAMETERS = (
    *(";foo", ";foo=", ";foo=bar;baz", ";=x", '; charset="utf-8"', ';charset="utf', ";;", "; ;", ";", ";a=b;a=b", " "),
    *(" ; a=b", ";a = b", ";a=b c", " x", "/x", ",", ";a=b,", ";charset=utf-8;", ";a=[", ", text/plain"),
)


@pytest.fixture
def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def make(both: Both, path: str, **metadata: Any) -> None:
    both.ask("POST", path, {"metadata": {"name": "d", **metadata}})


def test_bodies_of_deletions(both: Both, maps: str) -> None:
    found: list[str] = []
    for body in BODIES:
        for query in ("", "?dryRun=All"):
            make(both, maps)
            found += [f"{body} {query} {line}" for line in both.diff("DELETE", f"{maps}/d{query}", body)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("body", [None, b"{}"])
def test_queries_of_deletions(both: Both, maps: str, body: bytes | None) -> None:
    found: list[str] = []
    for query in QUERIES:
        make(both, maps)
        found += [f"{query} {line}" for line in both.diff("DELETE", f"{maps}/d?{query}", body)]
        if "esourceVersion" not in query and "uid=x" not in query:  # a list may be of before
            make(both, maps)
            lines = both.diff("DELETE", f"{maps}?fieldSelector=metadata.name%3Dnone&{query}", body)
            found += [f"all {query} {line}" for line in lines]
    assert not found, "\n".join(found)


def test_policies(both: Both, maps: str) -> None:
    for query in POLICIES:
        for finalizers in FINALIZERS:
            if finalizers == ["a.b/c"] and query not in ALONE:
                continue  # kube-apiserver puts several in any order
            make(both, maps, finalizers=finalizers)
            for more in ("", "dryRun=All&", ""):
                both.same("DELETE", f"{maps}/d?{more}{query}")
                both.same("GET", f"{maps}/d")
            both.ask("PATCH", f"{maps}/d", {"metadata": {"finalizers": None}})
            both.ask("DELETE", f"{maps}/d")


@pytest.mark.parametrize("query", POLICIES)
def test_policies_of_a_namespace(both: Both, namespace: str, query: str) -> None:
    for more in ("dryRun=All&", "", ""):
        both.same("DELETE", f"/api/v1/namespaces/{namespace}?{more}{query}")


def test_parameters_of_content_types(both: Both, maps: str) -> None:
    both.same("POST", maps, {"metadata": {"name": "d"}})
    found: list[str] = []
    for more in PARAMETERS:
        for method, path, kind in (("POST", maps, "json"), ("DELETE", f"{maps}/d", "json"),
                                   ("PATCH", f"{maps}/d", "merge-patch+json")):  # fmt: skip
            body = {} if method == "DELETE" else {"metadata": {"name": "e" if method == "POST" else "d"}}
            headers = {"Content-Type": f"application/{kind}{more}"}
            found += [f"{method} {more} {line}" for line in both.diff(method, f"{path}?dryRun=All", body, headers)]
    assert not found, "\n".join(found)


MALFORMED = ("%", "a%zz", "%2", "a%2?x=%zz")


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_malformed_escapes(both: Both, maps: str, method: str, name: str) -> None:
    both.same(method, f"{maps}/{name}", {} if method in ("POST", "PUT", "PATCH") else None)


ENCODINGS = ("gzip", "gzip;q=0", "gzip;q=0.5", "deflate", "*", "br, gzip", "GZIP", "", "identity;q=0", "gzip ,br")


def test_encodings(both: Both, maps: str) -> None:
    both.same("POST", maps, {"metadata": {"name": "d"}, "data": {"k": "ab" * 100_000}})
    for encoding in ENCODINGS:
        for path in (maps, f"{maps}/d", f"{maps}/none", "/api", "/apis", "/api/v1", "/version"):
            pair = both.ask("GET", path, headers={"Accept-Encoding": encoding})
            for header in ("content-encoding", "vary"):
                assert pair.kube.headers.get(header) == pair.kybern.headers.get(header), (path, encoding, header)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/openid/v1/jwks", "/openid/v1/jwks/"])
@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE", "OPTIONS"])
def test_documents_that_are_only_read(both: Both, method: str, path: str) -> None:
    both.same(method, path)


REFUSED: tuple[Any, ...] = (
    *({"metadata": {"labels": "wrong"}}, {"data": 3}, {"data": {"b": 1}}, {"metadata": {"finalizers": "x"}}),
    *({"metadata": {"annotations": {"q": {"z": 1, "b": None, "a": 2}}}}, {"zz": {"b": 1, "a": 2}}, {"kind": 3}),
    *({"kind": "Pod"}, {"apiVersion": "apps/v1"}, {"metadata": 3}),
    *([{"op": "add", "path": path, "value": 3}] for path in ("/data", "/metadata/labels/q", "/metadata/labels")),
)  # fmt: skip


def test_what_a_refused_patch_shows(both: Both, maps: str) -> None:
    both.same("POST", maps, {"metadata": {"name": "d", "labels": {"a": "b"}}, "data": {"x": "1"}, "immutable": False})
    for patch in REFUSED:
        kind = "json-patch" if isinstance(patch, list) else "merge-patch"
        headers = {"Content-Type": f"application/{kind}+json"}
        pair = both.ask("PATCH", f"{maps}/d?fieldValidation=Strict", patch, headers)
        said = [_without_version(readable(answer)) for answer in (pair.kube, pair.kybern)]
        assert not differences(*said), patch


def _without_version(answer: Any) -> Any:
    body = answer["body"]
    for place in (body, *body.get("details", {}).get("causes", ())):
        place["message"] = re.sub(r'(resourceVersion\\*":\\*")\d+', r"\1N", place["message"])
    return answer
