"""Watches: from revisions, of what selectors move in and out, by name, in every form, and from the start of a list."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from same import ROOT_USER, Both, differences, readable
from servers import Answer, Server

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
FORMS = {"json": "application/json", "table": TABLE, "partial": PARTIAL}
SELECTORS = ("", "labelSelector=l%3D1", "fieldSelector=metadata.name%3Da", "labelSelector=!l",
             "labelSelector=l%3D1&fieldSelector=metadata.name%3Db")  # fmt: skip
INITIAL = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
# (method, name, body): what is watched afterwards
HISTORY: tuple[tuple[str, str, Any], ...] = (
    ("POST", "", {"metadata": {"name": "a", "labels": {"l": "1"}}, "data": {"x": "1"}}),
    ("POST", "", {"metadata": {"name": "b", "labels": {"l": "2"}}}),
    ("PATCH", "/a", {"metadata": {"labels": {"l": "2"}}}),
    ("PATCH", "/b", {"metadata": {"labels": {"l": "1"}}}),
    ("PATCH", "/a", {"metadata": {"labels": {"l": "1"}, "finalizers": ["a.b/c"]}}),
    ("DELETE", "/a", None),
    ("PATCH", "/a", {"metadata": {"finalizers": None}}),
    ("POST", "", {"metadata": {"name": "c", "labels": {"l": "1"}}}),
)


@dataclass(frozen=True)
class Asked:
    """A watch of one second; `revision` counts in HISTORY, or is text as it is."""

    path: str
    query: str = ""
    revision: int | str = ""
    form: str = "json"


@pytest.fixture
def revisions(both: Both, namespace: str) -> tuple[str, list[tuple[str, str]]]:
    """The path of the ConfigMaps, and both servers' revisions after each step of their history."""
    path, found = f"/api/v1/namespaces/{namespace}/configmaps", []
    for method, name, body in HISTORY:
        pair = both.same(method, path + name, body)
        versions = [answer.document["metadata"].get("resourceVersion", "") for answer in (pair.kube, pair.kybern)]
        found.append((versions[0], versions[1]))
    return path, found


def ask(server: Server, folder: Path, asked: Asked, revision: str) -> Answer:
    """Over a connection of its own, as many watch at once."""
    mine = Server(server.name, server.port, server.ca, folder)
    query = f"{asked.query}&watch=1&timeoutSeconds=1" + (f"&resourceVersion={revision}" if revision else "")
    try:
        return mine.ask("GET", f"{asked.path}?{query}", None, {"Accept": FORMS[asked.form]}, ROOT_USER)
    finally:
        mine.close()


def comparable(body: Any) -> Any:
    """Events without the age in their rows, which counts seconds, and without the last bookmark of Kybern's watches."""
    if isinstance(body, list):
        body = [event for event in body if event.get("type") != "BOOKMARK" or "annotations" in str(event)]
    for event in body if isinstance(body, list) else [body]:
        for row in event["object"].get("rows", ()) if isinstance(event, dict) and "object" in event else ():
            row["cells"].pop()
    return body


def compare(both: Both, folder: Path, cases: list[Asked], revisions: list[tuple[str, str]]) -> None:
    def one(number: int) -> list[str]:
        case, said = cases[number], []
        for index, server in enumerate((both.kube, both.kybern)):
            at = case.revision if isinstance(case.revision, str) else revisions[case.revision][index]
            (own := folder / f"{server.name}{number}").mkdir()
            answer = readable(ask(server, own, case, at))
            said.append({**answer, "body": comparable(answer["body"])})
        return [f"{case}\n{line}" for line in differences(*said)]

    with ThreadPoolExecutor(16) as pool:
        found = [line for lines in pool.map(one, range(len(cases))) for line in lines]
    assert not found, f"{len(found)} differences\n" + "\n".join(found[:20])


@pytest.mark.timeout(300)
def test_from_revisions(both: Both, revisions: tuple[str, list[tuple[str, str]]], tmp_path: Path) -> None:
    path, versions = revisions
    starts = [number for number, step in enumerate(versions) if step[0]]
    cases = [Asked(path, *each) for each in product(SELECTORS, [*starts, "", "0"], FORMS)]
    compare(both, tmp_path, cases, versions)


@pytest.mark.timeout(300)
def test_from_the_start_of_a_list(both: Both, revisions: tuple[str, list[tuple[str, str]]], tmp_path: Path) -> None:
    path, versions = revisions
    queries = (INITIAL, "sendInitialEvents=false&resourceVersionMatch=NotOlderThan", "sendInitialEvents=true",
               "sendInitialEvents=false", "sendInitialEvents=true&resourceVersionMatch=Exact",
               "resourceVersionMatch=NotOlderThan", "resourceVersionMatch=Exact", f"{INITIAL}&allowWatchBookmarks=true",
               "limit=1")  # fmt: skip
    cases = [Asked(path, *each) for each in product(queries, ("", "0", 0, 4), FORMS)]
    compare(both, tmp_path, cases, versions)


@pytest.mark.timeout(300)
def test_by_name_and_by_the_old_paths(both: Both, revisions: tuple[str, list[tuple[str, str]]], tmp_path: Path) -> None:
    path, versions = revisions
    old = path.replace("/api/v1", "/api/v1/watch")
    paths = (f"{path}/a", f"{path}/c", f"{path}/none", old, f"{old}/a", f"{old}/c", f"{path}/c/status")
    compare(both, tmp_path, [Asked(each, "", start) for each in paths for start in (0, "")], versions)
