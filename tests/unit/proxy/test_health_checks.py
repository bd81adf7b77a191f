"""Health check node ports: who is answered what, and for how long."""

import asyncio
import json
from typing import Any

import pytest

from kybern.proxy.core.health_check import HealthCheck, compute_health_check
from kybern.proxy.health_checks import HealthChecks
from kybern.telemetry import Telemetry

GONE = {"ready": False, "serving": True, "terminating": True}
SPEC = {"clusterIP": "10.96.0.9", "healthCheckNodePort": 30100, "externalTrafficPolicy": "Local"}


def endpoint(address: str, node: str, conditions: dict[str, bool] | None = None) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "conditions": conditions or {}}


@pytest.mark.parametrize(
    ("change", "endpoints", "expected"),
    [
        ({}, [endpoint("10.0.0.1", "here"), endpoint("10.0.0.2", "there")], 1),
        ({}, [endpoint("10.0.0.1", "here", GONE)], 0),
        ({}, [endpoint("10.0.0.1", "here"), endpoint("10.0.0.1", "here")], 1),
        ({"externalTrafficPolicy": "Cluster"}, [], None),
        ({"healthCheckNodePort": 0}, [], None),
        ({"clusterIP": "None"}, [], None),
    ],
)
def test_compute_health_check(change: dict[str, Any], endpoints: list[Any], expected: int | None) -> None:
    service = {"metadata": {"namespace": "d", "name": "s"}, "spec": {**SPEC, **change}}
    found = compute_health_check(service, [{"endpoints": endpoints}], "here")
    assert found == (None if expected is None else HealthCheck(30100, "d/s", expected))


async def ask(port: int) -> tuple[int, dict[str, str], Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    first, *fields = head.decode().split("\r\n")
    return int(first.split()[1]), dict(field.split(": ") for field in fields), json.loads(body)


async def test_a_port_is_served_while_a_service_has_it(unused_tcp_port: int) -> None:
    wanted: dict[str, HealthCheck] = {}
    checks = HealthChecks(wanted.get, Telemetry("test"), "127.0.0.1")
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(checks.run())

        async def become(count: int | None) -> None:
            wanted.clear()
            if count is not None:
                wanted["d/s"] = HealthCheck(unused_tcp_port, "d/s", count)
            checks.mark("d/s")
            await asyncio.sleep(0.05)

        await become(2)
        code, headers, body = await ask(unused_tcp_port)
        assert (code, headers["X-Load-Balancing-Endpoint-Weight"]) == (200, "2")
        service = {"namespace": "d", "name": "s"}
        assert body == {"service": service, "localEndpoints": 2, "serviceProxyHealthy": True}
        await become(0)
        assert (await ask(unused_tcp_port))[0] == 503
        await become(None)
        with pytest.raises(ConnectionRefusedError):
            await ask(unused_tcp_port)
        task.cancel()
