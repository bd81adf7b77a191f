# ruff: noqa: E501 (tables)
"""Priority and fairness: where requests belong, who is served and who is turned away, what the objects say of themselves."""

import time
from itertools import product
from typing import Any

import pytest
from same import Both, differences, readable
from servers import Answer

Object = dict[str, Any]
GROUP = "/apis/flowcontrol.apiserver.k8s.io/v1"
KINDS = ("flowschemas", "prioritylevelconfigurations")
SYSTEM = ("system:serviceaccounts", "system:serviceaccounts:kube-system")
USERS: tuple[tuple[str, ...], ...] = (
    ("root", "system:masters"), ("alice",), ("system:kube-scheduler",), ("system:node:n1", "system:nodes"), (), ("system:apiserver",),
    ("system:serviceaccount:kube-system:x", *SYSTEM), ("system:serviceaccount:default:x", "system:serviceaccounts", "system:serviceaccounts:default"),
    ("system:serviceaccount:kube-system:endpoint-controller", *SYSTEM), ("system:serviceaccount:kube-system:generic-garbage-collector", *SYSTEM),
    ("system:serviceaccount:kube-system:namespace-controller", *SYSTEM),
)  # fmt: skip
IN = "/api/v1/namespaces/default"
REQUESTS = (
    ("GET", f"{IN}/configmaps"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/version"), ("GET", "/api"), ("GET", "/nope"), ("GET", "/apis/apps/v1"),
    ("GET", "/api/v1/nodes/n1"), ("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler"),
    ("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1"), ("GET", "/api/v1/namespaces/kube-system/endpoints/kube-scheduler"),
    ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"), ("POST", f"{IN}/configmaps?dryRun=All"), ("GET", f"{IN}/pods/x/log"),
    ("GET", f"{IN}/services/x/proxy/"), ("GET", "/apis/nope/v1/x"), ("POST", f"{IN}/events?dryRun=All"), ("GET", f"{GROUP}/flowschemas"),
)  # fmt: skip


@pytest.fixture(scope="module")
def both(fresh: Both) -> Both:
    """No other test changes the configuration here."""
    time.sleep(1)
    return fresh


def names(both: Both) -> list[dict[str, str]]:
    """Which object has which uid, of both servers."""
    found: list[dict[str, str]] = [{}, {}]
    for kind in KINDS:
        pair = both.ask("GET", f"{GROUP}/{kind}")
        for known, answer in zip(found, (pair.kube, pair.kybern), strict=True):
            known |= {one["metadata"]["uid"]: one["metadata"]["name"] for one in answer.document["items"]}
    return found


def belongs(answer: Answer, known: dict[str, str]) -> Object:
    headers = {f"x-kubernetes-pf-{one}-uid": "" for one in ("flowschema", "prioritylevel")}
    return {name: known.get(answer.headers.get(name, ""), "none") for name in headers}


def test_where_requests_belong(both: Both) -> None:
    known, found = names(both), []
    for user, (method, path) in product(USERS, REQUESTS):
        pair = both.ask(method, path, {} if method == "POST" else None, user=user)
        answers = [belongs(answer, one) for answer, one in zip((pair.kube, pair.kybern), known, strict=True)]
        found += [f"{user} {method} {path}\n{line}" for line in differences(*answers)]
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("kind", KINDS)
def test_defaults(both: Both, kind: str) -> None:
    pair = both.ask("GET", f"{GROUP}/{kind}")
    kube, kybern = ({one["metadata"]["name"]: readable(answer)["body"]["items"][number] for number, one in enumerate(answer.document["items"])}
                    for answer in (pair.kube, pair.kybern))  # fmt: skip
    assert kybern.keys() - kube.keys() <= {"kybern-services"}  # a schema of our own
    assert not [line for name in kube for line in differences(kube[name], kybern[name])]


def level(name: str, shares: int, response: str, **queuing: int) -> Object:
    limited = {"nominalConcurrencyShares": shares, "lendablePercent": 0, "borrowingLimitPercent": 0,
               "limitResponse": {"type": response, **({"queuing": queuing} if queuing else {})}}  # fmt: skip
    return {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited}}


def schema(name: str, to: str) -> Object:
    rule = {"subjects": [{"kind": "User", "user": {"name": name}}], "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}]}  # fmt: skip
    return {
        "metadata": {"name": name},
        "spec": {"priorityLevelConfiguration": {"name": to}, "matchingPrecedence": 50, "rules": [rule]},
    }


def settled(both: Both, path: str) -> None:
    """Conditions are written by and by."""
    for _ in range(50):
        pair = both.ask("GET", path)
        if all(
            "status" in answer.document.get("status", {}).get("conditions", [{}])[0]
            for answer in (pair.kube, pair.kybern)
        ):
            break
        time.sleep(0.1)
    both.same("GET", path)


def test_levels_without_seats(both: Both) -> None:
    """With queues nobody leaves them; without, one at a time is served."""
    queued = level("queued", 0, "Queue", queues=1, handSize=1, queueLengthLimit=1)
    for one in (level("closed", 0, "Reject"), queued):
        both.same("POST", f"{GROUP}/prioritylevelconfigurations", one)
    for name, to in (("closed", "closed"), ("queued", "queued"), ("dangling", "nowhere")):
        both.same("POST", f"{GROUP}/flowschemas", schema(name, to))
        settled(both, f"{GROUP}/flowschemas/{name}")
    time.sleep(1)
    known = names(both)
    for user, path in product(("closed", "queued"), ("/api", f"{IN}/configmaps?timeout=2s")):
        if (user, path) == ("queued", "/api"):
            continue  # has a minute
        pair = both.ask("GET", path, user=(user,))
        answers = [
            {"status": answer.status, "retry-after": answer.headers.get("retry-after"), **belongs(answer, one), "body": answer.body.decode() if answer.status == 429 else ""}
            for answer, one in zip((pair.kube, pair.kybern), known, strict=True)
        ]  # fmt: skip
        assert not differences(*answers), (user, path)
        assert (answers[0]["status"] == 429) == (user == "queued")
    both.same("GET", "/livez", user=("queued",))


def test_what_is_deleted(both: Both) -> None:
    both.same("POST", f"{GROUP}/prioritylevelconfigurations", level("brief", 5, "Reject"))
    both.same("POST", f"{GROUP}/flowschemas", schema("brief", "brief"))
    settled(both, f"{GROUP}/flowschemas/brief")
    both.same("DELETE", f"{GROUP}/prioritylevelconfigurations/brief")
    for _ in range(50):
        pair = both.ask("GET", f"{GROUP}/flowschemas/brief")
        if all("NotFound" in answer.body.decode() for answer in (pair.kube, pair.kybern)):
            break
        time.sleep(0.1)
    both.same("GET", f"{GROUP}/flowschemas/brief")
    both.same("DELETE", f"{GROUP}/flowschemas/brief")
    both.same("GET", f"{GROUP}/flowschemas/brief")
