"""Tokens of ServiceAccounts: requests for them, what they claim, and reviews of them."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from same import ROOT_USER, UID, Both, differences, readable
from servers import Answer, Server

NAMESPACE = "/api/v1/namespaces/tokens"
ACCOUNT = f"{NAMESPACE}/serviceaccounts/t"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ISSUER = "https://kubernetes.default.svc.cluster.local"
HEADERS = {"Content-Type": "application/json", "User-Agent": "compare"}
# Test keys of Kybern are elliptic, those of the kube-apiserver RSA.
OWN = ("alg", "kid", "jti", "iat", "nbf", "exp")


def claims(token: str) -> list[Any]:
    """Header and claims, without what each server makes up; how long it lives."""
    head, said = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    lives = [said["exp"] - said["iat"], said["nbf"] - said["iat"], list(said)]
    if "warnafter" in said["kubernetes.io"]:
        said["kubernetes.io"]["warnafter"] -= said["iat"]
    kept = ({name: value for name, value in one.items() if name not in OWN} for one in (head, said))
    return [*json.loads(UID.sub("UID", json.dumps(list(kept)))), *lives]


def alike(both: Both, path: str, written: Callable[[Server], Any], secret: Callable[[Server], str] = str) -> None:
    """Each server is sent what is written for it."""

    def ask(server: Server) -> tuple[Answer, str]:
        body = json.dumps(written(server)).encode()
        return server.ask("POST", path, body, HEADERS, ROOT_USER), secret(server)

    shown = []
    for answer, hidden in (ask(both.kube), ask(both.kybern)):
        one = json.loads(json.dumps(readable(answer)).replace(hidden, "TOKEN"))
        status = one["body"].get("status")
        if isinstance(status, dict) and status.get("token"):
            status["token"] = claims(answer.document["status"]["token"])
        shown.append(one)
    assert differences(*shown) == []


@pytest.fixture(scope="module")
def uids(both: Both) -> Callable[[Server, str], str]:
    """The UID of an object at one of the servers."""
    both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "tokens"}})
    for name in ("t", "u"):
        both.ask("POST", f"{NAMESPACE}/serviceaccounts", {"metadata": {"name": name}})
    both.ask("POST", "/api/v1/nodes", {"metadata": {"name": "tokens-n"}})
    for name, account, node in (("p", "t", {}), ("other", "u", {}), ("placed", "t", {"nodeName": "tokens-n"})):
        spec = {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": account, **node}
        both.ask("POST", f"{NAMESPACE}/pods", {"metadata": {"name": name}, "spec": spec})
    both.ask("POST", f"{NAMESPACE}/secrets", {"metadata": {"name": "s"}})
    return lambda server, path: server.ask("GET", path, None, {}, ROOT_USER).document["metadata"]["uid"]


REFS: dict[str, Any] = {
    "pod": ("Pod", "p", f"{NAMESPACE}/pods/p"), "placed pod": ("Pod", "placed", f"{NAMESPACE}/pods/placed"),
    "another's pod": ("Pod", "other", f"{NAMESPACE}/pods/other"), "secret": ("Secret", "s", f"{NAMESPACE}/secrets/s"),
    "node": ("Node", "tokens-n", "/api/v1/nodes/tokens-n"), "no uid": ("Pod", "p", ""), "bad uid": ("Pod", "p", "bad"),
    "no such pod": ("Pod", "none", ""), "no name": ("Pod", "", ""), "a path": ("Pod", "a/b", ""),
    "bad uid of a node": ("Node", "tokens-n", "bad"), "another kind": ("ConfigMap", "x", ""), "no kind": ("", "p", ""),
}  # fmt: skip


@pytest.mark.parametrize("row", REFS.values(), ids=REFS)
def test_bound(both: Both, uids: Callable[[Server, str], str], row: tuple[str, str, str]) -> None:
    kind, name, path = row

    def written(server: Server) -> Any:
        uid = {"uid": uids(server, path) if path.startswith("/") else path} if path else {}
        return {"spec": {"boundObjectRef": {"kind": kind, "apiVersion": "v1", "name": name, **uid}}}

    alike(both, f"{ACCOUNT}/token", written)


MOUNTED: list[Any] = [
    {"boundObjectRef": {"kind": kind, "apiVersion": "v1", "name": name}, "expirationSeconds": seconds, **more}
    for kind, name in (("Pod", "p"), ("Pod", "placed"), ("Secret", "s"))
    for seconds in (3606, 3607, 86400)
    for more in ({}, {"audiences": ["x"]}, {"audiences": [ISSUER]}, {"audiences": [ISSUER, "x"]})
]


@pytest.mark.parametrize("spec", MOUNTED, ids=str)
def test_mounted(both: Both, uids: Any, spec: Any) -> None:
    alike(both, f"{ACCOUNT}/token", lambda _: {"spec": spec})


SPECS: list[Any] = [
    {}, {"nope": 1}, *({"audiences": given} for given in (["x"], ["x", "y", "x"], [""], [], None, ["a b"], "x", [5])),
    *({"expirationSeconds": seconds, "audiences": ["x"]} for seconds in (
        None, 0, 1, 599, 600, 3607, 3600 * 24 * 366, 2**32, 2**32 + 1, -1, "600", 600.5)),
    {"boundObjectRef": {}}, {"boundObjectRef": None}, {"boundObjectRef": {"kind": "Deployment", "apiVersion": "a/v1"}},
]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_requests(both: Both, uids: Any, spec: Any) -> None:
    alike(both, f"{ACCOUNT}/token", lambda _: {"spec": spec})


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "t"}, {"name": "other"}, {"namespace": "tokens"}, {"namespace": "b"}, {"uid": "bad"},
        {"generateName": "x"}, {"labels": {"a": "b"}, "annotations": {"a": "b"}}, {"resourceVersion": "5"},
    ],
    ids=str,
)  # fmt: skip
def test_metadata(both: Both, uids: Any, metadata: Any) -> None:
    alike(both, f"{ACCOUNT}/token", lambda _: {"metadata": metadata, "spec": {}})
    alike(both, f"{ACCOUNT}/token?dryRun=All", lambda _: {"metadata": metadata, "spec": {}})
    alike(both, f"{NAMESPACE}/serviceaccounts/none/token", lambda _: {"metadata": metadata, "spec": {}})


@pytest.fixture(scope="module")
def tokens(both: Both, uids: Any) -> dict[str, tuple[str, str]]:
    """Of each server: a token for its own audience, and one for others'."""
    found = {}
    for server in (both.kube, both.kybern):
        made = [server.ask("POST", f"{ACCOUNT}/token", json.dumps({"spec": spec}).encode(), HEADERS, ROOT_USER)
                for spec in ({}, {"audiences": ["x", "y"]})]  # fmt: skip
        found[server.name] = (made[0].document["status"]["token"], made[1].document["status"]["token"])
    return found


@pytest.mark.parametrize(
    "audiences", [[], None, ["x"], ["z"], ["x", "z"], [ISSUER], ["y", "x"], [ISSUER, "x"]], ids=str
)
@pytest.mark.parametrize("which", [0, 1], ids=["own", "others"])
def test_reviews(both: Both, tokens: Any, audiences: Any, which: int) -> None:
    def token(server: Server) -> str:
        return str(tokens[server.name][which])

    alike(both, REVIEWS, lambda server: {"spec": {"token": token(server), "audiences": audiences}}, token)


def test_a_forged_token(both: Both, tokens: Any) -> None:
    def token(server: Server) -> str:
        return str(tokens[both.kybern.name if server is both.kube else both.kube.name][0])

    alike(both, REVIEWS, lambda server: {"spec": {"token": token(server)}}, token)


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "07401b.f395accd246ae52d", None, 5], ids=str)
def test_what_is_no_token(both: Both, token: Any) -> None:
    both.same("POST", REVIEWS, {"spec": {"token": token}})
    body = {"spec": {"token": token, "audiences": ["x"]}, "metadata": {"labels": {"a": "b"}}}
    both.same("POST", REVIEWS, {**body, "status": {"authenticated": True}})


MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"


@pytest.mark.parametrize("value", ["true", "false", "x"])
def test_an_annotation_of_old(both: Both, uids: Any, value: str) -> None:
    path = f"{NAMESPACE}/serviceaccounts"
    body = {"metadata": {"name": f"old-{value}", "annotations": {MOUNTABLE: value}}}
    both.same("POST", path, body)
    both.same("PATCH", f"{path}/old-{value}", {"metadata": {"labels": {"a": "b"}}})
    both.same("PATCH", f"{path}/u", {"metadata": {"annotations": {MOUNTABLE: value}}})
    both.same("PATCH", f"{path}/u", {"metadata": {"annotations": None}})
