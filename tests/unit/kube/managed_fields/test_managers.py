"""Names of managers, entries as clients see them, and the types that ownership rests on."""

from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.managed_fields import ManagedFieldsError, built_in, check, name_from_user_agent, read, same_but_times
from kybern.kube.managed_fields import managers as m
from kybern.kube.managed_fields.merge import merge
from kybern.kube.managed_fields.types import list_element
from kybern.kube.managed_fields.walk import compare

ENTRY = {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:a": {}}}
POD = built_in().named("io.k8s.api.core.v1.Pod")
SPEC = built_in().named("io.k8s.api.core.v1.PodSpec")
CONTAINER = built_in().named("io.k8s.api.core.v1.Container")


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("kubectl/v1.36.0 (linux/amd64) kubernetes/abc", "kubectl"),
        ("curl", "curl"),
        ("", ""),
        ("a\x00b/1", "ab"),
        ("x" * 200, "x" * 128),
        ("é" * 100, "é" * 64),
    ],
)
def test_names_from_user_agents(agent: str, name: str) -> None:
    assert name_from_user_agent(agent) == name


def test_entries_go_round() -> None:
    rows = [
        {**ENTRY, "manager": "applier", "operation": "Apply", "time": "2026-01-02T00:00:00Z"},
        {**ENTRY, "manager": "b", "time": "2026-01-01T00:00:00Z", "subresource": "status"},
        {**ENTRY, "manager": "a", "time": "2026-01-03T00:00:00Z"},
    ]
    assert m.write(read(reversed(rows))) == rows
    assert m.write({**read(rows), m.manager_of("none", "Update", "v1"): m.Owned("v1", {})}) == rows


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"operation": ""}, "operation must be `Apply` or `Update`"),
        ({"apiVersion": ""}, "apiVersion must not be empty"),
        ({"fieldsType": ""}, "missing fieldsType in managed fields entry 0"),
        ({"fieldsType": "FieldsV2"}, 'invalid fieldsType "FieldsV2" in managed fields entry 0'),
    ],
)
def test_unreadable_entries(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ManagedFieldsError, match=words):
        read([{**ENTRY, **change}])


def test_times_alone_are_no_change() -> None:
    assert same_but_times([ENTRY], [{**ENTRY, "time": "2026-01-01T00:00:00Z"}])
    assert not same_but_times([ENTRY], [{**ENTRY, "fieldsV1": {"f:b": {}}}])


@pytest.mark.parametrize(
    ("path", "item", "element"),
    [
        (("ports",), {"containerPort": 80}, 'k:{"containerPort":80,"protocol":"TCP"}'),
        (("ports",), {"containerPort": 80, "protocol": "UDP"}, 'k:{"containerPort":80,"protocol":"UDP"}'),
        (("env",), {"name": "A"}, 'k:{"name":"A"}'),
        (("env",), {}, 'k:{"name":""}'),
        (("volumeMounts",), {"mountPath": "/a", "name": "v"}, 'k:{"mountPath":"/a"}'),
    ],
)
def test_elements_of_container_lists(path: tuple[str], item: Any, element: str) -> None:
    assert list_element(CONTAINER.fields[path[0]], item) == element


@pytest.mark.parametrize(
    ("live", "config", "merged"),
    [
        ("abc", "", "abc"),
        ("", "ab", "ab"),
        ("abc", "ca", "bca"),
        ("abc", "xb", "axbc"),
        ("ab", "ba", "ba"),
        ("axb", "ab", "axb"),
        ("xay", "a", "xay"),
        ("abcd", "dxa", "bcdxa"),
    ],
)
def test_order_of_merged_lists(live: str, config: str, merged: str) -> None:
    found = merge(SPEC, *({"containers": [{"name": n} for n in names], "x": 1} for names in (live, config)))
    assert "".join(item["name"] for item in found["containers"]) == merged


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"bogus": 1}, ".spec.bogus: field not declared in schema"),
        ({"containers": {}}, ".spec.containers: expected list, got &{map[]}"),
        ("x", ".spec: expected map, got &{x}"),
        ({"nodeName": 1}, ".spec.nodeName: expected string, got &value.valueUnstructured{Value:1}"),
        ({"priority": "1"}, ".spec.priority: expected numeric (int or float), got string"),
        ({"hostNetwork": "yes"}, ".spec.hostNetwork: expected boolean, got &{yes}"),
        ({"containers": [{"name": "a"}, {"name": "a"}]}, '.spec.containers: duplicate entries for key [name="a"]'),
        (
            {"containers": [None]},
            ".spec.containers: element 0: associative list with keys may not have a null element",
        ),
        (
            {"nodeName": 1, "subdomain": 2},
            "errors:\n  .spec.nodeName: expected string, got &value.valueUnstructured{Value:1}"
            "\n  .spec.subdomain: expected string, got &value.valueUnstructured{Value:2}",
        ),
        ({"containers": [{"name": "a", "resources": {"limits": {"cpu": 1}}}]}, ""),
        ({"nodeName": None}, ""),
    ],
)
def test_configurations_that_do_not_fit(spec: Any, error: str) -> None:
    assert check(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}) == error


@pytest.mark.parametrize(
    ("old", "new", "changed", "removed"),
    [
        ({}, {"nodeName": "n"}, {"f:nodeName": {}}, {}),
        ({"nodeName": "n"}, {}, {}, {"f:nodeName": {}}),
        ({"nodeSelector": {"a": "1"}}, {"nodeSelector": {"a": "2"}}, {"f:nodeSelector": {}}, {}),
        ({}, {"tolerations": []}, {}, {}),
        ({"tolerations": [{}]}, {"tolerations": []}, {}, {"f:tolerations": {}}),
        ({}, {"securityContext": {}}, {"f:securityContext": {}}, {}),
        ({}, {"volumes": [{"name": "v"}]}, {"f:volumes": {".": {}, 'k:{"name":"v"}': {".": {}, "f:name": {}}}}, {}),
        ({}, {"containers": [{"name": "c"}]}, {"f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}}}}, {}),
        (
            {"volumes": [{"name": "v"}, {"name": "v"}]},
            {"volumes": [{"name": "v"}]},
            {"f:volumes": {'k:{"name":"v"}': {}}},
            {},
        ),
    ],
)
def test_comparing(old: Any, new: Any, changed: Any, removed: Any) -> None:
    assert compare(SPEC, old, new, tidy=True) == (changed, removed)


def test_every_built_in_kind_has_a_type() -> None:
    for gvk, name in schema.load().names.items():
        of = built_in().named(name)
        assert of.granular, gvk
        assert all(field.fields is not None for field in of.fields.values())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kubectl", []),
        ("x" * 128, []),
        ("x" * 129, ["fieldManager: Too long: may not be more than 128 bytes"]),
        ("a\nb", ['fieldManager: Invalid value: "a\\nb": invalid character U+000A (at position 1)']),
    ],
)
def test_names_that_clients_give(name: str, words: list[str]) -> None:
    assert [str(error) for error in m.wrong_name(name)] == words
