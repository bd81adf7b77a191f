"""What is counted of connections."""

import asyncio
import gc
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from kybern.gateway.client_metrics import ClientMetrics, Connections, octets
from kybern.gateway.http.client import Client
from kybern.gateway.http.http1.connection import Connection
from kybern.pki.authority import Identity, create_ca, issue
from kybern.pki.files import write_bundle
from kybern.telemetry.exposition import exposition


def shown(connections: Connections) -> list[str]:
    registry = CollectorRegistry()
    ClientMetrics(connections, registry)
    return exposition(registry).decode().splitlines()


async def test_requests_by_how_long_their_certificate_lasts() -> None:
    now = 1000.0
    connections = Connections(lambda: now)
    clients: list[Client] = [Connection(None, connections) for _ in range(3)]  # type: ignore[arg-type]  # nobody asks
    for client, lasts, asked in zip(clients, (3000.0, 90_000.0, 0.0), (2, 3, 4), strict=True):
        client.certificate_ends, client.answered = now + lasts if lasts else 0.0, asked
        connections.add(client)
    connections.discard(clients[0])
    connections.discard(clients[0])  # has gone already
    now += 1000.0
    name = "apiserver_client_certificate_expiration_seconds"
    lines = shown(connections)
    assert f'{name}_bucket{{le="3600"}} 2' in lines
    assert f'{name}_bucket{{le="172800"}} 5' in lines
    assert f"{name}_count 5" in lines
    assert f"{name}_sum 273000" in lines


@pytest.mark.parametrize("uvloop", [False, True])
def test_handshakes_that_fail(tmp_path: Path, uvloop: bool) -> None:
    now = datetime.now(UTC)
    pair = issue(create_ca(tmp_path, now), Identity("h", (), ("localhost",)), timedelta(days=1), now)
    write_bundle(tmp_path / "h", pair)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "h" / "tls.pem")
    connections = Connections(lambda: 0.0)
    connections.handshakes.watch(context)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context(), server_hostname="x")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.read()
        writer.close()
        good = ssl.create_default_context()
        good.check_hostname, good.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=good)
        writer.close()
        await asyncio.sleep(0.05)
        server.close()

    if uvloop:
        import uvloop as loops

        with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
            runner.run(run())
    else:
        asyncio.run(run())
    gc.collect()  # a loop of references holds what is left with plain asyncio
    assert connections.handshakes.failed == 2
    assert "apiserver_tls_handshake_errors_total 2" in shown(connections)


def test_bytes_over_ip(tmp_path: Path) -> None:
    file = tmp_path / "netstat"
    file.write_text("TcpExt: A\nTcpExt: 1\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 0 12 34\n")
    assert octets(file) == {"process_network_receive_bytes": 12, "process_network_transmit_bytes": 34}
    assert octets(tmp_path / "none") == {}
    assert "process_virtual_memory_max_bytes 1.8446744073709552e+19" in shown(Connections(lambda: 0.0))
