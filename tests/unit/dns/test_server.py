"""The server on real sockets: dig asks, upstreams are servers of our own kind."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import pytest
from dnslib import QTYPE, RR, A, DNSRecord
from prometheus_client import CollectorRegistry

from kybern.dns.core.zone import Zone
from kybern.dns.forward import Forwarder
from kybern.dns.resolver import Resolver
from kybern.dns.server import Listener

LOG = logging.getLogger("test")
needs_dig = pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed (apt-get install dnsutils)")


def zone_with(domain: str = "cluster.local", addresses: int = 1, **services: str) -> Zone:
    zone = Zone(domain)
    zone.set_namespaces(["default"])
    for name, address in services.items():
        ports = [{"name": "http", "port": 80}]
        spec: dict[str, Any] = {"clusterIP": address, "ports": ports}
        if not address[0].isdigit():
            spec = {"type": "ExternalName", "externalName": address}
        zone.set_service({"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    zone.set_service({"metadata": {"name": "many", "namespace": "default"}, "spec": {"clusterIP": "None"}})
    metadata = {"name": "many", "namespace": "default", "labels": {"kubernetes.io/service-name": "many"}}
    endpoints = [{"addresses": [f"10.1.0.{n + 1}"]} for n in range(addresses)]
    zone.set_slice({"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints})
    return zone


@asynccontextmanager
async def listening(zone: Zone, forwarder: Forwarder | None = None) -> AsyncIterator[tuple[str, int]]:
    async with asyncio.TaskGroup() as tasks:
        listener = Listener(Resolver(zone, forwarder, CollectorRegistry(), LOG), tasks)
        await listener.start("127.0.0.1", 0)
        try:
            yield listener.address
        finally:
            await listener.close()


async def dig(address: tuple[str, int], *arguments: str) -> str:
    command = ["dig", f"@{address[0]}", "-p", str(address[1]), "+tries=1", "+time=3", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 10)
    return out.decode()


def forwarder_to(*upstreams: tuple[str, int]) -> Forwarder:
    return Forwarder(upstreams, Random(1), LOG)


WEB = "web.default.svc.cluster.local"


@needs_dig
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["+short", WEB], "10.96.0.7\n"),
        (["+short", "+tcp", WEB], "10.96.0.7\n"),
        (["+short", "+noedns", WEB], "10.96.0.7\n"),
        (["+short", "-x", "10.96.0.7"], f"{WEB}.\n"),
        (["+short", f"_http._tcp.{WEB}", "SRV"], f"0 100 80 {WEB}.\n"),
        (["+short", "dns-version.cluster.local", "TXT"], '"1.1.0"\n'),
        (["+search", "+domain=default.svc.cluster.local", "+short", "web"], "10.96.0.7\n"),
        (["alias.default.svc.cluster.local", "+noall", "+answer"], "CNAME"),
        (["none.default.svc.cluster.local"], "status: NXDOMAIN"),
        ([WEB, "AAAA"], "status: NOERROR"),
        (["example.com"], "status: REFUSED"),
        (["+cookie", WEB], "10.96.0.7"),
        (["+edns=1", "+noednsnegotiation", WEB], "status: BADVERS"),
    ],
)
async def test_dig(arguments: list[str], expected: str) -> None:
    async with listening(zone_with(web="10.96.0.7", alias=WEB)) as address:
        out = await dig(address, *arguments)
    if arguments[0] == "+short":
        assert out == expected
    else:
        assert expected in out
    assert "WARNING" not in out or "recursion" in out


@needs_dig
async def test_a_reply_too_large_for_udp_comes_over_tcp() -> None:
    async with listening(zone_with(addresses=150)) as address:
        name = "many.default.svc.cluster.local"
        assert "flags: qr aa tc rd" in await dig(address, name, "+ignore")
        assert len((await dig(address, name, "+short")).splitlines()) == 150


@needs_dig
async def test_other_names_are_asked_upstream_once_while_they_last() -> None:
    async with listening(zone_with("other.example", www="192.0.2.7", addresses=150)) as upstream:
        forwarder = forwarder_to(upstream)
        async with listening(zone_with(), forwarder) as address:
            assert await dig(address, "+short", "www.default.svc.other.example") == "192.0.2.7\n"
            out = await dig(address, "+noall", "+comments", "www.default.svc.other.example")
            assert "flags: qr rd ra;" in out
            assert forwarder.sent == 1
            assert "status: NXDOMAIN" in await dig(address, "none.default.svc.other.example")
            assert len((await dig(address, "many.default.svc.other.example", "+short")).splitlines()) == 150


@needs_dig
async def test_an_alias_out_of_the_zone_is_followed() -> None:
    zone = zone_with(outside="www.default.svc.other.example")
    async with (
        listening(zone_with("other.example", www="192.0.2.7")) as upstream,
        listening(zone, forwarder_to(upstream)) as address,
    ):
        out = await dig(address, "+short", "outside.default.svc.cluster.local")
    assert out == "www.default.svc.other.example.\n192.0.2.7\n"


@needs_dig
async def test_a_silent_upstream_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kybern.dns.forward.TIMEOUT", 0.2)
    async with AsyncExitStack() as stack:
        silent, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        stack.callback(silent.close)
        upstream = await stack.enter_async_context(listening(zone_with("other.example", www="192.0.2.7")))
        forwarder = forwarder_to(silent.get_extra_info("sockname"), upstream)
        address = await stack.enter_async_context(listening(zone_with(), forwarder))
        assert await dig(address, "+short", "www.default.svc.other.example") == "192.0.2.7\n"
        forwarder.upstreams.remove(upstream)
        assert "status: SERVFAIL" in await dig(address, "fresh.default.svc.other.example")


class Liar(asyncio.DatagramProtocol):
    """Answers with a wrong id, with nonsense, and at last with the truth."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        message = DNSRecord.parse(data)
        for id_, address in ((message.header.id ^ 1, "6.6.6.6"), (message.header.id, "192.0.2.1")):
            found = message.reply()
            found.header.id = id_
            found.add_answer(RR(message.q.qname, QTYPE.A, rdata=A(address), ttl=60))
            self.transport.sendto(b"\xff" * 30, addr)
            self.transport.sendto(bytes(found.pack()), addr)


async def test_a_forged_reply_is_not_believed() -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Liar, local_addr=("127.0.0.1", 0))
    try:
        reply = await forwarder_to(transport.get_extra_info("sockname")).ask(("example", "com"), 1)
    finally:
        transport.close()
    assert reply is not None
    assert [str(rr.rdata) for rr in DNSRecord.parse(reply).rr] == ["192.0.2.1"]


async def test_equal_questions_under_way_are_asked_once() -> None:
    async with listening(zone_with("other.example", www="192.0.2.7")) as upstream:
        forwarder = forwarder_to(upstream)
        name = ("www", "default", "svc", "other", "example")
        replies = await asyncio.gather(*(forwarder.ask(name, 1) for _ in range(20)))
    assert forwarder.sent == 1
    assert len(set(replies)) == 1


async def test_an_upstream_that_is_ourselves_is_left_out() -> None:
    forwarder = forwarder_to()
    async with listening(zone_with(), forwarder) as address:
        forwarder.upstreams.append(address)
        await forwarder.probe()
        assert forwarder.upstreams == []


async def test_garbage_over_tcp_ends_the_connection_and_nothing_else() -> None:
    async with listening(zone_with(web="10.96.0.7")) as address:
        for garbage in (b"\0\0", b"\0\5hello", b"\xff\xff" + b"x" * 100, b"\0"):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(garbage)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 5) is not None
            writer.close()
            await writer.wait_closed()
        reader, writer = await asyncio.open_connection(*address)
        message = bytes(DNSRecord.question(WEB).pack())
        writer.write((len(message).to_bytes(2, "big") + message) * 3)
        for _ in range(3):
            data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            assert [str(rr.rdata) for rr in DNSRecord.parse(data).rr] == ["10.96.0.7"]
        writer.close()
        await writer.wait_closed()


async def test_a_failure_of_ours_is_servfail(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Zone):
        def covers(self, name: tuple[str, ...]) -> bool:
            raise RuntimeError("broken")

    resolver = Resolver(Broken(), None, CollectorRegistry(), LOG)
    reply = await resolver.resolve(bytes(DNSRecord.question(WEB).pack()))
    assert reply is not None
    assert DNSRecord.parse(reply).header.rcode == 2
    assert "could not be handled" in caplog.text
