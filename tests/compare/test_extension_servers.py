# ruff: noqa: E501 (tables)
"""Extension API servers that answer oddly, or not at all: what clients are told, and what their APIServices say."""

import json
import re
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import PROGRAM
from same import ROOT_USER, Both, differences, readable
from servers import Answer, kube_apiserver, kybern

from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle

HOST = "192.0.2.2"  # an address of this host that endpoints may have
DAY = timedelta(days=1)
JSON = ("Content-Type", "application/json")
APIS = "/apis/apiregistration.k8s.io/v1/apiservices"
# What discovery answers: status, body, headers
DISCOVERY: dict[str, tuple[int, bytes, tuple[tuple[str, str], ...]]] = {
    "d503": (503, b"busy\n", (("Retry-After", "7"), ("Content-Type", "text/plain"))), "d404": (404, b"none\n", ()), "d403": (403, b"{}", (JSON,)),
    "d401": (401, b"", (JSON,)), "d302": (302, b"", (("Location", "/elsewhere"),)), "d200junk": (200, b"junk", ()),
}  # fmt: skip
ANSWERS: dict[str, tuple[int, bytes, tuple[tuple[str, str], ...]]] = {
    "foos": (200, b'{"kind":"FooList","items":[]}', (JSON,)), "redirect": (302, b"", (("Location", "/elsewhere"),)), "e500": (500, b"oops", (("Content-Type", "text/plain"),)),
    "far": (307, b"gone", (("Location", "https://example.com/x"),)), "e503": (503, b"busy", (("Retry-After", "7"),)), "e429": (429, b'{"kind":"Status"}', (JSON, ("Retry-After", "3"))),
    "e401": (401, b"who", (("WWW-Authenticate", "Basic realm=x"),)), "e403": (403, b'{"kind":"Status"}', (JSON,)), "html": (200, b" <html>", ()), "bytes": (200, b"\0\1", ()),
    "odd": (299, b"x", (("X-A", "1"), ("X-A", "2"), ("Set-Cookie", "a=b"), ("Connection", "X-Hop"), ("X-Hop", "1"), ("Cache-Control", "max-age=3"), ("Server", "me"),
                        ("Warning", '299 - "careful"'), ("Access-Control-Allow-Origin", "*"), ("Audit-Id", "mine"))), "long": (200, b"ok", (("X-Long", "y" * 9000),)),
}  # fmt: skip
OTHERS = ("echo", "close", "garbage", "nothing")
OWN = ("date", "audit-id", "content-length", "x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid")
ADDRESS = re.compile(r"(127\.0\.0\.1|192\.0\.2\.2|10\.96\.\d+\.\d+):\d+")  # Kybern tells of the Service's


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = ""

    def log_message(self, *_: Any) -> None:
        pass

    def say(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
        self.send_response_only(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = self.path.partition("?")[0]
        if path == f"/apis/{self.name}.example.com/v1":
            found = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": path[6:], "resources": []}
            self.say(*DISCOVERY.get(self.name, (200, json.dumps(found).encode(), (JSON,))))
        elif (last := path.rpartition("/")[2]) in ANSWERS:
            self.say(*ANSWERS[last])
        elif last == "echo":
            sent = {
                name.lower(): value
                for name, value in self.headers.items()
                if "credential" not in name and name.lower() != "audit-id"
            }
            self.say(200, json.dumps({"path": self.path, "headers": sent, "body": body}).encode(), (JSON,))
        elif last in ("close", "garbage"):
            self.wfile.write(b"SSH-2.0-x\r\n\r\n" if last == "garbage" else b"")
            self.close_connection = True
        else:
            self.say(404, b'{"kind":"Status","apiVersion":"v1","status":"Failure","code":404}', (JSON,))

    do_POST = do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815


class Backend(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[int, dict[str, Any]]]]:
    """By name: the port, and the part of an APIService that says how to trust it."""
    folder, now = tmp_path_factory.mktemp("backends"), datetime.now(UTC)
    good, other = create_ca(folder / "good", now), create_ca(folder / "other", now)
    bundle = {"caBundle": b64encode(good.pem).decode()}
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    running: list[Backend] = []

    def start(
        name: str, trust: dict[str, Any], ca: Any = good, names: tuple[str, ...] | None = None, at: datetime = now
    ) -> None:
        server = Backend((HOST, 0), type("Named", (Handler,), {"name": name}))
        host = f"{name}.default.svc"
        write_bundle(folder / name, issue(ca, Identity(host, (), (host,) if names is None else names), DAY, at))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / name / "tls.pem")
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        found[name] = server.server_address[1], trust

    for name in ("ok", *DISCOVERY):
        start(name, bundle)
    start("wrongca", bundle, other)
    start("wrongname", bundle, names=("other.default.svc",))
    start("nosan", bundle, names=())
    start("expired", bundle, at=now - 30 * DAY)
    start("future", bundle, at=now + 30 * DAY)
    start("skip", {"insecureSkipTLSVerify": True}, other, names=("whatever",))
    start("nobundle", {})
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        found["closed"] = closed.getsockname()[1], bundle
        yield found
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory, backends: dict[str, tuple[int, dict[str, Any]]]) -> Iterator[Both]:
    """Servers that ask endpoints, all of whose APIServices have been looked at."""
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    with suppress(OSError), socket.socket() as probe:
        probe.bind((HOST, 0))
        folder: Path = tmp_path_factory.mktemp("routed")
        with (
            kybern(folder / "kybern") as ours,
            kube_apiserver(folder / "kube", ours.ca, "--enable-aggregator-routing=true") as theirs,
        ):
            both = Both(theirs, ours)
            for name, (port, trust) in backends.items():
                register(both, name, port, trust)
            yield both
            return
    pytest.skip(f"needs the address {HOST}")


def register(both: Both, name: str, port: int, trust: dict[str, Any]) -> None:
    group, service = f"{name}.example.com", {"name": name, "namespace": "default"}
    ends = {
        "addressType": "IPv4",
        "ports": [{"port": port, "name": ""}],
        "endpoints": [{"addresses": [HOST], "conditions": {"ready": True}}],
    }
    for path, body in (
        ("/api/v1/namespaces/default/services", {"metadata": {"name": name}, "spec": {"ports": [{"port": 443}]}}),
        ("/api/v1/namespaces/default/endpoints", {"metadata": {"name": name}, "subsets": [{"addresses": [{"ip": HOST}], "ports": [{"port": port}]}]}),
        ("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {"metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}}, **ends}),
        (APIS, {"metadata": {"name": f"v1.{group}"}, "spec": {"group": group, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10, "service": service, **trust}}),
    ):  # fmt: skip
        pair = both.ask("POST", path, body)
        assert (pair.kube.status, pair.kybern.status) == (201, 201)


def clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: clean(one) for name, one in value.items()}
    if isinstance(value, list):
        return [clean(one) for one in value]
    return ADDRESS.sub("ADDRESS", value) if isinstance(value, str) else value


def whole(answer: Answer) -> Any:
    return clean(
        {**readable(answer), "headers": {name: value for name, value in answer.headers.items() if name not in OWN}}
    )


NAMES = ("ok", *DISCOVERY, "wrongca", "wrongname", "nosan", "expired", "future", "skip", "nobundle", "closed")
SHORTER = {"wrongca", "wrongname", "nosan", "expired", "future"}  # Kybern tells less of the certificate


@pytest.mark.parametrize("name", NAMES)
def test_availability(routed: Both, name: str) -> None:
    found: list[str] = []
    for _ in range(60):
        pair = routed.ask("GET", f"{APIS}/v1.{name}.example.com")
        stated = [clean(readable(answer)["body"].get("status")) for answer in (pair.kube, pair.kybern)]
        if name in SHORTER and all(stated):
            for one in stated:
                one["conditions"][0]["message"] = one["conditions"][0]["message"].partition(" x509: ")[0]
        found = differences(*stated)
        if not found and all(stated) and "EndpointsNotFound" not in str(stated):
            break
        time.sleep(0.25)
    assert not found, "\n".join(found)
    for path in (
        f"/apis/{name}.example.com",
        f"/apis/{name}.example.com/v1",
        f"/apis/{name}.example.com/v1/foos",
        f"/openapi/v3/apis/{name}.example.com/v1",
    ):
        pair = routed.ask("GET", path)
        assert not differences(whole(pair.kube), whole(pair.kybern)), path


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("name", [*ANSWERS, *OTHERS])
def test_answers(routed: Both, name: str, method: str) -> None:
    given = {"User-Agent": "compare", "X-Mine": "1", "Connection": "keep-alive, X-Ours", "X-Ours": "2", "X-Remote-User": "evil", "X-Remote-Extra-a": "evil",
             "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "http", "Forwarded": "for=1.2.3.4"}  # fmt: skip
    body = b'{"x":1}' if method == "POST" else None
    path = f"/apis/ok.example.com/v1/{name}?b=c%20d&a=d"
    answers = [whole(server.ask(method, path, body, given, ROOT_USER)) for server in (routed.kube, routed.kybern)]
    assert not differences(*answers)
