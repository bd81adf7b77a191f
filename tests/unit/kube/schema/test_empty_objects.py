"""Objects that nobody has written into."""

from typing import Any

import pytest

from kybern.kube import schema

POD_SPEC = {"containers": None}


@pytest.mark.parametrize(
    ("gvk", "expected"),
    [
        (("", "v1", "ConfigMap"), {}),
        (("", "v1", "Pod"), {"spec": POD_SPEC, "status": {}}),
        (("", "v1", "PersistentVolumeClaim"), {"spec": {"resources": {}}, "status": {}}),
        (("batch", "v1", "Job"), {"spec": {"template": {"metadata": {}, "spec": POD_SPEC}}, "status": {}}),
        (("apps", "v1", "ControllerRevision"), {"data": None, "revision": 0}),
        (("apps", "v1", "ReplicaSet"), {
            "spec": {"replicas": 0, "selector": None, "template": {"metadata": {}, "spec": POD_SPEC}},
            "status": {"replicas": 0},
        }),
        (("example.com", "v1", "Unknown"), {}),
    ],
    ids=lambda value: value[2] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_empty_objects(gvk: tuple[str, str, str], expected: dict[str, Any]) -> None:
    assert schema.empty_object(gvk) == expected
