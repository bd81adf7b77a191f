"""The verbs on ordinary objects, as a client sees them."""

import pytest

from kybern.client.resources import CONFIG_MAPS
from kybern.kube.status import StatusError


def config_map(name: str, **data: str):
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}, "data": data}


async def test_create_get_list_update_patch_delete(admin):
    created = await admin.create(CONFIG_MAPS, config_map("a", x="1"))
    assert created["metadata"]["resourceVersion"]
    assert created["metadata"]["uid"]
    assert await admin.get(CONFIG_MAPS, "a", "default") == created
    listed = await admin.list(CONFIG_MAPS, "default")
    assert [item["metadata"]["name"] for item in listed.items] == ["a"]
    created["data"]["x"] = "2"
    updated = await admin.update(CONFIG_MAPS, created)
    assert int(updated["metadata"]["resourceVersion"]) > int(listed.resource_version) - 1
    patched = await admin.patch(CONFIG_MAPS, "a", "default", patch={"data": {"y": "3"}})
    assert patched["data"] == {"x": "2", "y": "3"}
    with pytest.raises(StatusError) as stale:
        await admin.update(CONFIG_MAPS, created)
    assert stale.value.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to '
        "the latest version and try again"
    )
    await admin.delete(CONFIG_MAPS, "a", "default")
    with pytest.raises(StatusError) as gone:
        await admin.get(CONFIG_MAPS, "a", "default")
    assert gone.value.message == 'configmaps "a" not found'
