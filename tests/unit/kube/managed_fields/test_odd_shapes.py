"""Objects that do not fit their types: what applies are told of them, and who manages what is left."""

import copy
from typing import Any

import pytest

from kybern.kube import managed_fields, schema
from kybern.kube.managed_fields import Kind, built_in
from kybern.kube.status import StatusError

NOW = "2026-01-01T00:00:00Z"
Object = dict[str, Any]
SERVICE_ACCOUNT = Kind(built_in().named(schema.load().names["", "v1", "ServiceAccount"]), "v1", {}, lambda _: None)
SERVICE = built_in().named(schema.load().names["", "v1", "Service"])
SPEC = {
    "type": "object",
    "properties": {
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "either": {"x-kubernetes-int-or-string": True},
        "names": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name", "protocol"],
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "protocol": {"type": "string", "default": "TCP"}},
            },
        },
    },
}
CUSTOM = Kind(built_in().root({"properties": {"spec": SPEC}}), "example.com/v1", {}, lambda _: None, True)


def custom(spec: Object, **metadata: Any) -> Object:
    return {"apiVersion": "example.com/v1", "kind": "Odd", "metadata": {"name": "a", **metadata}, "spec": spec}


def update(of: Kind, old: Object | None, new: Object, who: str = "m", subresource: str = "") -> Object:
    made = copy.deepcopy(new)
    managed_fields.track_update(of, copy.deepcopy(old), made, who, subresource, NOW)
    return made


def fields(obj: Object) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", ())}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param({"spec": {"ports": [{"port": [{}]}]}}, '[port=[],protocol="TCP"].port', id="list"),
        pytest.param({"spec": {"ports": [{"port": {"a": None}}]}}, '[port=a=null,protocol="TCP"].port', id="map"),
        pytest.param({"spec": {"ports": [{"port": "x"}]}}, '[port="x",protocol="TCP"].port', id="text"),
    ],
)
def test_keys_of_any_type_are_named(config: Object, message: str) -> None:
    assert message in managed_fields.check(SERVICE, config)


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        pytest.param({"any": 5}, ".spec.any: expected map, got &{5}", id="a map of anything is a map"),
        pytest.param({"any": {"a": [1]}}, "", id="of anything"),
        pytest.param({"either": [1]}, "", id="what is a number or a text may be anything"),
    ],
)
def test_open_types(spec: Object, wrong: str) -> None:
    assert managed_fields.check(CUSTOM.type, custom(spec)) == wrong


def test_a_key_that_is_null_is_a_key() -> None:
    made = managed_fields.apply(CUSTOM, None, custom({"ports": [{"name": "b", "protocol": None}]}), "m", NOW)
    assert [*fields(made)["m"]["f:spec"]["f:ports"]] == ['k:{"name":"b","protocol":null}']


def test_an_item_without_keys_is_not_tracked_and_cannot_be_applied_to() -> None:
    live = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "n"}}
    live = update(SERVICE_ACCOUNT, None, {**live, "secrets": [{"name": "s"}]})
    assert "m" in fields(live)
    odd = update(SERVICE_ACCOUNT, live, {**live, "secrets": [{"name": "s"}, {}]}, "other")
    assert fields(odd) == {}
    with pytest.raises(StatusError) as refused:
        managed_fields.apply(SERVICE_ACCOUNT, odd, {**live, "metadata": {"name": "a"}}, "m", NOW)
    assert refused.value.code == 400
    assert refused.value.message.startswith(
        "failed to create manager for existing fields: failed to convert new object (n/a; /v1, Kind=ServiceAccount) to "
        "smd typed: .secrets: element 1: associative list with keys has an element that omits all key fields"
    )


def test_a_status_beside_an_odd_spec_ends_tracking() -> None:
    live = update(CUSTOM, None, custom({"names": ["a"]}))
    odd = custom({"names": "a"}, managedFields=live["metadata"]["managedFields"])
    assert fields(update(CUSTOM, live, odd, subresource="status")) == {}


@pytest.mark.parametrize(("given", "kept"), [([], True), ([{}], False), (None, True)])
def test_an_empty_list_of_managers_resets_no_custom_resource(given: Any, kept: bool) -> None:
    live = update(CUSTOM, None, custom({"names": ["a"]}), "first")
    new = update(CUSTOM, live, custom({"names": ["a"]}, managedFields=given), "second")
    assert (fields(new).keys() == {"first"}) is kept


@pytest.mark.parametrize(
    ("old", "new", "first", "second"),
    [
        pytest.param({"x": {"a": 1}}, {"x": ""}, False, {"f:x": {}}, id="map to text"),
        pytest.param({"x": {"a": 1}}, {"x": None}, False, {"f:x": {}}, id="map to null"),
        pytest.param({"x": "t"}, {"x": {"a": 1}}, False, {"f:x": {".": {}, "f:a": {}}}, id="text to map"),
    ],
)
def test_who_changes_the_type_of_a_value_has_all_of_it(old: Object, new: Object, first: bool, second: Object) -> None:
    live = update(CUSTOM, None, custom({"any": old}), "first")
    made = fields(update(CUSTOM, live, custom({"any": new}, managedFields=None), "second"))
    assert ("f:x" in made["first"]["f:spec"]["f:any"]) is first
    assert made["second"]["f:spec"]["f:any"] == second
