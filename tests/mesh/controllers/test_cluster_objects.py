"""What controllers keep for the cluster as a whole: address ranges, bootstrap tokens, annotations of nodes."""

import asyncio
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from kybern.client.resources import CONFIG_MAPS, IP_ADDRESSES, NODES, SECRETS, SERVICE_CIDRS, SERVICES
from kybern.controllers.bootstrap_signer.core import Token, sign
from kybern.kube.conditions import get_condition, is_condition_true
from kybern.kube.meta import format_time
from kybern.kube.status import StatusError


def test_the_range_of_services_is_an_object(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        async def ready() -> Any:
            found = await cluster.admin.get(SERVICE_CIDRS, "kubernetes")
            return found if is_condition_true(found, "Ready") else None

        found = await cluster.until(ready, 5)
        assert found["spec"] == {"cidrs": ["10.96.0.0/16"]}
        assert found["metadata"]["finalizers"] == ["networking.k8s.io/service-cidr-finalizer"]
        service = await cluster.create(SERVICES, "web", spec={"ports": [{"port": 80}]})
        address = await cluster.admin.get(IP_ADDRESSES, service["spec"]["clusterIP"])
        assert address["spec"]["parentRef"] == {"resource": "services", "namespace": "default", "name": "web"}
        await cluster.admin.delete(SERVICE_CIDRS, "kubernetes")

        async def kept() -> Any:
            found = await cluster.admin.get(SERVICE_CIDRS, "kubernetes")
            return get_condition(found, "Ready") if not is_condition_true(found, "Ready") else None

        assert (await cluster.until(kept, 5))["reason"] == "Terminating"

    simulate(test)


def test_services_have_addresses_of_a_second_range(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        async def refused(**spec: Any) -> str:
            with pytest.raises(StatusError) as caught:
                await cluster.create(SERVICES, "no", spec={"ports": [{"port": 80}], **spec})
            return str(caught.value.message)

        outside = "failed to allocate IP 10.200.0.1: the provided network does not match the current range"
        assert outside in await refused(clusterIP="10.200.0.1")
        await cluster.create(SERVICE_CIDRS, "more", spec={"cidrs": ["10.200.0.0/30"]})
        await asyncio.sleep(2)
        service = await cluster.create(SERVICES, "web", spec={"ports": [{"port": 80}], "clusterIP": "10.200.0.1"})
        assert service["spec"]["clusterIPs"] == ["10.200.0.1"]
        address = await cluster.admin.get(IP_ADDRESSES, "10.200.0.1")
        assert address["spec"]["parentRef"] == {"resource": "services", "namespace": "default", "name": "web"}
        assert "provided IP is already allocated" in await refused(clusterIP="10.200.0.1")
        assert "does not match the current range" in await refused(clusterIP="10.200.0.3")  # its broadcast address
        await cluster.admin.delete(SERVICE_CIDRS, "more")
        await asyncio.sleep(20)
        assert not is_condition_true(await cluster.admin.get(SERVICE_CIDRS, "more"), "Ready")
        assert "does not match the current range" in await refused(clusterIP="10.200.0.2")
        await cluster.admin.delete(SERVICES, "web", "default")
        await asyncio.sleep(12)
        assert await cluster.names(SERVICE_CIDRS, "") == ["kubernetes"]

    simulate(test)


def test_a_range_without_addresses_goes_when_all_have_heard(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.create(SERVICE_CIDRS, "more", spec={"cidrs": ["10.200.0.0/24"]})
        await asyncio.sleep(2)
        assert is_condition_true(await cluster.admin.get(SERVICE_CIDRS, "more"), "Ready")
        await cluster.admin.delete(SERVICE_CIDRS, "more")
        await asyncio.sleep(5)
        assert await cluster.names(SERVICE_CIDRS, "") == ["kubernetes", "more"]
        await asyncio.sleep(7)
        assert await cluster.names(SERVICE_CIDRS, "") == ["kubernetes"]

    simulate(test)


def token(cluster: Any, name: str, seconds: float) -> dict[str, Any]:
    end = format_time(cluster.clock.now() + timedelta(seconds=seconds))
    data = {"token-id": name, "token-secret": "s" * 16, "usage-bootstrap-signing": "true", "expiration": end}
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": f"bootstrap-token-{name}", "namespace": "kube-system"}
    return {"metadata": metadata, "type": "bootstrap.kubernetes.io/token", "data": encoded}


def test_cluster_info_is_signed_by_the_tokens_there_are(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        metadata = {"name": "cluster-info", "namespace": "kube-public"}
        await cluster.admin.create(CONFIG_MAPS, {"metadata": metadata, "data": {"kubeconfig": "text"}})
        await cluster.admin.create(SECRETS, token(cluster, "aaaaaa", 30))
        await cluster.admin.create(SECRETS, token(cluster, "bbbbbb", 3000))

        async def signed(*names: str) -> Any:
            data = (await cluster.get(CONFIG_MAPS, "cluster-info", "kube-public"))["data"]
            return data if sorted(data) == [*(f"jws-kubeconfig-{name}" for name in names), "kubeconfig"] else None

        data = await cluster.until(lambda: signed("aaaaaa", "bbbbbb"), 5)
        assert data["jws-kubeconfig-aaaaaa"] == sign("text", Token("aaaaaa", "s" * 16))
        await cluster.until(lambda: signed("bbbbbb"), 40)
        assert await cluster.get(SECRETS, "bootstrap-token-aaaaaa", "kube-system") is None
        assert await cluster.get(SECRETS, "bootstrap-token-bbbbbb", "kube-system") is not None

    simulate(test)


def test_nodes_say_how_long_secrets_may_be_kept(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        async def annotated() -> Any:
            nodes = (await cluster.admin.list(NODES)).items
            return [n["metadata"].get("annotations", {}).get("node.alpha.kubernetes.io/ttl") for n in nodes] == [
                "0",
                "0",
            ]

        await cluster.until(annotated, 5)

    simulate(test)
