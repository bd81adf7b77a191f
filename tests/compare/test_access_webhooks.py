"""Webhooks that authorize, at run time: what they are asked, how often, and what is made of good and broken answers."""

import base64
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import servers
import yaml
from same import ROOT_USER, Both, differences, readable
from servers import DAY, PROGRAM, Answer, Server, kube_apiserver, kybern

from kybern.apiserver.authorization.configuration import read_configuration
from kybern.apiserver.authorization.modes import AuthorizationSettings
from kybern.pki.authority import Identity, create_ca, issue

Object = dict[str, Any]
Said = tuple[int, str, str]  # status, body, content type
ACCESS, REVIEWS = "SubjectAccessReview", "/apis/authorization.k8s.io/v1/subjectaccessreviews"
JSON, TEXT = "application/json", "text/plain"
NO_MORE = 30  # seconds that a call may take


def review(status: Any, **more: Any) -> Callable[[Object], Said]:
    return lambda asked: (
        200,
        json.dumps({"kind": ACCESS, "apiVersion": asked["apiVersion"], "status": status, **more}),
        JSON,
    )


def says(code: int, body: str, kind: str = JSON) -> Callable[[Object], Said]:
    return lambda asked: (code, body, kind)


def status_of(code: int) -> str:
    return json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": f"m {code}", "code": code})


YES = json.dumps({"status": {"allowed": True}})
ANSWERS: dict[str, Callable[[Object], Said]] = {
    "allow": review({"allowed": True, "reason": "because"}),
    "deny": review({"allowed": False, "denied": True, "reason": "no"}),
    "deny0": review({"denied": True}),
    "noop": review({"allowed": False, "reason": "dunno"}),
    "noop0": review({}),
    "evaluation": review({"allowed": False, "evaluationError": "ee"}),
    "both": review({"allowed": True, "denied": True, "reason": "r"}),
    "null": says(200, "null"),
    "nullstatus": review(None),
    "word": review({"allowed": "true"}),
    "number": review({"allowed": 1}),
    "reason": review({"allowed": True, "reason": 5}),
    "list": review([]),
    "unknown": review({"allowed": True, "nope": 1}, foo=3),
    "upper": review({"Allowed": True}),
    "frameless": says(200, YES),
    "kind": review({"allowed": True}, kind="TokenReview"),
    "version": review({"allowed": True}, apiVersion="authorization.k8s.io/v9"),
    "older": review({"allowed": True}, apiVersion="authorization.k8s.io/v1beta1"),
    "newer": review({"allowed": True}, apiVersion="authorization.k8s.io/v1"),
    "token": review({"authenticated": True}, kind="TokenReview", apiVersion="authentication.k8s.io/v1"),
    "status": says(200, status_of(403)),
    "text": says(200, "hello"), "nothing": says(200, ""), "array": says(200, "[]"), "more": says(200, YES + "x"),
    "yaml": says(200, yaml.safe_dump(json.loads(YES)), "application/yaml"), "plain": says(200, YES, TEXT),
    **{f"c{code}": says(code, YES) for code in (201, 206, 299)},
    **{f"e{code}": says(code, "oops", TEXT)
       for code in (300, 400, 401, 403, 404, 405, 406, 415, 429, 500, 502, 503, 504)},
    **{f"j{code}": says(code, "{}") for code in (403, 406, 415, 500)},
    **{f"s{code}": says(code, status_of(code)) for code in (400, 403, 422, 429, 500, 503)},
    "empty500": says(500, "", TEXT),
}  # fmt: skip
HOOKS: dict[str, Object] = {
    "a": {"subjectAccessReviewVersion": "v1", "failurePolicy": "NoOpinion", "unauthorizedTTL": "1m"},
    "b": {"subjectAccessReviewVersion": "v1beta1", "failurePolicy": "Deny"},
    "c": {"subjectAccessReviewVersion": "v1", "failurePolicy": "Deny", "authorizedTTL": "1s", "unauthorizedTTL": "1s",
          "cacheAuthorizedRequests": False, "cacheUnauthorizedRequests": False},
    "d": {"subjectAccessReviewVersion": "v1", "failurePolicy": "NoOpinion", "authorizedTTL": "1s",
          "unauthorizedTTL": "1s"},
}  # fmt: skip
CONDITIONS = [
    "has(request.resourceAttributes) ? request.resourceAttributes.verb != 'skip' : true",
    "!has(request.resourceAttributes) || request.resourceAttributes.name != 'err' || request.extra['nope'][0] == 'x'",
]


class Hooks:
    """A server that answers by the end of a user's name, and remembers what it was asked: by caller and user."""

    def __init__(self, folder: Path) -> None:
        self.asked: dict[tuple[str, str], list[Object]] = {}
        self.ca = create_ca(folder / "hooks", datetime.now(UTC))
        pair = issue(self.ca, Identity("hook", (), (), ("127.0.0.1",)), DAY, datetime.now(UTC))
        (folder / "hook.pem").write_bytes(pair.key + pair.cert)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "hook.pem")
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                user = question["spec"]["user"]
                asked.setdefault((self.path.split("/")[1], user), []).append(question)
                code, text, kind = ANSWERS.get(user.rpartition("-")[2], ANSWERS["noop0"])(question)
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        class Threads(ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 100

            def get_request(self) -> Any:
                connection, address = self.socket.accept()
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        self.server = Threads(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def configuration(self, folder: Path, caller: str) -> Path:
        """An AuthorizationConfiguration with every hook, each for users of its own."""
        authorizers: list[Object] = [{"type": "RBAC", "name": "rbac"}]
        for name, settings in HOOKS.items():
            cluster = {"server": f"https://127.0.0.1:{self.port}/{caller}/{name}"}
            cluster["certificate-authority-data"] = base64.b64encode(self.ca.pem).decode()
            named = [("clusters", "cluster", cluster), ("users", "user", {}),
                     ("contexts", "context", {"cluster": "x", "user": "x"})]  # fmt: skip
            config = {list_: [{"name": "x", member: value}] for list_, member, value in named}
            file = folder / f"{caller}-{name}.yaml"
            file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "x", **config}))
            expressions = [f"request.user.startsWith('{name}-')", *CONDITIONS]
            webhook = {
                **settings,
                "timeout": f"{NO_MORE}s",
                "matchConditionSubjectAccessReviewVersion": "v1",
                "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": str(file)},
                "matchConditions": [{"expression": expression} for expression in expressions],
            }
            authorizers.append({"type": "Webhook", "name": name, "webhook": webhook})
        found = folder / f"{caller}.yaml"
        frame = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}
        found.write_text(yaml.safe_dump({**frame, "authorizers": authorizers}))
        return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Both, Hooks]]:
    """Both servers, which ask the same webhooks."""
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    folder = tmp_path_factory.mktemp("judged")
    hooks = Hooks(folder)
    modes, webhooks = read_configuration(hooks.configuration(folder, "kybern"))
    settings = AuthorizationSettings(modes, (), webhooks)
    usual = servers.FLAGS
    servers.FLAGS = tuple(flag for flag in usual if not flag.startswith("--authorization-mode"))
    flag = f"--authorization-config={hooks.configuration(folder, 'kube')}"
    try:
        ours = kybern(folder / "kybern", authorization=settings)
        with ours as one, kube_apiserver(folder / "kube", one.ca, flag) as other:
            yield Both(other, one), hooks
    finally:
        servers.FLAGS = usual
        hooks.server.shutdown()


def ask(server: Server, context: ssl.SSLContext, method: str, path: str, headers: Any, body: Any = None) -> Any:
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=60)
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, {**headers, "Content-Type": JSON, "User-Agent": "compare"})
    response = connection.getresponse()
    found = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    connection.close()
    return json.loads(json.dumps(readable(found)).replace(f"/{server.name}/", "/WHO/"))


def about(user: str, **spec: Any) -> tuple[Any, ...]:
    asked = {"verb": "get", "resource": "pods", "namespace": "n"}
    return "POST", REVIEWS, {}, {"spec": {"user": user, "resourceAttributes": asked, **spec}}


def acting(user: str, path: str = "/api/v1/namespaces/default/configmaps/x", **headers: str) -> tuple[Any, ...]:
    more = {f"Impersonate-{name.replace('_', '-')}": value for name, value in headers.items()}
    return "GET", path, {"Impersonate-User": user, **more}


MAPS = "/api/v1/namespaces/default/configmaps"
SELECTING: Object = {
    "fieldSelector": {"rawSelector": "metadata.name=x,a!=b"},
    "labelSelector": {"requirements": [{"key": "k", "operator": "In", "values": ["v"]}]},
}
ROWS: dict[str, list[Any]] = {
    **{f"{hook}-{name}": [about(f"{hook}-{name}"), about(f"{hook}-{name}"), acting(f"{hook}-{name}"),
                          acting(f"{hook}-{name}", "/foo")]
       for hook in HOOKS for name in ANSWERS
       if hook in "ab" or name in ("allow", "noop", "deny", "both", "word", "e503")},
    **{f"{hook}-ttl-{name}": [about(f"{hook}-ttl-{name}")] * 3 for hook in "cd" for name in ("allow", "noop", "deny")},
    **{f"d-later-{name}": [about(f"d-later-{name}"), 1.3, about(f"d-later-{name}")] for name in ("allow", "noop")},
    "a-skip-allow": [about("a-skip-allow", resourceAttributes={"verb": "skip", "resource": "pods"})],
    "c-err-allow": [
        about("c-err-allow", resourceAttributes={"verb": "get", "resource": "pods", "name": "err"}),
        acting("c-err-allow", f"{MAPS}/err"),
    ],
    **{f"{hook}-spec-allow": [
        about(f"{hook}-spec-allow", groups=["g", "h"], uid="u", extra={"B": ["x"], "a/b": ["y", "z"], "e": []}),
        about(f"{hook}-spec-allow", groups=["h", "g"], uid="u", extra={"B": ["x"]}),
        about(f"{hook}-spec-allow", groups=["g", "h"], uid="u2"),
        about(f"{hook}-spec-allow", resourceAttributes={"verb": "list", "group": "g", "version": "v7", "resource": "r",
                                                        "subresource": "s", "name": "n", **SELECTING}),
        *(("POST", REVIEWS, {}, {"spec": {"user": f"{hook}-spec-allow", "nonResourceAttributes": asked}})
          for asked in ({"verb": "get", "path": "/x"}, {})),
    ] for hook in "ab"},
    "a-paths-allow": [
        *(acting("a-paths-allow", path) for path in (
            f"{MAPS}?labelSelector=a%3Db&fieldSelector=metadata.name%3Dq", "/apis/apps/v1/deployments?limit=1",
            "/foo/bar?x=1", "/api/v1/namespaces/default/pods/p/log", "/apis/nope/v1/x", "/api/v1/nope")),
        acting("a-paths-allow", f"{MAPS}/x", Group="g", Uid="u", Extra_Foo="z"),
    ],
}  # fmt: skip


def test_what_is_asked_and_made_of_answers(judged: tuple[Both, Hooks]) -> None:
    both, hooks = judged
    contexts = {server.name: server.tls(*ROOT_USER) for server in (both.kube, both.kybern)}

    def run(server: Server, steps: list[Any]) -> list[Any]:
        found = []
        for step in steps:
            if isinstance(step, float):
                time.sleep(step)
            else:
                found.append(ask(server, contexts[server.name], *step))
        return found

    def compare(user: str, steps: list[Any]) -> list[str]:
        with ThreadPoolExecutor(2) as two:
            answers = list(two.map(lambda server: run(server, steps), (both.kube, both.kybern)))
        asked = [hooks.asked.get((server.name, user), []) for server in (both.kube, both.kybern)]
        return [f"{user} {line}" for line in (*differences(*answers), *differences(*asked, "asked"))]

    with ThreadPoolExecutor(10) as pool:
        found = [line for lines in pool.map(lambda row: compare(*row), ROWS.items()) for line in lines]
    assert not found, "\n".join(found)
