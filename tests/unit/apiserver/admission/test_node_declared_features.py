"""What a change of a pod takes of its node."""

from typing import Any

import pytest

from kybern.apiserver.admission.node_declared_feature_validator import INIT_CONTAINERS, POD_LEVEL, required


def init(cpu: str = "", **more: Any) -> dict[str, Any]:
    resources = {"resources": {"requests": {"cpu": cpu}}} if cpu else {}
    return {"initContainers": [{"name": "i", **resources, **more}]}


@pytest.mark.parametrize(
    ("old", "new", "features"),
    [
        ({}, {}, []),
        ({}, {"resources": {"limits": {"cpu": "1"}}}, [POD_LEVEL]),
        ({"resources": {"limits": {"cpu": "1"}}}, {"resources": {"limits": {"cpu": "1"}}}, []),
        (init("1"), init("2"), [INIT_CONTAINERS]),
        (init(), init("2"), [INIT_CONTAINERS]),
        (init(), init(resources={}), []),
        (init("1", restartPolicy="Always"), init("2", restartPolicy="Always"), []),
        (init("1", image="a"), init("1", image="b"), []),
        (init("1"), {**init("2"), "resources": {}}, [POD_LEVEL, INIT_CONTAINERS]),
    ],
)
def test_required(old: dict[str, Any], new: dict[str, Any], features: list[str]) -> None:
    assert required(old, new) == features
