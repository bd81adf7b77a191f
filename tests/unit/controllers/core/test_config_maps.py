"""What controllers keep of ConfigMaps."""

from typing import Any

import pytest

from kybern.controllers.core.config_maps import only_published


def config_map(name: str, **metadata: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "a", "uid": "u", "resourceVersion": "7", "managedFields": [{}], **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "b"}}


@pytest.mark.parametrize("name", ["kube-root-ca.crt", "cluster-info"])
def test_what_controllers_write_is_kept(name: str) -> None:
    found = only_published(config_map(name, annotations={"x": "y"}))
    assert found["data"] == {"a": "b"}
    assert found["metadata"] == {
        "name": name, "namespace": "a", "uid": "u", "resourceVersion": "7", "annotations": {"x": "y"},
    }  # fmt: skip


def test_of_others_only_ownership_is_kept() -> None:
    owners = [{"uid": "o"}]
    found = only_published(config_map("mine", ownerReferences=owners, finalizers=["f"], labels={"a": "b"}))
    assert found == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "mine", "namespace": "a", "uid": "u", "resourceVersion": "7",
            "ownerReferences": owners, "finalizers": ["f"],
        },
    }  # fmt: skip
