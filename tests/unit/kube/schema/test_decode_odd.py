"""What Go reads though nobody writes it: bytes as numbers, times that are none, whole numbers that overflow."""

from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.defaults import apply_defaults


def definition(kind: str, group: str = "") -> schema.Definition:
    found = schema.definition((group, "v1", kind))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("value", "restored", "read"),
    [([1, 2], False, "AQI="), ([], False, ""), ([None], False, "AA=="), ([257], True, "AQ==")],
)
def test_bytes_as_numbers(value: list[Any], restored: bool, read: str) -> None:
    obj = {"binaryData": {"a": value}}
    schema.prune(definition("ConfigMap"), obj, restored=restored)
    assert obj == {"binaryData": {"a": read}}


@pytest.mark.parametrize(("value", "told"), [([256], "number 256"), ([1, -1], "number -1"), (["a"], "string")])
def test_numbers_that_are_no_bytes(value: list[Any], told: str) -> None:
    words = f"json: cannot unmarshal {told} into Go struct field ConfigMap.binaryData of type uint8"
    with pytest.raises(schema.DecodeError, match=words):
        schema.prune(definition("ConfigMap"), {"binaryData": {"a": value}})


@pytest.mark.parametrize(("given", "left"), [(2**32, {}), (2**32 + 3, {"minReadySeconds": 3}), (1e30, {})])
def test_what_is_left_of_a_number_may_be_none(given: float, left: dict[str, Any]) -> None:
    obj = {"spec": {"minReadySeconds": given}}
    schema.prune(definition("Deployment", "apps"), obj, restored=True)
    assert obj == {"spec": left}


def test_a_whole_port_of_a_patch_is_a_number() -> None:
    obj = {"spec": {"ports": [{"targetPort": 80.0}]}}
    schema.prune(definition("Service"), obj, restored=True)
    assert obj["spec"]["ports"][0]["targetPort"] == 80
    with pytest.raises(schema.DecodeError):
        schema.prune(definition("Service"), {"spec": {"ports": [{"targetPort": 80.0}]}})


def test_a_time_that_is_none() -> None:
    obj = {"lastTimestamp": "0001-01-01T00:00:00Z", "firstTimestamp": "2024-01-01T00:00:00Z"}
    schema.prune(definition("Event"), obj)
    assert obj == {"firstTimestamp": "2024-01-01T00:00:00Z"}


def test_a_struct_without_members_knows_none() -> None:
    obj = {"spec": {"versions": [{"subresources": {"status": {"a": 1}}}]}}
    unknown = schema.prune(definition("CustomResourceDefinition", "apiextensions.k8s.io"), obj)
    assert unknown == ["spec.versions[0].subresources.status.a"]
    assert obj == {"spec": {"versions": [{"subresources": {"status": {}}}]}}


@pytest.mark.parametrize(
    ("path", "raw"), [("data", False), ("data.any[1].b", True), ("metadata.labels.a", False), ("unknown.a", False)]
)
def test_any_json_is_not_looked_into(path: str, raw: bool) -> None:
    assert schema.is_raw(definition("ControllerRevision", "apps"), path) is raw


def test_empty_lists_are_none_when_they_are_stored() -> None:
    info = schema.resource("rbac.authorization.k8s.io", "v1", "roles")
    assert info is not None
    role: dict[str, Any] = {"metadata": {}, "rules": []}
    left: list[str] = []
    apply_defaults(info, role, left)
    assert (role["rules"], left) == ([], ["rules"])
    apply_defaults(info, role)
    assert role["rules"] is None


def test_bits_of_base64_that_are_no_byte_are_lost() -> None:
    secret = schema.definition(("", "v1", "Secret"))
    assert secret is not None
    obj = {"data": {"a": "TLO=", "b": "TL==", "c": "TQ=="}}
    schema.prune(secret, obj)
    assert obj["data"] == {"a": "TLM=", "b": "TA==", "c": "TQ=="}


@pytest.mark.parametrize(
    ("restored", "expected"), [(False, "spec.devices[0].capacity.m.x"), (True, "spec.devices[0].capacity.x")]
)
def test_unknown_members_in_maps(restored: bool, expected: str) -> None:
    """What a patch made of a map is told without keys."""
    definition = schema.definition(("resource.k8s.io", "v1", "ResourceSlice"))
    assert definition is not None
    obj = {"spec": {"devices": [{"name": "d", "capacity": {"m": {"value": "1", "x": 1}}}]}}
    assert schema.prune(definition, obj, restored=restored) == [expected]
