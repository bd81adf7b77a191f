# ruff: noqa: E501 (tables)
"""Discovery and OpenAPI documents: which forms are acceptable, who need not be sent what is unchanged, encodings."""

import re
from itertools import product
from typing import Any

import pytest
from same import ROOT_USER, Both, differences, readable
from servers import Answer

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PROTOBUF = "application/com.github.proto-openapi.spec"
ACCEPTED = (
    "", "*/*", "application/json", "application/yaml", AGGREGATED, AGGREGATED.replace("v2", "v2beta1"), f"{AGGREGATED},application/json",
    AGGREGATED.replace("json", "yaml"), f"{AGGREGATED};profile=x", "text/html", "text/plain", "application/*", "application/cbor", "garbage",
    "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=APIGroupDiscoveryList", "application/json;q=0.1,text/html",
)  # fmt: skip
PATHS = ("/api", "/apis", "/api/", "/apis/", "/api/v1", "/apis/apps", "/apis/apps/v1", "/apis/apps/v1/", "/openapi/v2", "/openapi/v3/api/v1",
         "/openapi/v3/apis/apps/v1", "/openapi/v3/apis/nope/v1", "/apis/apiregistration.k8s.io/v1", "/apis/apiextensions.k8s.io/v1",
         "/healthz", "/nope")  # fmt: skip
DOCUMENTS = ("/openapi/v2", "/openapi/v3/api/v1", "/openapi/v3/apis/apps/v1")
HEADERS = (
    "content-type",
    "etag",
    "vary",
    "cache-control",
    "last-modified",
    "x-content-type-options",
    "location",
    "allow",
)
MADE = re.compile(r'"?[0-9A-Fa-f]{60,}"?|^"\d+"$')  # hashes: of a length of their own


@pytest.fixture(scope="module")
def both(fresh: Both) -> Both:
    """The groups of definitions that other tests made end when they end."""
    return fresh


def shown(answer: Answer) -> Any:
    headers = {name: MADE.sub("HASH", answer.headers.get(name, "")) for name in HEADERS}
    headers["last-modified"] = "TIME" if headers["last-modified"] else ""
    body = readable(answer)["body"]
    if isinstance(body, dict):
        if {"swagger", "openapi"} & body.keys():
            body = "the document"
        elif "serverAddressByClientCIDRs" in body:
            body = {**body, "serverAddressByClientCIDRs": "each server's own"}
    elif isinstance(body, str) and "serverAddressByClientCIDRs" in body:
        body = "each server's own"
    return {"status": answer.status, "headers": headers, "body": body}


def all_same(both: Both, asked: list[tuple[str, dict[str, str], tuple[str, ...]]]) -> None:
    found = []
    for path, headers, user in asked:
        pair = both.ask("GET", path, headers=headers, user=user)
        found += [f"{path} {headers} {user}\n{line}" for line in differences(shown(pair.kube), shown(pair.kybern))]
    assert not found, f"{len(found)} differences\n" + "\n".join(found[:20])


def test_forms(both: Both) -> None:
    asked = [
        each for each in product(PATHS, ACCEPTED) if each[1] != "garbage" or "v3" not in each[0]
    ]  # 200 without a body
    all_same(both, [(path, {"Accept": each} if each else {}, ROOT_USER) for path, each in asked])


def test_types_of_openapi_v2(both: Both) -> None:
    for kind in ("v2@v1.0", "v2.v1.0", "v3@v1.0"):
        pair = both.ask("GET", "/openapi/v2", headers={"Accept": f"{PROTOBUF}.{kind}+protobuf"})
        assert pair.kube.status == pair.kybern.status
        assert pair.kube.headers.get("content-type") == pair.kybern.headers.get("content-type")


@pytest.mark.parametrize("path", ["/openid/v1/jwks", "/.well-known/openid-configuration", "/version"])
def test_types_of_other_documents(both: Both, path: str) -> None:
    """Their content is each server's own."""
    for accept in ("*/*", "application/json", "application/jwk-set+json", "text/html", "application/yaml"):
        pair = both.ask("GET", path, headers={"Accept": accept})
        kube, kybern = shown(pair.kube), shown(pair.kybern)
        if pair.kube.status == 200:
            kube["body"] = kybern["body"] = ""
        assert not differences(kube, kybern), accept


def test_who_may_ask(both: Both) -> None:
    users: tuple[tuple[str, ...], ...] = ((), ("alice",), ("alice", "devs"))
    all_same(both, [(path, {}, user) for path, user in product(PATHS, users)])


@pytest.mark.parametrize("form", ["{}", "W/{}", '{}, "x"', '"x", {}', "*", '"x"', "x"])
@pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
def test_unchanged_documents(both: Both, form: str, header: str) -> None:
    for path, accept in [*product(DOCUMENTS, ("*/*", "application/yaml")), ("/apis", AGGREGATED), ("/api", AGGREGATED)]:
        if header == "If-Match" and accept == AGGREGATED:
            continue
        answers = []
        for server in (both.kube, both.kybern):
            etag = server.ask("GET", path, None, {"Accept": accept}, ROOT_USER).headers.get("etag", '"none"')
            headers = {"Accept": accept, header: form.format(etag)}
            answers.append(shown(server.ask("GET", path, None, headers, ROOT_USER)))
        found = differences(*answers)
        assert not found, f"{path} {accept}\n" + "\n".join(found)


def test_times(both: Both) -> None:
    late, early = "Sun, 22 Nov 2099 03:47:39 GMT", "Sun, 22 Nov 2009 03:47:39 GMT"
    all_same(
        both, [(path, {"If-Modified-Since": at}, ROOT_USER) for path, at in product(DOCUMENTS, (late, early, "x"))]
    )


def test_hashes(both: Both) -> None:
    for path, query in product(("api/v1", "apis/apps/v1"), ("{}", "?hash=ABC", "?hash=", "{}&foo=1")):
        answers = []
        for server in (both.kube, both.kybern):
            paths = server.ask("GET", "/openapi/v3", None, {}, ROOT_USER).document["paths"]
            bare, _, own = paths[path]["serverRelativeURL"].partition("?")
            answers.append(shown(server.ask("GET", bare + query.format(f"?{own}"), None, {}, ROOT_USER)))
            assert ("expires" in server.ask("GET", f"{bare}?{own}", None, {}, ROOT_USER).headers) is True
        if answers[0]["status"] == 301:
            answers[1]["headers"]["last-modified"] = answers[0]["headers"]["last-modified"]
        assert not differences(*answers), (path, query)
