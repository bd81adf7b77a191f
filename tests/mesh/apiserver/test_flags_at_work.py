"""What objects are given, as flags say."""

from typing import Any

import pytest

from kybern.apiserver.admission.configuration import AdmissionConfiguration
from kybern.client.resources import EVENTS, PODS, SERVICES
from kybern.kube.status import StatusError


async def test_node_ports(running: Any) -> None:
    async with running(node_ports=(100, 101)) as cluster, cluster.client() as admin:
        spec = {"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 1}]}
        for name in ("a", "b"):
            made = await admin.create(SERVICES, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
            assert made["spec"]["ports"][0]["nodePort"] in (100, 101)
        with pytest.raises(StatusError, match="range is full"):
            await admin.create(SERVICES, {"metadata": {"name": "c", "namespace": "default"}, "spec": spec})
        wanted = {**spec, "ports": [{"port": 1, "nodePort": 30000}]}
        with pytest.raises(StatusError, match="The range of valid ports is 100-101"):
            await admin.create(SERVICES, {"metadata": {"name": "d", "namespace": "default"}, "spec": wanted})


async def test_tolerations(running: Any) -> None:
    async with (
        running(admission=AdmissionConfiguration(toleration_seconds=(10, 20))) as cluster,
        cluster.client() as admin,
    ):
        spec = {"containers": [{"name": "c", "image": "i"}]}
        made = await admin.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
        assert [one["tolerationSeconds"] for one in made["spec"]["tolerations"]] == [10, 20]


@pytest.mark.parametrize(("seconds", "leased"), [(5.0, True), (0.0, False)])
async def test_events(running: Any, seconds: float, leased: bool) -> None:
    async with running(event_ttl=seconds) as cluster, cluster.client() as admin:
        about = {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}}
        await admin.create(EVENTS, {"metadata": {"name": "e", "namespace": "default"}, **about})
        kv, _ = await cluster.server.feed.store.get("/registry/events/default/e")
        assert (kv.lease != 0) is leased
