"""The fuzzer's loop: what is there before, one case asked of both, and which differences are left out on purpose."""

import copy
import http.client
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from fuzz_known import OWN, compared
from fuzz_requests import CUSTOM, Ask, Base, Loader, base, case, load_objects
from fuzz_values import as_json
from same import ROOT_USER, Both, readable
from servers import Server

NAMESPACE = "fuzz"
Maker = Callable[[random.Random, Base], list[Ask]]
TIMES = 8  # that a refusal is asked for again until it says the same
HERE = Path(__file__).parent
DEFINITIONS = [
    yaml.safe_load((HERE / "fuzz_definition.yaml").read_text()),
    next(yaml.safe_load_all((HERE / "fuzz_rich.yaml").read_text())),
]


def prepare(both: Both) -> tuple[list[Base], list[str]]:
    """The objects that cases start from, stored in both; and how the answers to that differ."""
    both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    both.ask("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": "default"}})
    for definition in DEFINITIONS:
        both.same("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    found, wrong = [], []
    for number, obj in enumerate(load_objects(NAMESPACE)):
        made = base(obj, NAMESPACE, number)
        found.append(made)
        request = Ask("POST", made.collection, as_json(made.obj))
        kube, kybern = ask(both, request)
        for _ in range(100):  # until both serve what has just been defined
            if made.kind not in CUSTOM or 404 not in (kube["status"], kybern["status"]):
                break
            time.sleep(0.1)
            kube, kybern = ask(both, request)
        wrong += _wrong(made.kind, kube, kybern)
        if "status" in made.subresources and "status" in obj:
            body = as_json({"status": obj["status"]})
            asked = Ask("PATCH", f"{made.path}/status", body, {"Content-Type": "application/merge-patch+json"})
            wrong += _wrong(f"{made.kind}/status", *ask(both, asked))
    return found, wrong


def _wrong(what: str, kube: Any, kybern: Any) -> list[str]:
    """What is wrong with an object to start from: it has to be taken, by both alike."""
    refused = [] if kube["status"] < 300 else [f"{what} is refused: {kube['body']}"]
    return [*refused, *(f"{what}: {line}" for line in compared(kube, kybern))]


def _filled(both: Both, request: Ask) -> list[bytes | None]:
    """The bodies for both, with what each has stored."""
    body = request.body
    if body is None or not (b"@RV@" in body or b"@UID@" in body):
        return [body, body]
    pair = both.ask("GET", re.sub(r"\?.*|/(status|scale)(?=\?|$)", "", request.path))
    found: list[bytes | None] = []
    for answer in (pair.kube, pair.kybern):
        metadata = json.loads(answer.body).get("metadata") or {}
        version, uid = (str(metadata.get(name, "1")).encode() for name in ("resourceVersion", "uid"))
        found.append(body.replace(b"@RV@", version).replace(b"@UID@", uid))
    return found


def _as_json(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body, if it is YAML, as JSON."""
    return json.dumps(yaml.load(body, Loader)).encode() if "yaml" in headers.get("content-type", "") else body


def ask(both: Both, request: Ask, servers: tuple[Server, ...] = ()) -> list[Any]:
    """What both (or those named) say, without what is known to differ."""
    answers = []
    bodies = _filled(both, request)
    for server, body in zip(servers or (both.kube, both.kybern), bodies, strict=False):
        headers = {"User-Agent": "compare", **request.headers}
        answer = server.ask(request.method, request.path, body, headers, ROOT_USER)
        answers.append(readable(replace(answer, body=_as_json(OWN.sub(b"OWN", answer.body), answer.headers))))
    return answers


def run_case(both: Both, bases: list[Base], seed: str, make: Maker = case) -> Iterator[tuple[Ask, list[str], int]]:
    """A case: its requests, the differences of each; it ends with the first that differs."""
    rng = random.Random(seed)
    of = rng.choice(bases)
    asked = make(rng, of)
    for request in asked:
        try:
            kube, kybern = ask(both, request)
        except http.client.HTTPException:  # kube-apiserver fell over it
            return
        lines = compared(kube, kybern)
        for _ in range(TIMES if lines and kube["status"] >= 400 else 0):  # where Go goes through a map in any order
            try:
                again = ask(both, request, (both.kube,))[0]
            except http.client.HTTPException:  # it falls over some orders alone
                return
            if again["status"] < 400 or not compared(copy.deepcopy(again), copy.deepcopy(kybern)):
                lines = compared(again, kybern)
                break
        yield request, lines, kube["status"]
        if lines or (request is asked[0] and kube["status"] >= 400):
            break
    if len(asked) > 1:
        name = json.loads(asked[0].body or b"")["metadata"]["name"]
        both.ask("PATCH", f"{of.collection}/{name}", {"metadata": {"finalizers": None}})
        both.ask("DELETE", f"{of.collection}/{name}?gracePeriodSeconds=0&propagationPolicy=Background")


def leftovers(both: Both, bases: list[Base]) -> list[str]:
    """Whether dry runs changed anything."""
    found = []
    for of in bases:
        if of.stored:
            found += [f"{of.path} {line}" for line in compared(*ask(both, Ask("GET", of.path, None)))]
    return found


def group_key(request: Ask, lines: list[str]) -> str:
    """Differences of one sort have one key."""
    first = min(lines, key=lambda line: (".message" not in line, len(line)))
    kind = request.headers.get("Content-Type", "").partition("/")[2]
    text = re.sub(r"\d+", "0", re.sub(r'\\"([^"\\]|\\.)*?\\"', "Q", first))[:300]
    return f"{request.method} {kind} {text}"
