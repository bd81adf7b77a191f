"""Which volume suits a claim."""

from typing import Any

import pytest

from kybern.controllers.persistentvolume_binder.core.match import find_volume, mismatch


def volume(name: str = "v", size: str = "1Gi", phase: str = "Available", labels: Any = None, **spec: Any) -> Any:
    spec = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], **spec}
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": spec, "status": {"phase": phase}}


def claim(size: str = "1Gi", **spec: Any) -> Any:
    spec = {"resources": {"requests": {"storage": size}}, "accessModes": ["ReadWriteOnce"], **spec}
    return {"metadata": {"name": "c", "namespace": "n", "uid": "u"}, "spec": spec}


MINE = {"namespace": "n", "name": "c"}


@pytest.mark.parametrize(
    ("volumes", "wanted", "expected"),
    [
        pytest.param([], claim(), None, id="none"),
        pytest.param([volume("a", "5Gi"), volume("b", "2Gi")], claim(), "b", id="the smallest"),
        pytest.param([volume("b"), volume("a")], claim(), "a", id="then the first by name"),
        pytest.param([volume(size="500Mi")], claim(), None, id="too small"),
        pytest.param([volume(phase="Released")], claim(), None, id="released"),
        pytest.param([volume(storageClassName="x")], claim(), None, id="another class"),
        pytest.param([volume(storageClassName="x")], claim(storageClassName="x"), "v", id="its class"),
        pytest.param([volume(volumeMode="Block")], claim(), None, id="another mode"),
        pytest.param([volume()], claim(accessModes=["ReadWriteMany"]), None, id="another access mode"),
        pytest.param(
            [volume("many", accessModes=["ReadWriteOnce", "ReadWriteMany"]), volume("one", "2Gi")],
            claim(),
            "one",
            id="no more access modes than needed",
        ),
        pytest.param([volume()], claim(selector={"matchLabels": {"a": "b"}}), None, id="not selected"),
        pytest.param([volume(labels={"a": "b"})], claim(selector={"matchLabels": {"a": "b"}}), "v", id="selected"),
        pytest.param([volume("a"), volume("z", "9Gi", claimRef=MINE)], claim(), "z", id="reserved for it"),
        pytest.param([volume(claimRef={**MINE, "uid": "u"}, phase="Bound")], claim(), "v", id="half bound"),
        pytest.param([volume(claimRef={**MINE, "uid": "older"})], claim(), None, id="of an older claim"),
        pytest.param([volume(claimRef={**MINE, "name": "d"})], claim(), None, id="reserved for another"),
    ],
)
def test_find_volume(volumes: list[Any], wanted: Any, expected: str | None) -> None:
    found = find_volume(wanted, volumes)
    assert (found and found["metadata"]["name"]) == expected


def test_only_reserved_volumes_while_the_scheduler_chooses() -> None:
    assert find_volume(claim(), [volume()], prebound_only=True) is None
    assert find_volume(claim(), [volume(claimRef=MINE)], prebound_only=True) is not None


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({}, ""),
        ({"size": "1Mi"}, "requested PV is too small"),
        ({"storageClassName": "x"}, "storageClassName does not match"),
        ({"volumeAttributesClassName": "x"}, "volumeAttributesClassName does not match"),
        ({"volumeMode": "Block"}, "incompatible volumeMode"),
        ({"accessModes": ["ReadOnlyMany"]}, "incompatible accessMode"),
    ],
)
def test_mismatch(has: dict[str, Any], expected: str) -> None:
    assert mismatch(volume(**has), claim()) == expected
