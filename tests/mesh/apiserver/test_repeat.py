"""A GET in the bytes of an earlier one: the answer is always that of now."""

from typing import Any

import orjson
import pytest

from kybern.client.objects import Client
from kybern.client.resources import CONFIG_MAPS, ROLE_BINDINGS, ROLES
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.rpc.exchange.client import ExchangeClient

RESOURCE = pb.Resource(version="v1", resource="configmaps", namespace="default")
BOB = pb.Requester(user="bob")


async def test_the_answer_is_that_of_now(cluster: Any, admin: Client) -> None:
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"]}
    metadata = {"name": "reader", "namespace": "default"}
    binding = {
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "bob"}],
    }
    await admin.create(ROLES, {"metadata": metadata, "rules": [rule]})
    await admin.create(ROLE_BINDINGS, binding)
    async with ExchangeClient(cluster.channel("system:kybern:gateway")) as gateway:

        async def get() -> Any:
            reply = await gateway.call(pb.GetRequest(resource=RESOURCE, name="a"), requester=BOB)
            return orjson.loads(reply.object).get("data")

        async def refused() -> int:
            with pytest.raises(StatusError) as caught:
                await get()
            return caught.value.code

        assert [await refused(), await refused()] == [404, 404]
        await admin.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "default"}, "data": {"k": "1"}})
        assert [await get(), await get()] == [{"k": "1"}] * 2
        await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"k": "2"}})
        assert await get() == {"k": "2"}
        await admin.delete(ROLE_BINDINGS, "reader", "default")
        assert [await refused(), await refused()] == [403, 403]
        await admin.create(ROLE_BINDINGS, binding)
        assert await get() == {"k": "2"}
        await admin.delete(CONFIG_MAPS, "a", "default")
        assert await refused() == 404
