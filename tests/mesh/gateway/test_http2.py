"""HTTP/2 on the HTTPS port: the same answers as over HTTP/1.1, many watches on one connection, nobody held up."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from h2.connection import H2Connection
from h2.events import ResponseReceived

from kybern.runtime.main import ServiceFailure
from kybern.testing import backend as servers

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
UID = re.compile(rb'"uid":"[0-9a-f-]+"|"creationTimestamp":"[^"]+"')  # of a dry run, each its own
VARYING = frozenset({"audit-id", "date", "connection", "transfer-encoding", "process-start-time-unix"})


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@asynccontextmanager
async def client(
    gateway: Any, user: str = "root", *groups: str, http2: bool = True, **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """One that keeps to one connection, with a certificate of the user if one is named."""
    limits = httpx.Limits(max_connections=1)
    groups = groups or (("system:masters",) if user == "root" else ())
    async with httpx.AsyncClient(
        base_url=gateway.url,
        verify=gateway.tls(user, *groups),
        http1=not http2,
        http2=http2,
        headers={"Accept-Encoding": "identity", **headers},
        limits=limits,
        timeout=20,
    ) as found:
        yield found


ASKED = [
    ("GET", "/api/v1/namespaces/default", b"", {}),
    ("GET", "/api/v1/namespaces/default", b"", {"Accept": TABLE}),
    ("GET", "/api/v1/namespaces/default", b"", {"Accept": "application/yaml"}),
    ("GET", "/api/v1/namespaces/default?pretty=true", b"", {}),
    ("GET", "/api/v1/namespaces/nowhere", b"", {}),
    ("GET", "/api/v1/namespaces?limit=1", b"", {}),
    ("GET", "/api/v1/namespaces?limit=x", b"", {}),
    ("GET", CONFIG_MAPS + "/large", b"", {"Accept-Encoding": "gzip"}),
    ("GET", CONFIG_MAPS, b"", {"Accept-Encoding": "gzip"}),
    ("GET", CONFIG_MAPS, b"", {}),
    ("GET", CONFIG_MAPS, b"", {"Accept": PROTOBUF}),
    ("GET", "/apis", b"", {}),
    ("GET", "/openapi/v2", b"", {}),
    ("GET", "/healthz", b"", {}),
    ("GET", "/version", b"", {}),
    ("GET", "/nowhere", b"", {}),
    ("HEAD", "/healthz", b"", {}),
    ("OPTIONS", "/api/v1/namespaces/default", b"", {}),
    ("POST", CONFIG_MAPS + "?dryRun=All", json.dumps(config_map("dry")).encode(), {}),
    ("POST", CONFIG_MAPS, b"{", {}),
    ("POST", CONFIG_MAPS, b"{}", {}),
    ("POST", CONFIG_MAPS, b"x" * ((3 << 20) + 1), {}),
    ("POST", PODS + "/p/exec?command=a&stdout=1", b"", {}),
    ("PATCH", CONFIG_MAPS + "/large?dryRun=All", b"[]", {"Content-Type": "application/json-patch+json"}),
    ("PATCH", CONFIG_MAPS + "/large", b"[]", {"Content-Type": "text/plain"}),
    ("DELETE", CONFIG_MAPS + "/nothing", b"", {}),
]


async def test_answers_are_those_of_http_1(gateway: Any) -> None:
    for name, size in (("large", 200_000), ("small", 10)):
        response = await gateway.admin.post(CONFIG_MAPS, json=config_map(name, text="x" * size))
        assert response.status == 201
    async with client(gateway) as two, client(gateway, http2=False) as one:
        for method, path, body, headers in ASKED:
            kind = {"Content-Type": "application/json"} if body else {}
            for _ in range(2):  # what is remembered of a request is the same, too
                answers = [
                    await each.request(method, path, content=body or None, headers={**kind, **headers})
                    for each in (one, two)
                ]
                assert [answer.http_version for answer in answers] == ["HTTP/1.1", "HTTP/2"]
                shown = [(answer.status_code, UID.sub(b"", answer.content)) for answer in answers]
                assert shown[0] == shown[1], path
                said = [
                    {n: v for n, v in answer.headers.items() if n not in VARYING | {"content-length"}}
                    for answer in answers
                ]
                assert said[0] == said[1], path


async def test_objects_come_and_go(gateway: Any) -> None:
    async with client(gateway) as admin:
        for number in range(5):
            response = await admin.post(CONFIG_MAPS, json=config_map(f"c-{number}", a="b"))
            assert (response.status_code, response.json()["data"]) == (201, {"a": "b"})
            assert (await admin.get(f"{CONFIG_MAPS}/c-{number}")).json() == response.json()
        found = await asyncio.gather(*(admin.get(f"{CONFIG_MAPS}/c-{number % 5}") for number in range(60)))
        assert {response.status_code for response in found} == {200}
        assert (await admin.delete(f"{CONFIG_MAPS}/c-0")).status_code == 200
        assert (await admin.get(f"{CONFIG_MAPS}/c-0")).status_code == 404
        large = config_map("big", text="x" * 1_000_000)
        assert (await admin.post(CONFIG_MAPS, json=large)).json()["data"] == large["data"]


async def test_who_asks(gateway: Any) -> None:
    async with client(gateway, "jane") as jane, client(gateway, "") as nobody:
        review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        assert (await jane.post(review, json={})).json()["status"]["userInfo"]["username"] == "jane"
        assert (await jane.get("/api/v1/nodes")).status_code == 403
        for _ in range(3):  # on one connection, each for itself
            for token, name in (("secret", "alice"), ("", "system:anonymous")):
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                found = await nobody.get("/api/v1/namespaces/default", headers=headers)
                assert (found.status_code, f'"{name}"' in found.json()["message"]) == (403, True)


async def lines(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        yield json.loads(line)


async def test_a_hundred_watches_on_one_connection(gateway: Any) -> None:
    async with client(gateway) as admin, client(gateway) as watcher, AsyncExitStack() as stack:
        (version,) = [(await admin.get(CONFIG_MAPS)).json()["metadata"]["resourceVersion"]]
        path = f"{CONFIG_MAPS}?watch=1&resourceVersion={version}"
        watches = [await stack.enter_async_context(watcher.stream("GET", path)) for _ in range(90)]
        for number in range(10):
            await admin.post(CONFIG_MAPS, json=config_map(f"w-{number}"))
        for watch in watches:
            assert watch.http_version == "HTTP/2"
            events = lines(watch)
            names = [(await anext(events))["object"]["metadata"]["name"] for _ in range(10)]
            assert names == [f"w-{number}" for number in range(10)]
            await events.aclose()


async def test_a_watcher_that_does_not_read_holds_up_nobody(gateway: Any) -> None:
    async with client(gateway) as both, client(gateway) as admin:
        version = (await admin.get(CONFIG_MAPS)).json()["metadata"]["resourceVersion"]
        path = f"{CONFIG_MAPS}?watch=1&resourceVersion={version}"
        async with both.stream("GET", path) as slow:
            for number in range(20):
                await admin.post(CONFIG_MAPS, json=config_map(f"s-{number}", text="x" * 200_000))
            async with asyncio.timeout(10):
                assert (await both.get(f"{CONFIG_MAPS}/s-1")).status_code == 200
                async with both.stream("GET", f"{CONFIG_MAPS}?limit=2") as listed:
                    assert len(json.loads(await listed.aread())["items"]) == 2
            events = lines(slow)
            names = [(await anext(events))["object"]["metadata"]["name"] for _ in range(20)]
            assert names == [f"s-{number}" for number in range(20)]
            await events.aclose()


async def test_a_watch_given_up_ends(gateway: Any) -> None:
    tls = gateway.tls("root", "system:masters")
    tls.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=tls)
    state = H2Connection()
    state.initiate_connection()
    head = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": f"{CONFIG_MAPS}?watch=1"}
    state.send_headers(1, head.items(), end_stream=True)
    writer.write(state.data_to_send())
    async with asyncio.timeout(5):
        while not any(isinstance(event, ResponseReceived) for event in state.receive_data(await reader.read(65536))):
            writer.write(state.data_to_send())
        assert (await long_running(gateway)).endswith(b"} 1")
        state.reset_stream(1)
        writer.write(state.data_to_send())
        while (await long_running(gateway)).endswith(b"} 1"):
            await asyncio.sleep(0.02)
    assert not writer.is_closing()
    writer.close()
    await writer.wait_closed()


async def long_running(gateway: Any) -> bytes:
    response = await gateway.admin.get("/metrics")
    text: bytes = await response.read()
    found = (line for line in text.split(b"\n") if line.startswith(b"apiserver_longrunning_requests{"))
    return b"".join(line for line in found if b'resource="configmaps"' in line)


async def test_a_gateway_that_stops_ends_watches_whole(fronts: Any, tmp_path: Path, unused_tcp_port: int) -> None:
    async with (
        fronts(tmp_path, unused_tcp_port) as front,
        client(front) as watcher,
        watcher.stream("GET", f"{CONFIG_MAPS}?watch=1") as watch,
    ):
        await front.stop()
        assert await watch.aread() == b""


@pytest.mark.parametrize(("flags", "version"), [({"disable_http2_serving": True}, "HTTP/1.1"), ({}, "HTTP/2")])
async def test_it_can_be_switched_off(
    fronts: Any, tmp_path: Path, unused_tcp_port: int, flags: dict[str, Any], version: str
) -> None:
    async with fronts(tmp_path, unused_tcp_port, flags) as front:
        verify = front.tls("root", "system:masters")
        async with httpx.AsyncClient(base_url=front.url, verify=verify, http2=True) as both:
            assert (await both.get("/healthz")).http_version == version


async def test_requests_carried_on(gateway: Any) -> None:
    address = servers.own_address()
    if not address or address.startswith("127."):
        pytest.skip("this machine has no address but loopback's, which no proxy connects to")
    async with servers.backend(address) as port, client(gateway) as admin:
        spec = {"containers": [{"name": "c", "image": "i", "ports": [{"name": "web", "containerPort": port}]}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
        assert (await admin.post(PODS, json=pod)).status_code == 201
        status = {"status": {"podIP": address, "podIPs": [{"ip": address}], "phase": "Running"}}
        merge = {"Content-Type": "application/merge-patch+json"}
        assert (await admin.patch(f"{PODS}/p/status", json=status, headers=merge)).status_code == 200
        path = f"{PODS}/p:{port}/proxy"

        async def much() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 50_000

        echoed = await admin.post(f"{path}/echo?a=1", content=much())
        assert (echoed.status_code, echoed.json()["size"]) == (200, 5_000_000), echoed.text
        async with client(gateway, http2=False) as one:
            for what in ("/echo?a=1", "/nothing", "/"):
                answers = [await each.get(path + what) for each in (one, admin)]
                assert answers[0].status_code == answers[1].status_code


async def test_some_requests_are_their_connections_last(fronts: Any, tmp_path: Path, unused_tcp_port: int) -> None:
    """By the largest chance there is: about one in fifty; nobody is answered otherwise because of it."""
    async with fronts(tmp_path, unused_tcp_port, {"goaway_chance": 0.02}) as gateway, client(gateway) as found:
        for _ in range(300):
            assert (await found.get("/api/v1/namespaces/default")).status_code == 200
        text = (await found.get("/metrics")).text
    assert 'apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="namespaces"' in text


@pytest.mark.parametrize("chance", [-0.1, 0.021, 1.0])
async def test_the_chance_is_a_small_one(fronts: Any, tmp_path: Path, unused_tcp_port: int, chance: float) -> None:
    with pytest.raises(ServiceFailure, match="--goaway-chance can not be less"):
        async with fronts(tmp_path, unused_tcp_port, {"goaway_chance": chance}):
            pass
