# ruff: noqa: E501 (tables)
"""Custom resources that a webhook converts: read, written, applied, listed and watched in both versions; webhooks that fail."""

import json
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import pytest
from same import ROOT_USER, Both, differences, readable
from test_crds import served

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle

Object = dict[str, Any]
GROUP = "conversions.example.com"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
numbers = count()


def converted(given: Object, to: str) -> Object:
    """v1 has spec.size, v2 has spec.amount.value (and a unit that v1 cannot keep)."""
    obj = {**deepcopy(given), "apiVersion": to}
    spec = obj.get("spec") or {}
    if to.endswith("v2") and "size" in spec:
        spec["amount"] = {"value": spec.pop("size")}
    elif to.endswith("v1") and "amount" in spec:
        spec["size"] = spec.pop("amount").get("value")
    return obj


def each(change: Callable[[Object], Any]) -> Callable[[Object], Any]:
    """An answer in which something of every object is changed."""

    def changed(review: Object) -> None:
        for obj in review["response"]["convertedObjects"]:
            change(obj)

    return changed


def result(**changes: Any) -> Callable[[Object], Any]:
    return lambda review: review["response"].update(changes)


BAD: dict[str, Callable[[Object], Any]] = {
    "failed": result(convertedObjects=[], result={"status": "Failed", "message": "no way"}),
    "code": result(convertedObjects=[], result={"status": "Failure", "message": "no way", "reason": "Invalid", "code": 422}),
    "wordless": result(result={"status": "Failed"}), "no result": lambda review: review["response"].pop("result"),
    "other uid": result(uid="other"), "no uid": lambda review: review["response"].pop("uid"), "none": result(convertedObjects=None),
    "fewer": lambda review: review["response"]["convertedObjects"].pop(), "more": lambda review: review["response"]["convertedObjects"].append(review["response"]["convertedObjects"][0]),
    "version": each(lambda obj: obj.update(apiVersion=f"{GROUP}/v9")), "kind": each(lambda obj: obj.update(kind="Bar")),
    "no version": each(lambda obj: obj.pop("apiVersion")), "name": each(lambda obj: obj["metadata"].update(name="other")),
    "namespace": each(lambda obj: obj["metadata"].update(namespace="other")), "uid": each(lambda obj: obj["metadata"].update(uid="other")),
    "no metadata": each(lambda obj: obj.pop("metadata")), "labels": each(lambda obj: obj["metadata"].update(labels={"a b": "c"})),
    "number": each(lambda obj: obj["metadata"].update(labels={"a": 1})), "texts": lambda review: review["response"].update(convertedObjects=["x"]),
    "nulls": lambda review: review["response"].update(convertedObjects=[None]), "review": lambda review: review.update(kind="AdmissionReview"),
    "old": lambda review: review.update(apiVersion="apiextensions.k8s.io/v1beta1"), "silent": lambda review: review.pop("response"),
    "e500": lambda review: (500, b"oops"), "e404": lambda review: (404, b"none"), "empty": lambda review: (200, b""),
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bad = ""

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review.pop("request")
        objects = [converted(obj, request["desiredAPIVersion"]) for obj in request["objects"]]
        review["response"] = {"uid": request["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
        said = BAD[Handler.bad](review) if Handler.bad else None
        status, body = said if isinstance(said, tuple) else (200, json.dumps(review).encode())
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def webhook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Object]:
    """How to reach it."""
    folder, now = tmp_path_factory.mktemp("conversion"), datetime.now(UTC)
    ca = create_ca(folder / "ca", now)
    write_bundle(folder / "hook", issue(ca, Identity("hook", (), (), ("127.0.0.1",)), timedelta(days=1), now))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "hook" / "tls.pem")
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"url": f"https://127.0.0.1:{server.server_address[1]}/convert", "caBundle": b64encode(ca.pem).decode()}
    server.shutdown()
    server.server_close()


@pytest.fixture
def paths(both: Both, namespace: str, webhook: Object) -> tuple[str, str]:
    """Of a new kind in both versions; v1 is stored."""
    plural = f"sizes{next(numbers)}"

    def version(name: str, stored: bool, own: Object) -> Object:
        properties = {
            "spec": {"type": "object", "properties": {"text": {"type": "string"}, **own}},
            "status": {"type": "object", "properties": {"s": {"type": "string"}}},
        }
        return {
            "name": name,
            "served": True,
            "storage": stored,
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        }

    amount = {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "unit": {"type": "string", "default": "m"}},
    }
    versions = [version("v1", True, {"size": {"type": "integer"}}), version("v2", False, {"amount": amount})]
    versions[1]["selectableFields"] = [{"jsonPath": ".spec.text"}]
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": webhook, "conversionReviewVersions": ["v1"]}}
    spec = {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": plural, "kind": plural.title()},
        "versions": versions,
        "conversion": conversion,
    }
    Handler.bad = ""
    served(
        both,
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{GROUP}"},
            "spec": spec,
        },
    )
    return f"/apis/{GROUP}/v1/namespaces/{namespace}/{plural}", f"/apis/{GROUP}/v2/namespaces/{namespace}/{plural}"


def obj(path: str, name: str, **spec: Any) -> Object:
    version, _, _, plural = path.split("/")[3:]
    return {"apiVersion": f"{GROUP}/{version}", "kind": plural.title(), "metadata": {"name": name}, "spec": spec}


def watched(both: Both, path: str, query: str, revisions: tuple[str, str] = ("", "")) -> None:
    asked = zip((both.kube, both.kybern), revisions, strict=True)
    answers = [
        readable(server.ask("GET", f"{path}?watch=1&timeoutSeconds=1&resourceVersion={at}{query}", None, {}, ROOT_USER))
        for server, at in asked
    ]
    assert not differences(*answers)


def test_both_versions(both: Both, paths: tuple[str, str]) -> None:
    one, two = paths
    both.same("POST", one, obj(one, "a", size=1, text="t"))
    both.same("POST", two, obj(two, "b", amount={"value": 2}, text="u"))
    both.same("POST", one, obj(two, "x"))
    changes: list[tuple[str, str, Any, dict[str, str]]] = [
        ("PATCH", f"{two}/a", {"spec": {"amount": {"value": 5, "unit": "k"}}}, {}), ("PATCH", f"{two}/a/status", {"status": {"s": "x"}}, {}),
        ("PATCH", f"{two}/c?fieldManager=m", obj(two, "c", amount={"value": 3}), APPLY), ("PATCH", f"{one}/c?fieldManager=n", obj(one, "c", size=4), APPLY),
        ("PATCH", f"{one}/c?fieldManager=n&force=true", obj(one, "c", size=4, text="q"), APPLY), ("PATCH", f"{two}/c?fieldManager=m", obj(two, "c", amount={"value": 4}), APPLY),
        ("PATCH", f"{one}/c?fieldManager=n", obj(one, "c", text="q"), APPLY), ("PATCH", f"{two}/c", [{"op": "replace", "path": "/spec/amount/value", "value": 9}], JSON_PATCH),
    ]  # fmt: skip
    for method, path, body, headers in changes:
        both.same(method, path, body, headers=headers)
        both.same("GET", f"{one}/{path.rpartition('/')[2][0]}" if "status" not in path else f"{one}/a")
    for path in (one, two, f"{one}/a", f"{two}/c", f"{two}?fieldSelector=spec.text%3Dt", f"{two}?limit=1"):
        both.same("GET", path)
    both.same("DELETE", f"{two}?dryRun=All")
    pair = both.same("GET", one)
    revisions = pair.kube.document["metadata"]["resourceVersion"], pair.kybern.document["metadata"]["resourceVersion"]
    for path, query in ((one, ""), (two, ""), (two, "&fieldSelector=spec.text%3Dq")):
        watched(both, path, query)
    both.same("PATCH", f"{two}/a", {"spec": {"amount": {"value": 7}}, "metadata": {"labels": {"x": "y"}}})
    both.same("DELETE", f"{two}/c")
    watched(both, two, "", revisions)


def test_webhooks_that_fail(both: Both, paths: tuple[str, str]) -> None:
    """Reads of objects that were written before, one at a time: lists and writes of Kubernetes start with what it has
    converted when they were written, Kybern remembers what it has converted when they were read."""
    one, two = paths
    found = []
    for number, bad in enumerate(BAD):
        Handler.bad = ""
        both.same("POST", one, obj(one, f"a{number}", size=1))
        Handler.bad = bad
        for method, path, body in (
            ("GET", f"{two}/a{number}", None),
            ("GET", f"{one}/a{number}", None),
        ):
            found += [f"{bad}: {method}\n{line}" for line in both.diff(method, path, body)]
    Handler.bad = ""
    assert not found, "\n".join(found)


def test_another_stored_version(both: Both, paths: tuple[str, str]) -> None:
    one, two = paths
    for name in ("a", "b"):
        both.same("POST", one, obj(one, name, size=1))
    name = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{one.rpartition('/')[2]}.{GROUP}"
    versions = both.ask("GET", name).kube.document["spec"]["versions"]
    for stored, version in zip((False, True), versions, strict=True):
        version["storage"] = stored
    pair = both.ask("PATCH", name, {"spec": {"versions": versions}})
    assert [answer.document["status"]["storedVersions"] for answer in (pair.kube, pair.kybern)] == [["v1", "v2"]] * 2
    time.sleep(2)
    both.same("PATCH", f"{one}/b", {"spec": {"text": "moved"}})
    both.same("POST", one, obj(one, "n", size=3))
    for path in (one, f"{one}/n", two, f"{two}/a", f"{two}/b", f"{two}/n"):
        both.same("GET", path)
    for stored in (["v2"],):
        pair = both.ask("PATCH", f"{name}/status", {"status": {"storedVersions": stored}})
        assert pair.kube.status == pair.kybern.status
        assert pair.kube.document["status"]["storedVersions"] == pair.kybern.document["status"]["storedVersions"]
