"""The audit log of requests that come over HTTPS: who, what, from where, decided how, answered with what."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kybern.apiserver.audit.flags import AuditSettings
from kybern.apiserver.audit.webhook import Batching
from kybern.apiserver.core.audit.policy import read_policy
from kybern.apiserver.webhooks.kubeconfig import Remote
from kybern.apiserver.webhooks.target import Credentials, Target
from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "rules": [
        {"level": "None", "users": ["system:kybern:gateway"]},
        {"level": "RequestResponse", "resources": [{"resources": ["configmaps"]}], "omitManagedFields": True},
        {"level": "Metadata", "omitStages": ["RequestReceived"]},
    ],
}
Events = list[dict[str, Any]]


class Log:
    """A front with an audit log, and the events in it."""

    def __init__(self, front: Any, path: Path) -> None:
        self.front = front
        self._path = path

    async def of(self, audit_id: str, last: str = "ResponseComplete") -> Events:
        """The events of one request, once its last stage is there."""
        for _ in range(200):
            lines = self._path.read_text().splitlines() if self._path.exists() else []
            found = [event for line in lines if (event := json.loads(line))["auditID"] == audit_id]
            if found and found[-1]["stage"] == last:
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"no {last} of {audit_id}")


@pytest.fixture
async def log(fronts: Any, tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Log]:
    path = tmp_path / "audit.log"
    async with fronts(tmp_path, unused_tcp_port, audit=AuditSettings(read_policy(POLICY), str(path))) as front:
        yield Log(front, path)


async def test_a_write_with_its_bodies(log: Log) -> None:
    headers = {"Audit-Id": "mine", "User-Agent": "tester/1", "X-Forwarded-For": "192.0.2.7, nonsense,127.0.0.1"}
    path = "/api/v1/namespaces/default/configmaps"
    async with log.front.admin.post(path, json={"metadata": {"name": "a"}}, headers=headers) as response:
        assert response.status == 201
        assert response.headers["Audit-Id"] == "mine"
    received, complete = await log.of("mine")
    assert [event["stage"] for event in (received, complete)] == ["RequestReceived", "ResponseComplete"]
    assert (complete["kind"], complete["apiVersion"]) == ("Event", "audit.k8s.io/v1")
    assert (complete["level"], complete["verb"], complete["requestURI"]) == ("RequestResponse", "create", path)
    (credential,) = complete["user"].pop("extra")["authentication.kubernetes.io/credential-id"]
    assert credential.startswith("X509SHA256=")
    assert complete["user"] == {"username": "root", "groups": ["system:masters", "system:authenticated"]}
    assert (complete["sourceIPs"], complete["userAgent"]) == (["192.0.2.7", "127.0.0.1"], "tester/1")
    expected = {"resource": "configmaps", "namespace": "default", "name": "a", "apiVersion": "v1"}
    assert complete["objectRef"] == expected
    assert complete["responseStatus"] == {"metadata": {}, "code": 201}
    assert complete["requestObject"]["metadata"] == {"name": "a"}
    assert complete["responseObject"]["metadata"]["uid"]
    assert "managedFields" not in complete["responseObject"]["metadata"]
    assert complete["annotations"] == {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""}
    assert "annotations" not in received
    assert received["requestReceivedTimestamp"] == complete["requestReceivedTimestamp"] <= complete["stageTimestamp"]


async def test_reads_lists_and_the_generated_id(log: Log) -> None:
    async with log.front.admin.get("/api/v1/namespaces/default?pretty=1") as response:
        audit_id = response.headers["Audit-Id"]
    (event,) = await log.of(audit_id)
    assert (event["verb"], event["requestURI"]) == ("get", "/api/v1/namespaces/default?pretty=1")
    assert "responseObject" not in event
    assert "requestObject" not in event
    path = "/api/v1/namespaces/kube-system/configmaps"
    async with log.front.admin.get(path) as response:
        names = [item["metadata"]["name"] for item in (await response.json())["items"]]
        (_, event) = await log.of(response.headers["Audit-Id"])
    assert (event["verb"], event["responseObject"]["kind"]) == ("list", "ConfigMapList")
    assert [item["metadata"]["name"] for item in event["responseObject"]["items"]] == names != []


async def test_refusals(log: Log) -> None:
    """403 with the wrong rights, 401 with a token nobody knows, 404 for what is not there, paths that name nothing."""
    async with log.front.client("bob") as bob, bob.get("/api/v1/namespaces/default/secrets/x") as response:
        (event,) = await log.of(response.headers["Audit-Id"])
    assert (event["responseStatus"]["code"], event["responseStatus"]["reason"]) == (403, "Forbidden")
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"
    async with log.front.client(Authorization="Bearer nonsense") as nobody, nobody.get("/api/v1/pods") as response:
        assert response.status == 401
        (event,) = await log.of(response.headers["Audit-Id"], "ResponseStarted")
    assert (event["user"], event["responseStatus"]["code"]) == ({}, 401)
    paths = (
        ("/api/v1/namespaces/none", 404),
        ("/apis/nothing/v1/things", 404),
        ("/api/v1/nothing", 404),
        ("/api/v1/namespaces/default/pods/x/nothing", 404),
        ("/apis", 200),
        ("/version", 200),
        ("/readyz", 200),
    )
    for path, code in paths:
        async with log.front.admin.get(path) as response:
            (event,) = await log.of(response.headers["Audit-Id"])
        assert event["responseStatus"]["code"] == code, path
        assert event["requestURI"] == path


async def test_why_it_was_allowed_and_whom_it_was_done_as(log: Log) -> None:
    binding = {
        "metadata": {"name": "viewers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "devs"}],
    }
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    async with log.front.admin.post(path, json=binding) as response:
        assert response.status == 201
    headers = {"Impersonate-User": "carol", "Impersonate-Group": "devs"}
    async with log.front.admin.get("/api/v1/namespaces/default/pods", headers=headers) as response:
        assert response.status == 200
        (event,) = await log.of(response.headers["Audit-Id"])
    assert event["user"]["username"] == "root"
    assert event["impersonatedUser"] == {"username": "carol", "groups": ["devs", "system:authenticated"]}
    reason = 'RBAC: allowed by ClusterRoleBinding "viewers" of ClusterRole "view" to Group "devs"'
    assert event["annotations"]["authorization.k8s.io/reason"] == reason


async def test_a_delete_says_what_is_gone(log: Log) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    async with log.front.admin.post(path, json={"metadata": {"name": "brief"}}) as response:
        uid = (await response.json())["metadata"]["uid"]
    async with log.front.admin.delete(f"{path}/brief") as response:
        event = (await log.of(response.headers["Audit-Id"]))[-1]
    details = {"name": "brief", "kind": "configmaps", "uid": uid}
    assert event["responseStatus"] == {"metadata": {}, "status": "Success", "details": details, "code": 200}


async def test_a_log_is_recorded_when_it_is_let_through(log: Log) -> None:
    async with log.front.admin.get("/api/v1/namespaces/default/pods/none/log") as response:
        event = (await log.of(response.headers["Audit-Id"]))[-1]
    assert (event["verb"], event["objectRef"]["subresource"], event["responseStatus"]["code"]) == ("get", "log", 404)


async def test_a_watch_starts_and_ends(log: Log) -> None:
    async with log.front.admin.get("/api/v1/pods?watch=1&timeoutSeconds=1") as response:
        started = await log.of(response.headers["Audit-Id"], "ResponseStarted")
        await response.read()
        stages = [event["stage"] for event in await log.of(response.headers["Audit-Id"])]
    assert [event["verb"] for event in started] == ["watch"]
    assert stages == ["ResponseStarted", "ResponseComplete"]


async def test_a_webhook_gets_batches_and_is_tried_again(fronts: Any, tmp_path: Path, unused_tcp_port: int) -> None:
    batches: list[Events] = []
    failures = 1

    async def receive(request: web.Request) -> web.Response:
        nonlocal failures
        document = await request.json()
        assert (document["kind"], document["apiVersion"]) == ("EventList", "audit.k8s.io/v1")
        assert request.headers["Authorization"] == "Bearer t"
        if failures:
            failures -= 1
            return web.Response(status=503)
        batches.append(document["items"])
        return web.Response()

    now = datetime.now(UTC)
    ca = create_ca(tmp_path / "webhook", now)
    pair = issue(ca, Identity("webhook", (), ("localhost",), ("127.0.0.1",)), timedelta(days=1), now)
    write_bundle(tmp_path / "webhook-tls", pair)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "webhook-tls" / "tls.pem")
    app = web.Application()
    app.router.add_post("/audit", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    target = Target(f"https://localhost:{runner.addresses[0][1]}/audit", ca.pem.decode())
    remote = Remote(target, Credentials(authorization="Bearer t"))
    settings = AuditSettings(read_policy(POLICY), "", webhook=remote, batching=Batching(most=5, wait=0.2, backoff=0.1))
    try:
        async with fronts(tmp_path, unused_tcp_port, audit=settings) as front:
            for _ in range(12):
                async with front.admin.get("/api/v1/namespaces/default") as response:
                    assert response.status == 200
            for _ in range(200):
                if sum(len(batch) for batch in batches) >= 12:
                    break
                await asyncio.sleep(0.02)
            async with front.admin.get("/api/v1/namespaces/default") as response:
                last = response.headers["Audit-Id"]
    finally:
        await runner.cleanup()
    assert sum(len(batch) for batch in batches) >= 12
    assert max(len(batch) for batch in batches) <= 5
    assert last in [event["auditID"] for batch in batches for event in batch]  # sent at the end


async def test_what_is_known_when(log: Log) -> None:
    """What a request says of itself is recorded once it may be made, a body with its defaults, a patch as it came."""
    path = "/api/v1/namespaces/default/configmaps"
    async with log.front.admin.post(path, json={"metadata": {"name": "k"}, "data": {}}) as response:
        received, complete = await log.of(response.headers["Audit-Id"])
    assert ("name" in received["objectRef"], "requestObject" in received) == (False, False)
    assert complete["objectRef"]["name"] == "k"
    assert (complete["requestObject"]["kind"], complete["requestObject"]["apiVersion"]) == ("ConfigMap", "v1")
    async with log.front.client("bob") as bob, bob.post(path, json={"metadata": {"name": "no"}}) as response:
        _, complete = await log.of(response.headers["Audit-Id"])
    assert ("requestObject" in complete, "name" in complete["objectRef"]) == (False, False), "bob may not"
    async with log.front.admin.delete(f"{path}/k", json={"propagationPolicy": "Background"}) as response:
        _, complete = await log.of(response.headers["Audit-Id"])
    assert complete["requestObject"]["propagationPolicy"] == "Background"
    async with log.front.admin.get(path, params={"fieldSelector": "metadata.name=k"}) as response:
        _, complete = await log.of(response.headers["Audit-Id"])
    assert complete["objectRef"]["name"] == "k"
    assert complete["responseObject"]["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "verb", "code"),
    [
        ("GET", "/api/v1/namespaces/default/configmaps", {"Accept": "text/plain"}, "list", 406),
        ("PATCH", "/api/v1/namespaces/default/configmaps/x", {"Content-Type": "text/plain"}, "patch", 415),
        ("HEAD", "/api/v1/namespaces/default/configmaps", {}, "list", 405),
        ("DELETE", "/api/v1/namespaces/default/configmaps/x/nope", {}, "delete", 404),
    ],
)
async def test_what_the_gateway_refuses(
    log: Log, method: str, path: str, headers: dict[str, str], verb: str, code: int
) -> None:
    async with log.front.admin.request(method, path, headers={"Audit-Id": "r", **headers}, data=b"{}") as response:
        assert response.status == code
    complete = (await log.of("r"))[-1]
    assert (complete["verb"], complete["responseStatus"]["code"]) == (verb, code)


async def test_a_watch_that_is_refused_has_begun(log: Log) -> None:
    path = "/api/v1/namespaces/default/configmaps?watch=1"
    async with log.front.client("bob") as bob, bob.get(path) as response:
        events = await log.of(response.headers["Audit-Id"])
    assert [event["stage"] for event in events] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert [event.get("responseStatus", {}).get("code") for event in events] == [None, 403, 403]
