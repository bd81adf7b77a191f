"""One webhook server asked by both: the reviews that it gets, and what clients hear of its answers."""

import asyncio
import base64
import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from same import ROOT_USER, Both, differences, normal, readable
from servers import Server

from kybern.testing.webhooks import WebhookServer, patch, webhook_server

GROUP = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/hooked/configmaps"
NEW = ("POST", f"{MAPS}?dryRun=All", {"metadata": {"name": "x"}, "data": {"k": "v"}})
SETTLE = 0.6  # seconds until both have heard of a configuration
ALLOWED: dict[str, Any] = {"allowed": True}
Ask = tuple[Any, ...]


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookServer]:
    loop, found, ready = asyncio.new_event_loop(), [], threading.Event()
    done = asyncio.Event()

    async def run() -> None:
        async with webhook_server(tmp_path_factory.mktemp("hooks")) as server:
            found.append(server)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(20)
    yield found[0]
    loop.call_soon_threadsafe(done.set)
    thread.join()
    loop.close()


@pytest.fixture
def hooked(both: Both, hooks: WebhookServer) -> Iterator[Callable[..., None]]:
    """`hooked(kind, path, asks, **changes)`: both ask the webhook at a path, and have to agree."""
    both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "hooked", "labels": {"env": "prod"}}})
    both.ask("POST", MAPS, {"metadata": {"name": "old"}, "data": {"a": "b"}})
    made: list[str] = []

    def check(kind: str, path: str, asks: list[Ask], **changes: Any) -> None:
        rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["configmaps"]}
        hook = {"name": "h.x.io", "clientConfig": hooks.client_config(path), "sideEffects": "None", "rules": [rule]}
        hook |= {"admissionReviewVersions": ["v1"], "timeoutSeconds": 5, **changes}
        hook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": "hooked"}}
        where = f"{GROUP}/{kind}webhookconfigurations"
        pair = both.ask("POST", where, {"metadata": {"name": "hooked"}, "webhooks": [hook]})
        assert (pair.kube.status, pair.kybern.status) == (201, 201), pair
        made.append(f"{where}/hooked")
        time.sleep(SETTLE)
        for ask in asks:
            kube, kybern = (_asked(server, hooks, *ask) for server in (both.kube, both.kybern))
            wrong = differences(readable(kube[0]), readable(kybern[0]))
            wrong += differences(_reviews(kube[1]), _reviews(kybern[1]))
            assert not wrong, f"{path}: {ask[:2]}\n" + "\n".join(wrong)

    yield check
    for path in made:
        both.ask("DELETE", path)
    time.sleep(SETTLE)


def _asked(server: Server, hooks: WebhookServer, method: str, path: str, body: Any = None) -> Any:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    if "force=true" in path:
        kind = "application/apply-patch+yaml"
    hooks.reviews.clear()
    data = None if body is None else json.dumps(body).encode()
    answer = server.ask(method, path, data, {"User-Agent": "compare", "Content-Type": kind}, ROOT_USER)
    return answer, copy.deepcopy(hooks.reviews)


def _reviews(found: Any) -> Any:
    """Without the fingerprint of the client's certificate, of which each has its own."""
    for review in found:
        review["request"]["userInfo"].pop("extra", None)
    return normal(found)


APPLIED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "b"}}
ASKS: list[Ask] = [
    NEW,
    ("POST", MAPS, {"metadata": {"name": "real"}, "data": {"k": "v"}}),
    ("PATCH", f"{MAPS}/old?fieldManager=fm", {"data": {"z": "1"}}),
    ("PATCH", f"{MAPS}/applied?fieldManager=me&force=true", APPLIED),
    ("DELETE", f"{MAPS}/applied"),
    ("DELETE", f"{MAPS}/real", {"propagationPolicy": "Background", "gracePeriodSeconds": 3}),
    ("DELETE", f"{MAPS}/none"),
]


@pytest.mark.parametrize("kind", ["validating", "mutating"])
def test_reviews(hooked: Callable[..., None], hooks: WebhookServer, kind: str) -> None:
    hooks.admit("/allow", lambda request: ALLOWED)
    update = ("PUT", f"{MAPS}/old", {"metadata": {"name": "old"}, "data": {"q": "1"}})
    hooked(kind, "/allow", [*ASKS, update])


ANSWERS: list[dict[str, Any]] = [
    {"allowed": False}, {"allowed": False, "status": {"message": "because"}},
    {"allowed": False, "status": {"message": "m", "code": 418, "reason": "Tea"}},
    {"allowed": False, "status": {"reason": "Only"}}, {"allowed": False, "status": {"code": 200}},
    {"allowed": False, "status": {"message": "d", "details": {"causes": [{"message": "x", "field": "f"}]}}},
    {"allowed": True, "warnings": ["w1", "w2", "x" * 300]}, {"allowed": True, "auditAnnotations": {"a": "b"}},
    {"allowed": False, "warnings": ["w1"], "status": {"message": "m"}}, {"uid": "other", "allowed": True},
    {"allowed": True, "patch": base64.b64encode(b"[]").decode(), "patchType": "JSONPatch"},
]  # fmt: skip


@pytest.mark.parametrize("kind", ["validating", "mutating"])
@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_answers(hooked: Callable[..., None], hooks: WebhookServer, kind: str, answer: dict[str, Any]) -> None:
    hooks.admit("/answer", lambda request: answer)
    hooked(kind, "/answer", [NEW])


PATCHES: list[dict[str, Any]] = [
    patch({"op": "add", "path": "/data/n", "value": "v"}), patch({"op": "replace", "path": "/data/none", "value": "v"}),
    patch({"op": "bogus", "path": "/x"}), patch({"op": "test", "path": "/data/k", "value": "zz"}),
    patch({"op": "remove", "path": "/data/none"}), patch({"op": "add", "path": "/data/n", "value": 5}),
    patch({"op": "add", "path": "/metadata/name", "value": "other"}), patch({"op": "add", "path": "/x", "value": "v"}),
    patch({"op": "add", "path": "/metadata/labels", "value": {"bad key!": "v"}}),
    patch({"op": "copy", "path": "/data/n"}), patch({"op": "move", "from": "/data/none", "path": "/data/n"}),
    patch({"op": "add", "path": "/x/y/z", "value": "v"}), patch({"op": "add", "path": "data/n", "value": "v"}),
    patch({"op": "replace", "path": "/apiVersion", "value": "v2"}), patch({"op": "remove", "path": "/metadata/name"}),
    patch({"op": "add", "path": "/metadata/namespace", "value": "other"}),
    {"allowed": True, "patch": "!!", "patchType": "JSONPatch"}, {"allowed": True, "patchType": "JSONPatch"},
    {"allowed": True, "patch": base64.b64encode(b"[]").decode()},
    {"allowed": True, "patch": base64.b64encode(b"[]").decode(), "patchType": "Merge"},
]  # fmt: skip


@pytest.mark.parametrize("answer", PATCHES, ids=lambda answer: str(answer.get("patch"))[:60])
def test_patches(hooked: Callable[..., None], hooks: WebhookServer, answer: dict[str, Any]) -> None:
    hooks.admit("/patch", lambda request: answer)
    hooked("mutating", "/patch", [NEW])


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 200), (b"{}", 200), (b"moved", 302), (b"no", 404)],
)
def test_failures(hooked: Callable[..., None], hooks: WebhookServer, body: bytes, status: int, policy: str) -> None:
    hooks.raw("/raw", body, status)
    hooked("validating", "/raw", [NEW], failurePolicy=policy)


@pytest.mark.parametrize(
    "changes",
    [
        {"matchConditions": [{"name": "m", "expression": "object.data.k == 'v'"}]},
        {"matchConditions": [{"name": "m", "expression": "object.data.k == 'z'"}]},
        {"matchConditions": [{"name": "m", "expression": "object.data.nope == 'z'"}]},
        {"matchConditions": [{"name": "m", "expression": "object.data.nope == 'z'"}], "failurePolicy": "Ignore"},
        {"objectSelector": {"matchLabels": {"l": "m"}}},
        {"sideEffects": "NoneOnDryRun"},
        {"clientConfig": {"service": {"name": "no", "namespace": "hooked"}}},
        {"clientConfig": {"url": "https://127.0.0.1:1/x"}},
        {"admissionReviewVersions": ["v1beta1", "v1"]},
    ],
    ids=str,
)
def test_configurations(hooked: Callable[..., None], hooks: WebhookServer, changes: dict[str, Any]) -> None:
    hooks.admit("/no", lambda request: {"allowed": False})
    hooked("validating", "/no", [NEW], **changes)
