"""nodes/NAME/proxy through a real gateway and apiserver, to the node agent with a simulated node and a running pod."""

import asyncio
import json
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from kybern.clock import SystemClock
from kybern.node.service import SERVICE as NODE
from kybern.rpc.memory import MemoryTransport
from kybern.rpc.transport import Identity
from kybern.runtime.service import Env, add_shared_flags
from kybern.telemetry import Telemetry
from kybern.testing import backend as servers

PROXY = "/api/v1/nodes/simulated-1/proxy"
PORT = "/api/v1/nodes/simulated-1:10250/proxy"


@pytest.fixture
async def node(gateway: Any) -> AsyncIterator[None]:
    """The agent, and the pod p that runs on its node."""
    parser = ArgumentParser()
    add_shared_flags(parser)
    NODE.add_flags(parser)
    flags = ["--address", "node:1", "--pki", str(gateway.folder), "--apiserver", "apiserver:1"]
    options = parser.parse_args(
        [*flags, "--runtime", "simulated", "--simulated-count", "1", "--state-dir", str(gateway.folder / "node")]
    )
    telemetry, ready = Telemetry("node"), asyncio.Event()
    identity = Identity("system:kybern:simulated-nodes", ("system:nodes",))
    transport = MemoryTransport(gateway.network, identity, telemetry)
    task = asyncio.create_task(NODE.run(options, Env(SystemClock(), Random(1), transport, telemetry, ready.set)))
    async with asyncio.timeout(20):
        await ready.wait()
        await node_is_there(gateway)
        spec = {"nodeName": "simulated-1", "containers": [{"name": "c", "image": "simulated/x"}]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
        response = await gateway.admin.post("/api/v1/namespaces/default/pods", json=pod)
        assert response.status == 201, await response.text()
        while '"phase":"Running"' not in await text(gateway, "/api/v1/namespaces/default/pods/p"):
            await asyncio.sleep(0.05)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await transport.close()


async def node_is_there(gateway: Any) -> None:
    while (await gateway.admin.get("/api/v1/nodes/simulated-1")).status != 200:
        await asyncio.sleep(0.05)


async def text(gateway: Any, path: str) -> str:
    async with gateway.admin.get(path) as response:
        found: str = await response.text()
        assert response.status == 200, found
        return found


async def test_the_agents_own_api(gateway: Any, node: None) -> None:
    for base in (PROXY, PORT):
        assert await text(gateway, f"{base}/healthz") == "ok"
        assert await text(gateway, f"{base}/logs/")
    (pod,) = json.loads(await text(gateway, f"{PROXY}/pods"))["items"]
    assert (pod["metadata"]["name"], pod["status"]["phase"]) == ("p", "Running")
    assert json.loads(await text(gateway, f"{PROXY}/runningpods/"))["items"]
    summary = json.loads(await text(gateway, f"{PROXY}/stats/summary"))
    assert summary["node"]["nodeName"] == "simulated-1"
    assert "kubelet_active_pods 1\n" in await text(gateway, f"{PROXY}/metrics")
    assert "node_memory_working_set_bytes " in await text(gateway, f"{PROXY}/metrics/resource")
    assert "machine_cpu_cores " in await text(gateway, f"{PROXY}/metrics/cadvisor")
    assert json.loads(await text(gateway, f"{PROXY}/configz"))["kubeletconfig"]["clusterDomain"] == "cluster.local"
    await text(gateway, f"{PROXY}/containerLogs/default/p/c?tailLines=5")
    response = await gateway.admin.get(f"{PROXY}/exec/default/p/c?command=echo&output=1")
    assert (response.status, (await response.json())["message"]) == (400, "Upgrade request required")
    for path, code in (("/nothing", 404), ("/containerLogs/default/gone/c", 404)):
        response = await gateway.admin.get(PROXY + path)
        assert (response.status, response.content_type) == (code, "text/plain"), path
    assert (await gateway.admin.delete(f"{PROXY}/pods")).status == 405
    response = await gateway.admin.get(PROXY, allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (301, f"{PROXY}/")


async def test_who_may(gateway: Any, node: None) -> None:
    async with gateway.client(Authorization="Bearer secret") as alice:
        response = await alice.get(f"{PROXY}/healthz")
        assert response.status == 403
        assert 'cannot get resource "nodes/proxy"' in (await response.json())["message"]


async def test_a_node_that_is_not_there(gateway: Any) -> None:
    response = await gateway.admin.get("/api/v1/nodes/gone/proxy/healthz")
    assert (response.status, (await response.json())["message"]) == (404, 'nodes "gone" not found')


async def test_another_port_of_the_node(gateway: Any) -> None:
    address = servers.own_address()
    if not address or address.startswith("127."):
        pytest.skip("this machine has no address but loopback's, which no proxy connects to")
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    assert (await gateway.admin.post("/api/v1/nodes", json=made)).status == 201
    status = json.dumps({"status": {"addresses": [{"type": "InternalIP", "address": address}]}})
    patch = {"Content-Type": "application/merge-patch+json"}
    assert (await gateway.admin.patch("/api/v1/nodes/n/status", data=status, headers=patch)).status == 200
    async with servers.backend(address) as port:
        found = json.loads(await text(gateway, f"/api/v1/nodes/n:{port}/proxy/x?y=z"))
        assert found["path"] == "/x?y=z"


async def test_the_agents_streams(gateway: Any, node: None) -> None:
    path = f"{PROXY}/exec/default/p/c?command=echo&command=hello&output=1"
    async with gateway.admin.ws_connect(path, protocols=("v4.channel.k8s.io",)) as ws:
        seen = [await ws.receive_bytes() for _ in range(3)]
    assert seen[:2] == [b"\x01", b"\x01hello\n"]
    assert b'"Success"' in seen[2]
