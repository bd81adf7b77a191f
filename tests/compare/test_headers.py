"""Headers that name users in odd forms: impersonation, front proxies; several of one name, UTF-8, blanks around."""

import http.client
import json
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from same import ROOT_USER, Both, differences, readable
from servers import DAY, PROGRAM, Answer, Server, kube_apiserver, kybern

from kybern.pki.authority import Identity, create_ca, issue, load_ca
from kybern.pki.files import write_bundle

Headers = list[tuple[str, str | bytes]]
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ASKED: list[tuple[str, str, Any]] = [
    ("POST", REVIEWS, {}), ("GET", "/api/v1/namespaces/a/pods?limit=1", None),
    ("GET", "/api/v1/namespaces/a/pods/x", None), ("GET", "/healthz", None), ("GET", "/nope", None),
]  # fmt: skip
NOBODY: tuple[str, ...] = ()


def ask(server: Server, method: str, path: str, headers: Headers, body: Any, context: ssl.SSLContext) -> Answer:
    """One request with these headers, in this order, however often."""
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=30)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data)
    response = connection.getresponse()
    found = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    connection.close()
    return found


def alike(both: Both, headers: Headers, contexts: dict[str, ssl.SSLContext], asked: Any = ASKED) -> None:
    for method, path, body in asked:
        shown = []
        for server in (both.kube, both.kybern):
            answer = ask(server, method, path, headers, body, contexts[server.name])
            shown.append(json.loads(re.sub("X509SHA256=[0-9a-f]{64}", "HASH", json.dumps(readable(answer)))))
        assert differences(*shown) == [], (method, path, headers)


USER, GROUP, UID, EXTRA = "Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-"
CARL = (USER, "carl")
IMPERSONATION: list[Headers] = [
    *([(name, value)] for name in (USER, GROUP, UID, EXTRA, f"{EXTRA}a") for value in ("", " ", "x", 'a"b\\', "a\tb")),
    [(USER, ""), (GROUP, "g")], [(USER, ""), (UID, "")], [(USER, "a b")], [(USER, "  carl  ")], [CARL, (USER, "dave")],
    [(USER, ""), (USER, "dave")], [CARL, (USER, "")], [(UID, "1"), (UID, "2"), CARL], [CARL, (GROUP, "")],
    *([CARL, *((GROUP, group) for group in groups)] for groups in (
        ("", "g"), ("g", "g"), ("system:authenticated",), ("system:unauthenticated",), ("a,b",), (" a ", "\tb"),
        ("system:masters",), ("a", "b", "c", "d"), ("a", "b", "c", "d", ""))),
    *([CARL, (f"{EXTRA}{key}", "p")] for key in (
        "", "a", "acme.com%2Fproject", "acme.com%2FPROJECT", "%zz", "%", "a%2", "%00", "%C3%BC", "a+b", "a%20b",
        "a%25b", "a'b", "a|b~c^d`e!f#g$h&i*j", "-", "--A--", "acme.com%2Fa%20b", "ACME%2Fb", "%41.io%2Fx")),
    [CARL, (f"{EXTRA}a.io%2Fb", "")], [CARL, (f"{EXTRA}a.io%2Fb", "x"), (f"{EXTRA}A.io%2fb", "y")],
    [CARL, *((f"{EXTRA}a.io%2Fb", value) for value in "1234")],
    [CARL, ("Impersonate-Extra", "p")], [CARL, ("Impersonate-", "p")], [("Impersonate-Foo", "p")],
    *([(name, "日本".encode()), *([] if name == USER else [CARL])] for name in (USER, GROUP, UID, f"{EXTRA}x")),
    [(GROUP, "\u00a0".encode())], [(GROUP, "a\u200bb".encode())], [(GROUP, "<&>")], [(USER, "<&>")],
    *([(USER, "system:anonymous"), *more] for more in ([], [(GROUP, "g")], [(GROUP, "system:authenticated")])),
    *([(USER, f"system:serviceaccount:{name}")] for name in (
        "a:b", "A:b", "a:B_", "a:b.c", "a.b:c", ":c", "c:", "a:b:c", "a", "a:" + "b" * 300)),
    [(USER, "system:serviceaccount:a:b"), (GROUP, "g")], [(USER, "system:serviceaccount:a:b"), (GROUP, "")],
    *([(USER, f"system:node:{name}")] for name in ("", "n1", "N_1", "a:b", "a/b")),
]  # fmt: skip


@pytest.fixture(scope="module")
def users(both: Both) -> list[dict[str, ssl.SSLContext]]:
    """TLS of: an administrator, somebody, nobody, and who may impersonate everybody, by either way."""
    parts = ["users", "groups", "uids", "userextras/*", "serviceaccounts", "nodes"]
    modes = ("user-info", "serviceaccount", "arbitrary-node")
    groups, ours = ["", "authentication.k8s.io"], ["authentication.k8s.io"]
    verbs = [f"impersonate-on:{mode}:{verb}" for mode in modes for verb in ("get", "list", "create")]
    rules: dict[str, list[Any]] = {
        "legacy-all": [{"verbs": ["impersonate"], "apiGroups": groups, "resources": parts}],
        "constrained-all": [
            {"verbs": [f"impersonate:{mode}" for mode in modes], "apiGroups": ours, "resources": parts},
            {"verbs": verbs, "apiGroups": ["*"], "resources": ["*"]},
        ],
    }
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    for name, granted in rules.items():
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        subject = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        both.ask("POST", f"{rbac}/clusterroles", {"metadata": {"name": name}, "rules": granted})
        binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
        both.ask("POST", f"{rbac}/clusterrolebindings", binding)
    who = (ROOT_USER, ("alice", "devs"), NOBODY, ("legacy-all",), ("constrained-all",))
    return [{server.name: server.tls(*user) for server in (both.kube, both.kybern)} for user in who]


@pytest.mark.parametrize("headers", IMPERSONATION, ids=str)
def test_impersonation(both: Both, users: list[dict[str, ssl.SSLContext]], headers: Headers) -> None:
    for contexts in users:
        alike(both, headers, contexts)


JSON, YAML = "application/json", "application/yaml"
SEVERAL: list[Headers] = [
    [("Accept", JSON), ("Accept", YAML)], [("Accept", YAML), ("Accept", JSON)], [("Accept", "text/plain")],
    [("Accept", f"{JSON} ")], [("Accept", "日本".encode())], [("Authorization", "Bearer x"), ("Authorization", "")],
    [("Authorization", ""), ("Authorization", "Bearer x")], [("Authorization", "Bearer 日本".encode())],
    [("Authorization", b"Bearer \xff")], [("Authorization", "Bearer\tx")], [("Authorization", "\tBearer x")],
    [("Authorization", "Basic 日".encode())], [("Host", "a")], [("User-Agent", "日".encode())],
]  # fmt: skip
ODD_PATHS = [
    '/api/v1/namespaces/a"b/pods/x', "/api/v1/namespaces/a/pods/x%22y", "/api/v1/namespaces/a/pods/%E6%97%A5",
    "/api/v1/namespaces/%3Ca%3E/pods/%3Cb%3E", "/foo%22%3Cbar", "/apis/%22/v1/x", "/api/v1/%22x",
]  # fmt: skip


@pytest.mark.parametrize("headers", SEVERAL, ids=str)
def test_several_and_odd_ones(both: Both, users: list[dict[str, ssl.SSLContext]], headers: Headers) -> None:
    for contexts in users[:3]:
        alike(both, headers, contexts, [*ASKED, *(("GET", path, None) for path in ODD_PATHS)])


P_USER, P_GROUP, P_UID, P_EXTRA = "X-Remote-User", "X-Remote-Group", "X-Remote-Uid", "X-Remote-Extra-"
P_CARL = (P_USER, "carl")
PROXIED: list[Headers] = [
    [], [(P_USER, "")], [(P_USER, " ")], [P_CARL], [P_CARL, (P_USER, "dave")], [(P_USER, ""), (P_USER, "dave")],
    [(P_GROUP, "g")], [(P_GROUP, ""), P_CARL], [P_CARL, *((P_GROUP, group) for group in ("g", "h,i", "", "g"))],
    [P_CARL, (P_UID, "u1")], [P_CARL, (P_UID, ""), (P_UID, "u2")], [P_CARL, (P_GROUP, " g ")],
    *([P_CARL, (f"{P_EXTRA}{key}", "x")] for key in ("", "a", "a%2Fb", "a%2FB%41", "%zz%41")),
    [P_CARL, (f"{P_EXTRA}a", "x"), (f"{P_EXTRA}A", "y")], [P_CARL, (f"{P_EXTRA}a", "")],
    [(P_USER, "日本".encode()), (P_GROUP, "é".encode()), (f"{P_EXTRA}k", "ü".encode())],
    *([(P_USER, "system:anonymous"), *more] for more in ([], [(P_GROUP, "g")])),
    *([P_CARL, (P_GROUP, f"system:{group}")] for group in ("masters", "authenticated", "unauthenticated")),
    [(P_USER, "system:serviceaccount:a:b")], [(P_USER, "system:node:n1"), (P_GROUP, "system:nodes")],
    [P_CARL, ("Authorization", "Bearer x")], [("Authorization", "Bearer x")], [("Authorization", "Basic eDp4")],
    [(P_USER, "root"), (P_GROUP, "system:masters"), CARL], [P_CARL, (USER, "zed")], [(USER, "zed")],
    [P_CARL, ("X-Remote-Extra", "b")], [("x-remote-user", "lower")], [(P_USER, "a,b")], [(P_USER, '"<b>"')],
]  # fmt: skip
FLAGS = ("--requestheader-uid-headers=X-Remote-Uid",)


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Both, list[dict[str, ssl.SSLContext]]]]:
    """Both with front proxies; TLS of one that may name users, of another, of an administrator."""
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    folder, now = tmp_path_factory.mktemp("proxies"), datetime.now(UTC)
    ca = create_ca(folder / "ca", now)
    (folder / "ca.crt").write_bytes(ca.pem)
    flags = {
        "requestheader_client_ca_file": str(folder / "ca.crt"),
        "requestheader_allowed_names": "front-proxy-client",
    }
    with kybern(folder / "kybern", flags=flags) as ours, kube_apiserver(folder / "kube", ours.ca, *FLAGS) as theirs:
        authorities = {"kybern": ca, "kube": load_ca(folder / "kube" / "front-proxy-ca", now)}

        def tls(server: Server, name: str) -> ssl.SSLContext:
            at: Path = folder / f"{server.name}-{name}"
            write_bundle(at, issue(authorities[server.name], Identity(name, ("system:masters",)), DAY, now))
            context = server.tls()
            context.load_cert_chain(at / "tls.pem")
            return context

        names = ("front-proxy-client", "other")
        found = [{server.name: tls(server, name) for server in (ours, theirs)} for name in names]
        yield Both(theirs, ours), [*found, {server.name: server.tls(*ROOT_USER) for server in (ours, theirs)}]


@pytest.mark.parametrize("headers", PROXIED, ids=str)
def test_front_proxies(proxies: tuple[Both, list[dict[str, ssl.SSLContext]]], headers: Headers) -> None:
    both, users = proxies
    for contexts in users:
        alike(both, headers, contexts)
