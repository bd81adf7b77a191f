# ruff: noqa: E501 (tables)
"""Options of lists, gets, deletions of collections and watches, every combination, of a built-in and a custom kind."""

import json
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from same import ROOT_USER, Both, differences, readable
from servers import Server
from test_crds import crd, served

MAPS, FOOS = "/api/v1/namespaces/{}/configmaps", "/apis/compare.example.com/v1/namespaces/{}/foptions"
META = "v=v1;g=meta.k8s.io"
TABLE, LISTED = f"application/json;as=Table;{META}", f"application/json;as=PartialObjectMetadataList;{META}"
ONE = f"application/json;as=PartialObjectMetadata;{META}"
TOKEN = urlsafe_b64encode(b'{"v":"meta.k8s.io/v1","rv":-1,"start":"a1\\u0000"}').decode().rstrip("=")
VERSIONS = ("", "0", "x", "99999999999999999999", "1")
MATCHES = ("", "Exact", "NotOlderThan", "x")
SELECTORS = ("", "&labelSelector=l%3D0", "&fieldSelector=metadata.name%3Da1", "&labelSelector=a+in", "&fieldSelector=x")
ACCEPTED = (
    "", "*/*", TABLE, TABLE.replace("v1", "v1beta1"), TABLE.replace("v1", "v2"), f"{TABLE},application/json", LISTED, ONE, "text/html",
    "text/plain", "application/json;charset=utf-8", "application/json;q=0.5", "application/*", "text/*", "application/cbor",
    "application/json;stream=watch", "application/json;as=Foo;v=v1;g=meta.k8s.io",
)  # fmt: skip
ODD = (
    "", "watch=0", "watch=false", "timeoutSeconds=-1", "timeoutSeconds=1.5", "timeoutSeconds=", "allowWatchBookmarks=x", "sendInitialEvents=x",
    "sendInitialEvents=false", "pretty=true", "pretty=x", "includeObject=None", "includeObject=Object", "includeObject=x", "limit=1&limit=2",
    "resourceVersion=0&resourceVersion=x", "foo=bar", "labelSelector=&labelSelector=l%3D0", "continue=&limit=2&includeObject=None", "kind=x",
)  # fmt: skip


@pytest.fixture(params=["ConfigMap", "Foption"])
def path(both: Both, namespace: str, request: Any) -> str:
    """Of four objects of a built-in or a custom kind."""
    made: dict[str, Any] = {}
    if request.param == "Foption":
        definition = crd("foptions", {"type": "object", "x-kubernetes-preserve-unknown-fields": True})
        if both.ask("GET", "/apis/compare.example.com/v1/foptions").kube.status != 200:
            served(both, definition)
        made = {"apiVersion": "compare.example.com/v1", "kind": definition["spec"]["names"]["kind"]}
    found = (FOOS if made else MAPS).format(namespace)
    for number in range(4):
        both.same("POST", found, {**made, "metadata": {"name": f"a{number}", "labels": {"l": str(number % 2)}}})
    return found


def said(pair: Any) -> list[str]:
    """Differences, but for ages in rows, and where the judge says 500 of what is asked wrongly."""
    answers = [readable(pair.kube), readable(pair.kybern)]
    for answer in answers:
        for row in answer["body"].get("rows", ()) if isinstance(answer["body"], dict) else ():
            row["cells"].pop()
    if answers[0]["status"] == 500 and answers[1]["status"] in (400, 406):
        return []
    return differences(*answers)


def all_same(both: Both, method: str, asked: list[tuple[str, str]]) -> None:
    found = []
    for path, accept in asked:
        headers = {"Accept": accept} if accept else {}
        found += [f"{path} {accept}\n{line}" for line in said(both.ask(method, path, headers=headers))]
    assert not found, f"{len(found)} differences\n" + "\n".join(found[:20])


def test_lists(both: Both, path: str) -> None:
    all_options = product(VERSIONS, MATCHES, ("", "2", "x"), (TOKEN, "abc", ""), SELECTORS)
    queries = [f"{path}?resourceVersion={v}&resourceVersionMatch={m}&limit={limit}&continue={token}{selector}"
               for v, m, limit, token, selector in all_options]  # fmt: skip
    all_same(both, "GET", [*product(queries, ["application/json"]), *product(queries[::3], [TABLE, LISTED])])


def test_pages_of_what_is_selected(both: Both, path: str) -> None:
    selectors = ("labelSelector=l%3D0", "labelSelector=l%3D1", "fieldSelector=metadata.name%3Da1", "fieldSelector=metadata.name!%3Da0",
                 "fieldSelector=metadata.name!%3Da3")  # fmt: skip
    queries = [f"{path}?limit={limit}&{selector}" for limit, selector in product(range(1, 5), selectors)]
    all_same(both, "GET", list(product(queries, ["application/json"])))
    all_same(both, "DELETE", list(product([f"{query}&dryRun=All" for query in queries], [""])))


def test_collections_are_deleted_by_the_page(both: Both, path: str) -> None:
    options = product(("", "0", "x"), MATCHES, ("", "2", "x"), ("abc", ""), SELECTORS[:3])
    asked = [f"{path}?resourceVersion={v}&resourceVersionMatch={m}&limit={limit}&continue={token}{selector}&dryRun=All"
             for v, m, limit, token, selector in options if not (v == "0" and not token)]  # fmt: skip
    all_same(both, "DELETE", list(product(asked, [""])))
    both.same("DELETE", f"{path}?limit=2")
    both.same("GET", path)


def test_gets(both: Both, path: str) -> None:
    more = (
        "",
        "&resourceVersionMatch=x",
        "&limit=x",
        "&pretty=true",
        "&pretty=0",
        "&watch=0",
        "&labelSelector=a+in",
        "&foo=bar",
    )
    queries = [
        f"{path}/{name}?resourceVersion={v}{each}"
        for name, v, each in product(("a1", "none"), (*VERSIONS, "-1", "1.5"), more)
    ]
    all_same(both, "GET", list(product(queries, ["application/json", TABLE, ONE, LISTED])))


def test_forms(both: Both, path: str) -> None:
    all_same(both, "GET", [(f"{path}?{query}", accept) for query, accept in product(ODD, ACCEPTED)])


REFUSED = [
    *(f"resourceVersion={v}&resourceVersionMatch={m}&sendInitialEvents={s}" for v, m, s in product(("", "0"), ("", "Exact", "x"), ("true", "x"))),
    *(f"resourceVersion={v}&resourceVersionMatch={m}" for v, m in product(("", "0"), MATCHES[1:])),
    *("continue=abc", "limit=x", "timeoutSeconds=x", "fieldSelector=x", "labelSelector=a+in", "fieldSelector=spec.x%3Dy"),
    "resourceVersionMatch=x&fieldSelector=x",
]  # fmt: skip


@pytest.mark.timeout(200)
def test_watches_that_are_refused(both: Both, path: str, tmp_path: Path) -> None:
    """However much is under way."""

    def one(number: int) -> list[str]:
        query, accept = cases[number]
        answers = []
        for server in (both.kube, both.kybern):
            (own := tmp_path / f"{server.name}{number}").mkdir()
            mine = Server(server.name, server.port, server.ca, own)
            try:
                asked = f"{path}?watch=1&{query}&timeoutSeconds=1"
                answers.append(readable(mine.ask("GET", asked, None, {"Accept": accept}, ROOT_USER)))
            finally:
                mine.close()
        return [f"{query} {accept}\n{line}" for line in differences(*answers)]

    cases = list(product(REFUSED, ("application/json", TABLE)))
    with ThreadPoolExecutor(24) as pool:
        found = [line for lines in pool.map(one, range(len(cases))) for line in lines]
    assert not found, json.dumps(found[:10], indent=1)
