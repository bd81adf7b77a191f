"""The proxy subresources of pods and services, to real servers on this machine's own address."""

import asyncio
import contextlib
import io
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from kybern.pki.authority import Identity, issue
from kybern.pki.files import write_bundle
from kybern.testing import backend as servers

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@dataclass
class Ports:
    address: str
    plain: int
    secure: int


async def create(gateway: Any, path: str, obj: dict[str, Any]) -> dict[str, Any]:
    response = await gateway.admin.post(path, json=obj)
    assert response.status == 201, await response.text()
    found: dict[str, Any] = await response.json()
    return found


async def make_pod(gateway: Any, name: str, address: str, ports: dict[str, int]) -> None:
    listed = [{"name": name, "containerPort": port} for name, port in ports.items()]
    spec = {"containers": [{"name": "c", "image": "i", "ports": listed}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    await create(gateway, PODS, pod)
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}], "phase": "Running"}}
    patch = {"Content-Type": "application/merge-patch+json"}
    response = await gateway.admin.patch(f"{PODS}/{name}/status", data=json.dumps(status), headers=patch)
    assert response.status == 200, await response.text()


@pytest.fixture
async def ports(gateway: Any) -> AsyncIterator[Ports]:
    """The pod p and the service s, which are this machine's address and two servers on it."""
    address = servers.own_address()
    if not address or address.startswith("127."):
        pytest.skip("this machine has no address but loopback's, which no proxy connects to")
    now = datetime.now(UTC)
    write_bundle(gateway.folder / "pod", issue(gateway.ca, Identity("pod"), timedelta(days=1), now))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(gateway.folder / "pod" / "tls.pem")
    async with servers.backend(address) as plain, servers.backend(address, tls) as secure:
        await make_pod(gateway, "p", address, {"web": plain, "tls": secure})
        named = [
            {"name": "web", "port": 80, "targetPort": plain},
            {"name": "tls", "port": 443, "targetPort": secure},
        ]
        await create(
            gateway,
            SERVICES,
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": named}},
        )
        target = {"kind": "Pod", "namespace": "default", "name": "p"}
        await create(
            gateway,
            SLICES,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
                "addressType": "IPv4",
                "endpoints": [
                    {"addresses": [address], "conditions": {"ready": True}, "targetRef": target},
                    {"addresses": ["192.0.2.77"], "conditions": {"ready": True}, "targetRef": target},
                    {"addresses": [address], "conditions": {"ready": True}},
                ],
                "ports": [
                    {"name": "web", "port": plain, "protocol": "TCP"},
                    {"name": "tls", "port": secure, "protocol": "TCP"},
                ],
            },
        )
        yield Ports(address, plain, secure)


async def said(response: aiohttp.ClientResponse) -> dict[str, Any]:
    assert response.status == 200, await response.text()
    found: dict[str, Any] = json.loads(await response.text())
    return found


async def test_names_and_schemes(gateway: Any, ports: Ports) -> None:
    for base, scheme in (
        (f"{PODS}/p", "http"),
        (f"{PODS}/p:{ports.plain}", "http"),
        (f"{PODS}/p:web", "http"),
        (f"{PODS}/http:p:{ports.plain}", "http"),
        (f"{PODS}/https:p:{ports.secure}", "https"),
        (f"{SERVICES}/s:web", "http"),
        (f"{SERVICES}/s:80", "http"),
        (f"{SERVICES}/https:s:443", "https"),
        (f"{SERVICES}/https:s:tls", "https"),
    ):
        found = await said(await gateway.admin.get(f"{base}/proxy/a/b%20c?x=1&x=%26"))
        assert (found["scheme"], found["path"]) == (scheme, "/a/b%20c?x=1&x=%26"), base


async def test_every_method_and_header(gateway: Any, ports: Ports) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        body = b"abc" if method in ("POST", "PUT", "PATCH") else b""
        headers = {"X-Mine": "1", "X-Remote-User": "root", "Connection": "X-Hop", "X-Hop": "1"}
        response = await gateway.admin.request(method, f"{PODS}/p/proxy/m", data=body, headers=headers)
        found = await said(response)
        assert (found["method"], found["size"]) == (method, len(body))
        assert found["headers"]["x-mine"] == "1"
        assert found["headers"]["x-forwarded-for"] == "127.0.0.1"
        assert found["headers"]["x-forwarded-uri"] == f"{PODS}/p/proxy/m"
        assert not {"x-remote-user", "authorization", "x-hop"} & found["headers"].keys()
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "Audit-Id" in response.headers
    response = await gateway.admin.head(f"{PODS}/p/proxy/m")
    assert (response.status, await response.read()) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


async def test_a_token_stays_here(gateway: Any, ports: Ports) -> None:
    async with gateway.client(Authorization="Bearer secret") as alice:
        response = await alice.get(f"{PODS}/p/proxy/")
        assert response.status == 403
        assert 'cannot get resource "pods/proxy"' in (await response.json())["message"]
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods/proxy"], "resourceNames": ["p:web"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}
    await create(gateway, "/apis/rbac.authorization.k8s.io/v1/clusterroles", {**role, "rules": [rule]})
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"},
        "subjects": [{"kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    await create(gateway, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    async with gateway.client(Authorization="Bearer secret") as alice:
        found = await said(await alice.get(f"{PODS}/p:web/proxy/"))
        assert "authorization" not in found["headers"]
        assert (await alice.post(f"{PODS}/p:web/proxy/")).status == 403
        assert (await alice.get(f"{PODS}/p/proxy/")).status == 403


async def test_the_root_redirects_to_a_slash(gateway: Any, ports: Ports) -> None:
    response = await gateway.admin.get(f"{PODS}/p/proxy?q=1", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (301, f"{PODS}/p/proxy/?q=1")
    assert (await said(await gateway.admin.get(f"{PODS}/p/proxy?q=1")))["path"] == "/?q=1"
    assert (await said(await gateway.admin.post(f"{PODS}/p/proxy")))["path"] == "/"


async def test_redirects_and_links_lead_back_through_the_proxy(gateway: Any, ports: Ports) -> None:
    for to, expected in (
        ("/x/", f"{PODS}/p/proxy/x/"),
        (f"http://{ports.address}:{ports.plain}/x", f"{PODS}/p/proxy/x"),
        ("http://example.com/x", "http://example.com/x"),
        ("x", "x"),
    ):
        response = await gateway.admin.get(f"{PODS}/p/proxy/redirect", params={"to": to}, allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (302, expected)
    for query in ("", "?gzip=1"):
        response = await gateway.admin.get(f"{PODS}/p/proxy/page{query}", headers={"Accept-Encoding": "gzip"})
        assert await response.text() == f'<html><a href="{PODS}/p/proxy/x">x</a> <a href="y">y</a></html>'


async def test_bodies_stream_both_ways(gateway: Any, ports: Ports) -> None:
    more = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        await more.wait()
        yield b"defgh"

    async with gateway.admin.post(f"{PODS}/p/proxy/count", data=body()) as response:
        assert await response.content.readline() == b"3\n"
        more.set()
        assert await response.content.readline() == b"5\n"
    found = await said(await gateway.admin.post(f"{PODS}/p/proxy/", data=io.BytesIO(b"x" * 20_000_000)))
    assert found["size"] == 20_000_000
    response = await gateway.admin.get(f"{PODS}/p/proxy/large")
    assert len(await response.read()) == 20_000_000


async def test_an_answer_that_breaks_off_breaks_off(gateway: Any, ports: Ports) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await (await gateway.admin.get(f"{PODS}/p/proxy/broken")).read()


async def test_statuses_are_kept(gateway: Any, ports: Ports) -> None:
    response = await gateway.admin.get(f"{PODS}/p/proxy/status/418")
    assert (response.status, response.reason) == (418, "Of My Own")
    assert (await gateway.admin.get(f"{PODS}/p/proxy/status/204")).status == 204


async def test_web_sockets(gateway: Any, ports: Ports) -> None:
    for path in (f"{PODS}/p/proxy/shout", f"{SERVICES}/https:s:tls/proxy/shout"):
        async with gateway.admin.ws_connect(path, protocols=("loud",)) as ws:
            assert ws.protocol == "loud"
            await ws.send_str("hello")
            assert await ws.receive_str() == "HELLO"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await gateway.admin.ws_connect(f"{PODS}/p/proxy/status/418")
    assert refused.value.status == 418


async def test_errors(gateway: Any, ports: Ports) -> None:
    bare = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bare"}, "spec": {"ports": [{"port": 80}]}}
    await create(gateway, SERVICES, bare)
    await make_pod(gateway, "loop", "127.0.0.1", {})
    refused = f"error trying to reach service: dial tcp {ports.address}:1: connect: connection refused"
    no_tls = "error trying to reach service: http: server gave HTTP response to HTTPS client"
    for path, code, message in (
        (f"{SERVICES}/bare/proxy/", 503, 'no endpoints available for service "bare"'),
        (f"{SERVICES}/s/proxy/", 503, 'no endpoints available for service "s"'),
        (f"{SERVICES}/s:81/proxy/", 503, 'no service port 81 found for service "s"'),
        (f"{SERVICES}/s:nope/proxy/", 503, 'no endpoints available for service "s:nope"'),
        (f"{SERVICES}/ftp:s:80/proxy/", 400, 'invalid service request "ftp:s:80"'),
        (f"{SERVICES}/gone/proxy/", 404, 'services "gone" not found'),
        (f"{PODS}/gone/proxy/", 404, 'pods "gone" not found'),
        (f"{PODS}/loop/proxy/", 400, "address not allowed"),
        (f"{PODS}/p:1/proxy/", 503, refused),
        (f"{PODS}/https:p:{ports.plain}/proxy/", 503, no_tls),
    ):
        response = await gateway.admin.get(path)
        found = await response.json()
        assert (response.status, found["kind"], found["message"]) == (code, "Status", message), path


async def test_connections_are_kept(gateway: Any, ports: Ports) -> None:
    path = f"{PODS}/p:{ports.plain}/proxy/x"
    clients = [(await said(await gateway.admin.get(path)))["client"] for _ in range(3)]
    assert len(set(clients)) == 1
    both = await asyncio.gather(*(gateway.admin.get(path) for _ in range(2)))
    clients += [(await said(response))["client"] for response in both]
    assert len(set(clients)) <= 2
    assert (await gateway.admin.head(path)).status == 200
    assert (await said(await gateway.admin.get(path)))["client"] in clients


async def test_a_kept_connection_that_has_died_is_replaced(gateway: Any) -> None:
    address = servers.own_address()
    if not address or address.startswith("127."):
        pytest.skip("this machine has no address but loopback's, which no proxy connects to")
    await make_pod(gateway, "p", address, {})
    served = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One answer that promises another, then nothing: the next request finds a closed connection."""
        nonlocal served
        await reader.readuntil(b"\r\n\r\n")
        served += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(once, address, 0)
    path = f"{PODS}/p:{server.sockets[0].getsockname()[1]}/proxy/"
    for number in range(3):
        response = await gateway.admin.get(path)
        assert (response.status, await response.text(), served) == (200, "ok", number + 1)
    server.close()
