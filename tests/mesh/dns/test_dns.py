"""The DNS service against a real apiserver: what is created in the cluster has a name at once, by dig and by gRPC."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kybern.apiserver.service import SERVICE as APISERVER
from kybern.client.objects import Client
from kybern.client.resources import ENDPOINT_SLICES, NAMESPACES, SERVICES
from kybern.dns.service import SERVICE as DNS
from kybern.kube.meta import Object
from kybern.protos.dns.v1 import dns_pb2 as pb
from kybern.protos.dns.v1.dns_pb2_grpc import DnsStub
from kybern.testing.mesh import Mesh, mesh
from kybern.testing.ports import free_ports

WEB = "web.shop.svc.cluster.local"


@pytest.fixture
async def net() -> AsyncIterator[Mesh]:
    async with mesh() as net:
        await net.start(APISERVER, "--store", "sqlite::memory:")
        yield net


@pytest.fixture
async def admin(net: Mesh) -> AsyncIterator[Client]:
    async with net.client() as client:
        await client.create(NAMESPACES, {"metadata": {"name": "shop"}})
        yield client


def service(name: str, **spec: Any) -> Object:
    ports = [{"name": "http", "port": 80}]
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"ports": ports, **spec}}


async def ask(net: Mesh, name: str, type_: str = "A") -> tuple[str, list[str]]:
    stub: Any = DnsStub(net.channel("dns:1", "system:kybern:gateway"))
    reply = await stub.Query(pb.QueryRequest(name=name, type=type_))
    return reply.code, [record.data for record in reply.answers]


async def until(net: Mesh, name: str, code: str, type_: str = "A") -> list[str]:
    async with asyncio.timeout(10):
        while (found := await ask(net, name, type_))[0] != code:
            await asyncio.sleep(0.01)
    return found[1]


async def test_what_exists_before_and_after_the_start_has_a_name(net: Mesh, admin: Client) -> None:
    created = await admin.create(SERVICES, service("web"))
    await net.start(DNS, "--forward", "none")
    address = created["spec"]["clusterIP"]
    assert await ask(net, WEB) == ("NOERROR", [address])
    assert await ask(net, f"_http._tcp.{WEB}.", "SRV") == ("NOERROR", [f"0 100 80 {WEB}."])
    reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    assert await ask(net, reverse, "PTR") == ("NOERROR", [f"{WEB}."])
    assert await ask(net, "kubernetes.default.svc.cluster.local") == ("NOERROR", ["10.96.0.1"])
    assert (await ask(net, "nobody.shop.svc.cluster.local"))[0] == "NXDOMAIN"
    assert await ask(net, "shop.svc.cluster.local") == ("NOERROR", [])
    assert (await ask(net, "unknown.svc.cluster.local"))[0] == "NXDOMAIN"
    assert (await ask(net, "example.com"))[0] == "REFUSED"
    await admin.create(SERVICES, service("alias", type="ExternalName", externalName=WEB))
    assert await until(net, "alias.shop.svc.cluster.local", "NOERROR") == [f"{WEB}.", address]
    await admin.delete(SERVICES, "web", "shop")
    await until(net, WEB, "NXDOMAIN")


async def test_headless_services_follow_their_endpoints(net: Mesh, admin: Client) -> None:
    await net.start(DNS, "--forward", "none")
    await admin.create(SERVICES, service("db", clusterIP="None"))
    name = "db.shop.svc.cluster.local"
    assert await until(net, name, "NOERROR") == []
    slice_: Object = {
        "metadata": {"name": "db-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "db"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.244.0.9"], "hostname": "db-0", "conditions": {"ready": True}}],
    }
    created = await admin.create(ENDPOINT_SLICES, slice_)
    assert await until(net, f"db-0.{name}", "NOERROR") == ["10.244.0.9"]
    assert await ask(net, name) == ("NOERROR", ["10.244.0.9"])
    await admin.update(ENDPOINT_SLICES, {**created, "endpoints": []})
    await until(net, f"db-0.{name}", "NXDOMAIN")


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed (apt-get install dnsutils)")
async def test_dig(net: Mesh, admin: Client) -> None:
    await admin.create(SERVICES, service("web", clusterIP="10.96.0.77"))
    (port,) = free_ports(1)
    await net.start(DNS, "--forward", "none", "--listen", f"127.0.0.1:{port}")
    for options in ([], ["+tcp"]):
        command = ["dig", "@127.0.0.1", "-p", str(port), "+short", "+time=3", "+tries=1", *options, WEB]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await asyncio.wait_for(process.communicate(), 10)
        assert out.decode() == "10.96.0.77\n"


async def test_publishes_its_own_service_and_moves_its_endpoint(net: Mesh, admin: Client) -> None:
    from kybern.dns.publish import publish
    from kybern.dns.service import reachable

    async def published() -> tuple[str, list[str], list[int]]:
        service = await admin.get(SERVICES, "kube-dns", "kube-system")
        slices = await admin.get(ENDPOINT_SLICES, "kube-dns", "kube-system")
        return service["spec"]["clusterIP"], slices["endpoints"][0]["addresses"], [p["port"] for p in slices["ports"]]

    running = await net.start(DNS, "--forward", "none", "--publish", "10.96.0.10")
    assert await until(net, "kube-dns.kube-system.svc.cluster.local", "NOERROR") == ["10.96.0.10"]
    async with Client(net.channel("apiserver:1", "system:kybern:dns")) as client:
        for address in ("192.0.2.7", "192.0.2.8"):
            await publish(client, "10.96.0.10", (address, 10053), running.env.telemetry.log)
            assert await published() == ("10.96.0.10", [address], [10053, 10053])
    assert reachable([("127.0.0.1", 53), ("192.0.2.7", 53)]) == ("192.0.2.7", 53)
