"""Server-side apply as tables: who manages what after which writes, what is merged, pruned and refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.apiserver.core.managed_fields import fields_v1
from kybern.apiserver.core.managed_fields.managers import APPLY, UPDATE, Kind, Manager, applied, read, updated, write
from kybern.apiserver.core.managed_fields.paths import Types, leaves, readable
from kybern.kube import schema
from kybern.kube.status import StatusError

LOADED = schema.load()
TYPES = Types(LOADED.definitions)


def kind(group: str, name: str) -> Kind:
    return Kind(LOADED.definition((group, "v1", name)) or {}, TYPES)


POD, DEPLOYMENT, CONFIG_MAP = kind("", "Pod"), kind("apps", "Deployment"), kind("", "ConfigMap")


def who(name: str, operation: str = APPLY) -> Manager:
    return Manager(name, operation, "v1")


def config_map(**data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": data}


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "p"},
        "spec": {"containers": list(containers), **spec},
    }


def test_paths_follow_the_schema() -> None:
    obj = pod(
        {"name": "c", "image": "i", "ports": [{"containerPort": 80}], "command": ["a", "b"]}, nodeSelector={"a": "b"}
    )
    obj["metadata"] |= {"finalizers": ["x"], "labels": {"l": "v"}, "uid": "u"}
    assert {readable(path) for path in leaves(obj, POD.schema, TYPES)} == {
        '.metadata.finalizers[="x"]',
        ".metadata.labels.l",
        '.spec.containers[name="c"]',
        '.spec.containers[name="c"].name',
        '.spec.containers[name="c"].image',
        '.spec.containers[name="c"].command',
        '.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"]',
        '.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"].containerPort',
        ".spec.nodeSelector",
    }  # fmt: skip


@given(st.sets(st.lists(st.sampled_from(["f:a", "f:b", 'k:{"n":1}', 'v:"x"']), min_size=1, max_size=4).map(tuple)))
def test_fields_v1_round_trip(paths: set[tuple[str, ...]]) -> None:
    assert fields_v1.decode(fields_v1.encode(paths)) == paths


def test_fields_v1_is_upstreams_form() -> None:
    obj = pod({"name": "c", "image": "i"})
    assert fields_v1.encode(POD.leaves(obj)) == {
        "f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}, "f:name": {}}}}
    }


def test_apply_owns_merges_and_prunes() -> None:
    first, managers = applied(None, config_map(a="1", b="2"), {}, who("x"), CONFIG_MAP, False)
    live = {**first, "data": {**first["data"], "c": "3"}}
    managers = updated(managers, who("u", UPDATE), CONFIG_MAP.leaves(first), CONFIG_MAP.leaves(live))
    after, managers = applied(live, config_map(a="9"), managers, who("x"), CONFIG_MAP, False)
    assert after["data"] == {"a": "9", "c": "3"}
    assert managers[who("x")] == {("f:data", "f:a")}
    assert managers[who("u", UPDATE)] == {("f:data", "f:c")}


def test_conflicts_and_force() -> None:
    live, managers = applied(None, config_map(a="1", b="2"), {}, who("x"), CONFIG_MAP, False)
    with pytest.raises(StatusError) as one:
        applied(live, config_map(a="9"), managers, who("y"), CONFIG_MAP, False)
    assert one.value.code == 409
    assert one.value.message == 'Apply failed with 1 conflict: conflict with "x": .data.a'
    assert one.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "x"', "field": ".data.a"}
    ]
    with pytest.raises(StatusError) as two:
        applied(live, config_map(a="9", b="9"), managers, who("y"), CONFIG_MAP, False)
    assert two.value.message == 'Apply failed with 2 conflicts: conflicts with "x":\n- .data.a\n- .data.b'
    after, managers = applied(live, config_map(a="9"), managers, who("y"), CONFIG_MAP, True)
    assert after["data"] == {"a": "9", "b": "2"}
    assert managers == {who("x"): {("f:data", "f:b")}, who("y"): {("f:data", "f:a")}}


def test_equal_values_are_shared_and_outlive_one_manager() -> None:
    live, managers = applied(None, config_map(a="1", b="2"), {}, who("x"), CONFIG_MAP, False)
    live, managers = applied(live, config_map(a="1"), managers, who("y"), CONFIG_MAP, False)
    live, managers = applied(live, config_map(b="2"), managers, who("x"), CONFIG_MAP, False)
    assert live["data"] == {"a": "1", "b": "2"}
    live, managers = applied(live, config_map(), managers, who("y"), CONFIG_MAP, False)
    assert live["data"] == {"b": "2"}


def test_list_elements_by_key() -> None:
    live, managers = applied(
        None, pod({"name": "a", "image": "1"}, {"name": "b", "image": "1"}), {}, who("x"), POD, False
    )
    live, managers = applied(live, pod({"name": "c", "image": "1"}), managers, who("y"), POD, False)
    assert [c["name"] for c in live["spec"]["containers"]] == ["a", "b", "c"]
    live, managers = applied(live, pod({"name": "b", "image": "2"}), managers, who("x"), POD, False)
    assert live["spec"]["containers"] == [{"name": "b", "image": "2"}, {"name": "c", "image": "1"}]


def test_another_managers_part_keeps_an_element() -> None:
    live, managers = applied(None, pod({"name": "a", "image": "1"}), {}, who("x"), POD, False)
    extended = pod({"name": "a", "image": "1", "tty": True})
    managers = updated(managers, who("u", UPDATE), POD.leaves(live), POD.leaves(extended))
    live, managers = applied(extended, pod(), managers, who("x"), POD, False)
    assert live["spec"]["containers"] == [{"name": "a", "tty": True}]


def test_an_update_takes_over_what_it_changes() -> None:
    live, managers = applied(None, config_map(a="1", b="2"), {}, who("x"), CONFIG_MAP, False)
    managers = updated(managers, who("u", UPDATE), CONFIG_MAP.leaves(live), CONFIG_MAP.leaves(config_map(a="5")))
    assert managers == {who("x"): frozenset(), who("u", UPDATE): {("f:data", "f:a")}}


def test_managed_fields_are_read_as_written() -> None:
    obj = config_map(a="1")
    managers = {
        who("x"): frozenset({("f:data", "f:a")}),
        Manager("u", UPDATE, "v1", "status", "2026-01-01T00:00:00Z"): frozenset({("f:b",)}),
    }
    write(obj, managers)
    assert read(obj) == managers
    assert obj["metadata"]["managedFields"][0]["fieldsType"] == "FieldsV1"


KEYS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"), max_size=4)


@given(st.lists(st.tuples(st.sampled_from("xyz"), KEYS), min_size=1, max_size=8))
def test_forced_applies_against_a_dumb_model(steps: list[tuple[str, dict[str, str]]]) -> None:
    live: dict[str, Any] | None = None
    managers: Any = {}
    owners: dict[str, set[str]] = {}
    values: dict[str, str] = {}
    for name, data in steps:
        live, managers = applied(live, config_map(**data), managers, who(name), CONFIG_MAP, True)
        for key in "abcd":
            held = owners.setdefault(key, set())
            if key in data:
                if values.get(key) != data[key]:
                    held.clear()
                held.add(name)
                values[key] = data[key]
            elif name in held:
                held.discard(name)
                if not held:
                    values.pop(key, None)
        assert live.get("data", {}) == values
