"""Events and the leases that end them."""

from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.client.resources import EVENTS
from kybern.kube.status import StatusError


def event(name: str) -> dict[str, Any]:
    about = {"kind": "Pod", "namespace": "default", "name": "p"}
    return {"metadata": {"name": name, "namespace": "default"}, "involvedObject": about, "reason": "Made"}


async def test_a_lease_that_is_gone_is_replaced(admin: Client, cluster: Any) -> None:
    await admin.create(EVENTS, event("a"))
    store = cluster.server.feed.store
    kv, _ = await store.get("/registry/events/default/a")
    assert kv.lease
    await store.lease_revoke(kv.lease)
    with pytest.raises(StatusError, match=r"requested lease .* not found; try again"):
        await admin.create(EVENTS, event("b"))
    made = await admin.create(EVENTS, event("b"))
    assert await admin.get(EVENTS, "b", "default") == made
    assert [one["metadata"]["name"] for one in (await admin.list(EVENTS, "default")).items] == ["b"]
