"""API aggregation: a real extension API server behind the gateway, its availability, its place in discovery."""

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kybern.pki.authority import Authority, Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.testing import backend, extension

API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1alpha1.wardle.example.com"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
BASE = extension.BASE


@dataclass
class Wardle:
    """The running extension API server and what an APIService for it says."""

    server: Any
    ca: Authority
    port: int

    def api_service(self, **changes: Any) -> dict[str, Any]:
        spec = {
            "group": extension.GROUP,
            "version": extension.VERSION,
            "groupPriorityMinimum": 2000,
            "versionPriority": 200,
            "service": {"namespace": "wardle", "name": "api", "port": self.port},
            "caBundle": b64encode(self.ca.pem).decode(),
            **changes,
        }
        spec = {key: value for key, value in spec.items() if value is not None}
        return {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": NAME},
            "spec": spec,
        }


@pytest.fixture
async def wardle(gateway: Any, tmp_path: Path) -> AsyncIterator[Wardle]:
    """The server, and an ExternalName Service that leads to it."""
    now = datetime.now(UTC)
    ca = create_ca(tmp_path / "wardle-ca", now)
    write_bundle(tmp_path / "wardle", issue(ca, Identity("api", (), ("api.wardle.svc",)), timedelta(days=1), now))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "front-proxy-ca" / "ca.crt"))
    tls.load_cert_chain(tmp_path / "wardle" / "tls.pem")
    tls.verify_mode = ssl.CERT_OPTIONAL
    server = extension.Extension()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "wardle"}}
    assert (await gateway.admin.post("/api/v1/namespaces", json=namespace)).status == 201
    async with backend.backend("127.0.0.1", tls, server.app) as port:
        spec = {"type": "ExternalName", "externalName": "localhost"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"}, "spec": spec}
        assert (await gateway.admin.post("/api/v1/namespaces/wardle/services", json=service)).status == 201
        yield Wardle(server, ca, port)


async def register(gateway: Any, api_service: dict[str, Any]) -> None:
    response = await gateway.admin.post(API_SERVICES, json=api_service)
    assert response.status == 201, await response.text()


async def condition(gateway: Any, reason: str, name: str = NAME) -> dict[str, Any]:
    """The Available condition, once it has this reason."""
    found: dict[str, Any] = {}
    for _ in range(200):
        obj = await (await gateway.admin.get(f"{API_SERVICES}/{name}")).json()
        conditions = (obj.get("status") or {}).get("conditions") or [{}]
        found = conditions[0]
        if found.get("reason") == reason:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def created(gateway: Any, name: str) -> None:
    flunder = {"apiVersion": f"{extension.GROUP}/{extension.VERSION}", "kind": "Flunder", "metadata": {"name": name}}
    response = await gateway.admin.post(f"{BASE}/namespaces/default/flunders", json=flunder)
    assert response.status == 201, await response.text()


async def test_requests_go_to_the_extension_api_server(gateway: Any, wardle: Wardle) -> None:
    await register(gateway, wardle.api_service())
    assert (await condition(gateway, "Passed"))["status"] == "True"
    await created(gateway, "a")
    asked = wardle.server.asked[-1]
    assert (asked["user"], asked["groups"]) == ("root", ["system:masters", "system:authenticated"])
    assert asked["headers"]["host"] == f"localhost:{wardle.port}"
    forwarded = [asked["headers"][f"x-forwarded-{name}"] for name in ("host", "proto", "uri")]
    assert forwarded == [f"localhost:{wardle.port}", "https", f"{BASE}/namespaces/default/flunders"]
    found = await (await gateway.admin.get(f"{BASE}/namespaces/default/flunders?limit=5")).json()
    assert [item["metadata"]["name"] for item in found["items"]] == ["a"]
    assert wardle.server.asked[-1]["path"].endswith("/flunders?limit=5")
    response = await gateway.admin.get(f"{BASE}/namespaces/default/flunders/b")
    assert (response.status, (await response.json())["reason"]) == (404, "NotFound")
    assert (await gateway.admin.delete(f"{BASE}/namespaces/default/flunders/a")).status == 200
    assert wardle.server.objects == {}
    response = await gateway.admin.get(f"{BASE}/namespaces/default/flunders/a/elsewhere", allow_redirects=False)
    assert (response.status, "not permitted" in await response.text()) == (502, True)


async def test_what_is_sent_on_is_written_again(gateway: Any, wardle: Wardle) -> None:
    """The query, and what the client says of other proxies."""
    await register(gateway, wardle.api_service())
    await condition(gateway, "Passed")
    forged = {"X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "elsewhere"}
    await gateway.admin.get(f"{BASE}/flunders?" + "b=2%20&a=1&b=x+y&c", headers=forged)
    asked = wardle.server.asked[-1]
    assert asked["path"].endswith("/flunders?a=1&b=2+&b=x+y&c=")
    assert (asked["headers"]["x-forwarded-proto"], asked["headers"]["x-forwarded-host"]) == (
        "https",
        f"localhost:{wardle.port}",
    )


async def test_a_common_name_is_no_host_name(gateway: Any, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ca = create_ca(tmp_path / "old-ca", now)
    write_bundle(tmp_path / "old", issue(ca, Identity("old.default.svc"), timedelta(days=1), now))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "old" / "tls.pem")
    async with backend.backend("127.0.0.1", tls, extension.Extension().app) as port:
        spec = {"type": "ExternalName", "externalName": "localhost"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "old"}, "spec": spec}
        assert (await gateway.admin.post("/api/v1/namespaces/default/services", json=service)).status == 201
        wanted = Wardle(None, ca, port).api_service(service={"namespace": "default", "name": "old", "port": port})
        await register(gateway, wanted)
        assert "x509: certificate is not valid" in (await condition(gateway, "FailedDiscoveryCheck"))["message"]


async def test_watches_and_upgrades_go_there_too(gateway: Any, wardle: Wardle) -> None:
    await register(gateway, wardle.api_service())
    await condition(gateway, "Passed")
    async with gateway.admin.get(f"{BASE}/flunders?watch=1") as response:
        while not wardle.server.watchers:
            await asyncio.sleep(0.01)
        for name in ("a", "b"):
            await created(gateway, name)
            event = json.loads(await response.content.readline())
            assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", name)
    async with gateway.admin.ws_connect(f"{BASE}/namespaces/default/flunders/a/shout") as ws:
        await ws.send_str("hello")
        assert await ws.receive_str() == "HELLO"


async def test_users_are_authorized_before_and_named_to_the_server(gateway: Any, wardle: Wardle) -> None:
    await register(gateway, wardle.api_service())
    await condition(gateway, "Passed")
    path = f"{BASE}/namespaces/default/flunders"
    forged = {"Authorization": "Bearer secret", "X-Remote-User": "root", "X-Remote-Extra-A": "b"}
    async with gateway.client(**forged) as alice:
        response = await alice.get(path)
        assert response.status == 403
        message = (await response.json())["message"]
        assert 'User "alice" cannot list resource "flunders" in API group "wardle.example.com"' in message
        assert wardle.server.asked == []
        group = "rbac.authorization.k8s.io"
        rule = {"verbs": ["list"], "apiGroups": [extension.GROUP], "resources": ["flunders"]}
        role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [rule]}
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "b"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "r"},
            "subjects": [{"kind": "Group", "name": "devs", "apiGroup": group}],
        }
        assert (await gateway.admin.post(f"/apis/{group}/v1/clusterroles", json=role)).status == 201
        assert (await gateway.admin.post(f"/apis/{group}/v1/clusterrolebindings", json=binding)).status == 201
        assert (await alice.get(path)).status == 200
    (asked,) = wardle.server.asked
    assert (asked["user"], asked["groups"]) == ("alice", ["devs", "system:authenticated"])
    assert asked["headers"]["x-remote-uid"] == "1"
    assert not {"authorization", "x-remote-extra-a"} & asked["headers"].keys()


async def test_discovery_and_openapi_have_it(gateway: Any, wardle: Wardle) -> None:
    await register(gateway, wardle.api_service())
    await condition(gateway, "Passed")
    names = [group["name"] for group in (await (await gateway.admin.get("/apis")).json())["groups"]]
    assert names[0] == "apiregistration.k8s.io"
    assert names[-1] == extension.GROUP
    group = await (await gateway.admin.get(f"/apis/{extension.GROUP}")).json()
    assert group["preferredVersion"]["version"] == extension.VERSION
    resources = (await (await gateway.admin.get(BASE)).json())["resources"]
    assert [row["name"] for row in resources] == ["flunders", "flunders/status"]
    document = await (await gateway.admin.get("/apis", headers={"Accept": AGGREGATED})).json()
    (found,) = [item for item in document["items"] if item["metadata"]["name"] == extension.GROUP]
    (version,) = found["versions"]
    (row,) = version["resources"]
    assert (version["freshness"], row["resource"], row["shortNames"]) == ("Current", "flunders", ["fl"])
    assert row["subresources"][0]["subresource"] == "status"
    index = (await (await gateway.admin.get("/openapi/v3")).json(content_type=None))["paths"]
    v3 = await (await gateway.admin.get(index[BASE[1:]]["serverRelativeURL"])).json()
    assert v3["components"]["schemas"].keys() == {extension.REF}
    v2 = await (await gateway.admin.get("/openapi/v2")).json()
    assert f"{BASE}/namespaces/{{ns}}/flunders" in v2["paths"]
    assert extension.REF in v2["definitions"]
    assert "unused" not in v2["definitions"]
    assert "io.k8s.api.core.v1.Pod" in v2["definitions"]


async def test_a_server_that_knows_openapi_v2_alone_has_a_v3_document_too(gateway: Any, wardle: Wardle) -> None:
    wardle.server.v2_only = True
    await register(gateway, wardle.api_service())
    await condition(gateway, "Passed")
    index = (await (await gateway.admin.get("/openapi/v3")).json(content_type=None))["paths"]
    v3 = await (await gateway.admin.get(index[BASE[1:]]["serverRelativeURL"])).json()
    assert v3["openapi"] == "3.0.0"
    assert v3["components"]["schemas"].keys() == {extension.REF, "unused"}
    answer = v3["paths"][f"{BASE}/namespaces/{{ns}}/flunders"]["get"]["responses"]["200"]
    schema = {"$ref": f"#/components/schemas/{extension.REF}"}
    assert answer == {"description": "", "content": {"application/json": {"schema": schema}}}


async def test_what_goes_before_whom(gateway: Any, wardle: Wardle) -> None:
    await register(gateway, wardle.api_service(groupPriorityMinimum=17450))
    await condition(gateway, "Passed")
    names = [group["name"] for group in (await (await gateway.admin.get("/apis")).json())["groups"]]
    assert names[names.index(extension.GROUP) - 1] == "autoscaling"
    assert names[names.index(extension.GROUP) + 1] == "batch"


async def test_a_server_that_fails_is_stale_and_unavailable_until_it_is_back(gateway: Any, wardle: Wardle) -> None:
    await register(gateway, wardle.api_service())
    await condition(gateway, "Passed")
    wardle.server.broken = True
    patch = {"Content-Type": "application/merge-patch+json"}
    change = json.dumps({"spec": {"versionPriority": 201}})
    assert (await gateway.admin.patch(f"{API_SERVICES}/{NAME}", data=change, headers=patch)).status == 200
    failed = await condition(gateway, "FailedDiscoveryCheck")
    assert failed["status"] == "False"
    assert failed["message"].endswith(f"bad status from https://localhost:{wardle.port}{BASE}: 500")
    response = await gateway.admin.get(f"{BASE}/flunders")
    assert (response.status, response.content_type, await response.text()) == (
        503,
        "text/plain",
        "service unavailable\n",
    )
    document = await (await gateway.admin.get("/apis", headers={"Accept": AGGREGATED})).json()
    (found,) = [item for item in document["items"] if item["metadata"]["name"] == extension.GROUP]
    assert found["versions"][0]["freshness"] == "Stale"
    wardle.server.broken = False
    await condition(gateway, "Passed")
    assert (await gateway.admin.get(f"{BASE}/flunders")).status == 200
    assert (await gateway.admin.delete(f"{API_SERVICES}/{NAME}")).status == 200
    for _ in range(100):
        if (await gateway.admin.get(BASE)).status == 404:
            break
        await asyncio.sleep(0.02)
    assert (await gateway.admin.get(f"{BASE}/flunders")).status == 404
    assert extension.GROUP not in await (await gateway.admin.get("/apis")).text()


async def test_why_a_server_is_unavailable(gateway: Any, wardle: Wardle) -> None:
    services, slices = (
        "/api/v1/namespaces/wardle/services",
        "/apis/discovery.k8s.io/v1/namespaces/wardle/endpointslices",
    )
    service = {"namespace": "wardle", "name": "late", "port": 443}
    await register(gateway, wardle.api_service(service=service))
    found = await condition(gateway, "ServiceNotFound")
    assert found["message"] == 'service/late in "wardle" is not present'
    spec = {"ports": [{"name": "other", "port": 80}]}
    late = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late"}, "spec": spec}
    assert (await gateway.admin.post(services, json=late)).status == 201
    found = await condition(gateway, "ServicePortError")
    assert found["message"] == 'service/late in "wardle" is not listening on port 443'
    patch = {"Content-Type": "application/merge-patch+json"}
    change = json.dumps({"spec": {"ports": [{"name": "https", "port": 443}]}})
    assert (await gateway.admin.patch(f"{services}/late", data=change, headers=patch)).status == 200
    found = await condition(gateway, "EndpointsNotFound")
    assert found["message"] == 'cannot find endpointslices for service/late in "wardle"'
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "late-1", "labels": {"kubernetes.io/service-name": "late"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.99"], "conditions": {"ready": False}}],
        "ports": [{"name": "https", "port": 443, "protocol": "TCP"}],
    }
    assert (await gateway.admin.post(slices, json=slice_)).status == 201
    found = await condition(gateway, "MissingEndpoints")
    assert found["message"] == 'endpointslices for service/late in "wardle" have no addresses with port name "https"'


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"insecureSkipTLSVerify": True, "caBundle": None}, "Passed"),
        ({"caBundle": "the gateway's"}, "FailedDiscoveryCheck"),
        ({"caBundle": None}, "FailedDiscoveryCheck"),
    ],
)
async def test_authorities(gateway: Any, wardle: Wardle, changes: dict[str, Any], reason: str) -> None:
    if changes["caBundle"]:
        changes = {"caBundle": b64encode(gateway.ca.pem).decode()}
    await register(gateway, wardle.api_service(**changes))
    found = await condition(gateway, reason)
    if reason != "Passed":
        assert "tls: failed to verify certificate: x509: " in found["message"]
    else:
        assert (await gateway.admin.get(f"{BASE}/flunders")).status == 200


async def test_local_api_services_are_kept(gateway: Any) -> None:
    items = (await (await gateway.admin.get(API_SERVICES)).json())["items"]
    assert {"v1.", "v1.apps", "v2.autoscaling"} <= {item["metadata"]["name"] for item in items}
    assert "v1.apiregistration.k8s.io" not in {item["metadata"]["name"] for item in items}
    for item in items:
        assert item["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
        (found,) = item["status"]["conditions"]
        assert (found["type"], found["status"], found["reason"]) == ("Available", "True", "Local")
    old = await (await gateway.admin.get(f"{API_SERVICES}/v1.apps")).json()
    assert (await gateway.admin.delete(f"{API_SERVICES}/v1.apps")).status == 200
    new = old
    while new.get("metadata", {}).get("uid") in (None, old["metadata"]["uid"]):
        new = await (await gateway.admin.get(f"{API_SERVICES}/v1.apps")).json()
        await asyncio.sleep(0.01)
    assert new["spec"] == old["spec"]


async def test_definitions_have_api_services(gateway: Any) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"plural": "tests", "kind": "Test"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "tests.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert (await gateway.admin.post(path, json=crd)).status == 201
    while (response := await gateway.admin.get(f"{API_SERVICES}/v1.example.com")).status != 200:
        await asyncio.sleep(0.01)
    found = await response.json()
    assert found["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "true"}
    assert found["spec"] == {
        "group": "example.com",
        "groupPriorityMinimum": 1000,
        "version": "v1",
        "versionPriority": 100,
    }
    assert (await condition(gateway, "Local", "v1.example.com"))["status"] == "True"
    assert (await gateway.admin.delete(f"{path}/tests.example.com")).status == 200
    while (await gateway.admin.get(f"{API_SERVICES}/v1.example.com")).status != 404:
        await asyncio.sleep(0.01)


async def test_extension_api_servers_learn_whom_to_believe(gateway: Any) -> None:
    path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    data = (await (await gateway.admin.get(path)).json())["data"]
    assert data["client-ca-file"].encode() == gateway.ca.pem
    assert data["requestheader-client-ca-file"] == (gateway.folder / "front-proxy-ca" / "ca.crt").read_text()
    assert json.loads(data["requestheader-allowed-names"]) == ["front-proxy-client"]
    assert json.loads(data["requestheader-extra-headers-prefix"]) == ["X-Remote-Extra-"]


async def test_a_caller_without_the_front_proxys_certificate_is_nobody(gateway: Any, wardle: Wardle) -> None:
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(connector=connector, headers={"X-Remote-User": "root"}) as session:
        assert (await session.get(f"https://127.0.0.1:{wardle.port}{BASE}/flunders")).status == 401


async def test_an_extension_api_server_can_ask_back(gateway: Any) -> None:
    group = "rbac.authorization.k8s.io"
    subjects = [{"kind": "User", "name": "alice", "apiGroup": group}]
    for kind, name, path in (
        ("ClusterRole", "system:auth-delegator", f"/apis/{group}/v1/clusterrolebindings"),
        ("Role", "extension-apiserver-authentication-reader", f"/apis/{group}/v1/namespaces/kube-system/rolebindings"),
    ):
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": "wardle"},
            "roleRef": {"apiGroup": group, "kind": kind, "name": name},
            "subjects": subjects,
        }
        assert (await gateway.admin.post(path, json=binding)).status == 201
    async with gateway.client(Authorization="Bearer secret") as server:
        path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
        assert (await server.get(path)).status == 200
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "secret"}}
        found = await (await server.post("/apis/authentication.k8s.io/v1/tokenreviews", json=review)).json()
        assert found["status"]["user"]["username"] == "alice"
        attributes = {"verb": "list", "group": extension.GROUP, "resource": "flunders", "namespace": "default"}
        asked = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": "root", "groups": ["system:masters"], "resourceAttributes": attributes},
        }
        found = await (await server.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=asked)).json()
        assert found["status"]["allowed"] is True


async def test_a_watch_ends_cleanly_with_the_gateway(gateway: Any, wardle: Wardle) -> None:
    await register(gateway, wardle.api_service())
    await condition(gateway, "Passed")
    async with gateway.admin.get(f"{BASE}/flunders?watch=1") as response:
        while not wardle.server.watchers:
            await asyncio.sleep(0.01)
        await gateway.stop()
        async with asyncio.timeout(5):
            assert await response.content.read() == b""
