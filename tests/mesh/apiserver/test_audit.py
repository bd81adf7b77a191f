"""The audit log of calls over gRPC: ids of their own, the path that they would have had, what breaks."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from kybern.apiserver.audit.flags import AuditSettings
from kybern.apiserver.core.audit.policy import read_policy
from kybern.client.resources import CONFIG_MAPS, NAMESPACES
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.rpc.exchange.client import ExchangeClient

POLICY = read_policy(
    {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "None", "verbs": ["delete"]}, {"level": "Metadata"}],
    }
)


def read_lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def events(path: Path, count: int) -> list[dict[str, Any]]:
    """The newest events, once there are so many."""
    for _ in range(200):
        lines = await asyncio.to_thread(read_lines, path)
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        await asyncio.sleep(0.02)
    raise AssertionError(f"fewer than {count} events")


async def test_calls_of_services(running: Any, tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    async with running(audit=AuditSettings(POLICY, str(path))) as cluster, cluster.client() as admin:
        await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
        await admin.get(NAMESPACES, "default")
        await admin.list(CONFIG_MAPS)
        await admin.delete(CONFIG_MAPS, "a", "default")
        with pytest.raises(StatusError, match="not found"):
            await admin.get(NAMESPACES, "none")
        found = await events(path, 4)
    assert [(event["verb"], event["requestURI"]) for event in found] == [
        ("create", "/api/v1/namespaces/default/configmaps"),
        ("get", "/api/v1/namespaces/default"),
        ("list", "/api/v1/configmaps"),
        ("get", "/api/v1/namespaces/none"),
    ]
    assert [event["responseStatus"]["code"] for event in found] == [201, 200, 200, 404]
    assert len({event["auditID"] for event in found}) == 4
    assert found[0]["user"] == {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
    assert "sourceIPs" not in found[0]


async def test_only_a_gateway_says_where_a_call_comes_from(running: Any, tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    origin = pb.Origin(audit_id="forged", request_uri="/forged", source_ips=["192.0.2.9"])
    request = pb.GetRequest(resource=pb.Resource(version="v1", resource="namespaces"), name="default")
    async with running(audit=AuditSettings(POLICY, str(path))) as cluster:
        async with ExchangeClient(cluster.channel("admin", "system:masters")) as client:
            await client.call(request, origin=origin)
        async with ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway:
            requester = pb.Requester(user="root", groups=["system:masters"])
            await gateway.call(request, requester=requester, origin=origin)
        own, passed_on = await events(path, 2)
    assert (own["auditID"], own["requestURI"]) != ("forged", "/forged")
    assert (passed_on["auditID"], passed_on["requestURI"], passed_on["sourceIPs"]) == (
        "forged",
        "/forged",
        ["192.0.2.9"],
    )


async def test_what_breaks_is_recorded_as_panic(running: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.log"
    async with running(audit=AuditSettings(POLICY, str(path))) as cluster, cluster.client() as admin:

        async def broken(*_: Any) -> None:
            raise RuntimeError("out of order")

        monkeypatch.setattr(cluster.server.admission, "mutate", broken)
        with pytest.raises(StatusError, match="out of order"):
            await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}})
        (event,) = await events(path, 1)
    assert (event["stage"], event["responseStatus"]["code"]) == ("Panic", 500)
