"""What goes because its feature gate is off, and what stays because the old object has it."""

import copy
from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.disabled_fields import DISABLED, ITEMS, VALUES, Disabled, by_subresource, drop_disabled, steps

Object = dict[str, Any]
ROWS = [(kind, row, path) for kind, rows in DISABLED.items() for row in rows for path in row.paths]


def made(path: str, value: Any, *, shared: bool = False) -> Any:
    """An object with a value at a path, and beside it (`shared`) something that stays at every level."""
    whole = value
    for step in reversed(steps(path)):
        whole = [whole] if step == ITEMS else {"one": whole} if step == VALUES else {step: whole}
        if shared and isinstance(whole, dict) and step != VALUES:
            whole = {"stays": 1, **whole}
    return whole


def stored(group: str, kind: str) -> schema.ResourceInfo:
    """The kind in storage version."""
    found = (info for info in schema.load().resources.values() if (info.group, info.kind) == (group, kind))
    return next(info for info in found if (info.group, info.version) == info.storage)


@pytest.mark.parametrize(("kind", "row", "path"), ROWS, ids=[f"{kind[1]} {path}" for kind, _, path in ROWS])
def test_fields_of_the_schema(kind: tuple[str, str], row: Disabled, path: str) -> None:
    definitions = schema.load().definitions
    at = schema.definition(stored(*kind).gvk)
    for step in steps(path):
        assert at is not None
        inside = {ITEMS: "items", VALUES: "additionalProperties"}.get(step)
        at = at[inside] if inside else at["properties"][step]
        at = definitions[at["$ref"]] if "$ref" in at else at
    assert not row.where or row.where in at["properties"]


@pytest.mark.parametrize(("kind", "row", "path"), ROWS, ids=[f"{kind[1]} {path}" for kind, _, path in ROWS])
def test_dropped_unless_in_use(kind: tuple[str, str], row: Disabled, path: str) -> None:
    value = {row.where: "x"} if row.where else "x"
    sent, without = made(path, value, shared=True), made(path, value, shared=True)
    new = copy.deepcopy(sent)
    below = new[steps(path)[0]]

    drop_disabled([row], new, None)

    assert not row.in_use(new)
    assert below == sent[steps(path)[0]], "what the caller has below the top is left alone"
    _remove(without, steps(path))
    assert new == without

    unused = copy.deepcopy(sent)
    drop_disabled([row], unused, without)
    assert unused == without
    in_use = copy.deepcopy(sent)
    drop_disabled([row], in_use, made(path, "another"))
    assert in_use == sent


def _remove(obj: Any, path: tuple[str, ...]) -> None:
    for step in path[:-1]:
        obj = obj[0] if step == ITEMS else obj["one"] if step == VALUES else obj[step]
    del obj[path[-1]]


def pod(**lifecycle: Any) -> Object:
    return {"spec": {"containers": [{"name": "a"}, {"name": "b", "lifecycle": lifecycle}]}}


POD = by_subresource("", "Pod")
CASES = {
    "nothing is left of a lifecycle": (
        pod(stopSignal="SIGUSR1"), {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}},
    ),
    "a lifecycle with more": (pod(stopSignal="SIGUSR1", preStop={"sleep": {}}), pod(preStop={"sleep": {}})),
    "a lifecycle that was empty": (pod(), pod()),
    "one source of a volume of several": (
        {"spec": {"volumes": [{"projected": {"sources": [{"clusterTrustBundle": {}}, {"secret": {"name": "s"}}]}}]}},
        {"spec": {"volumes": [{"projected": {"sources": [{}, {"secret": {"name": "s"}}]}}]}},
    ),
    "parts that are not there": (
        {"spec": {"volumes": None, "containers": []}}, {"spec": {"volumes": None, "containers": []}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "kept"), CASES.values(), ids=CASES)
def test_pods(sent: Object, kept: Object) -> None:
    drop_disabled(POD[""], sent, None)
    assert sent == kept


def test_the_fields_of_one_gate_stay_together() -> None:
    rows = by_subresource("resource.k8s.io", "ResourceSlice")[""]
    attributes = {"many": {"ints": [1, 2]}, "one": {"int": 1}}
    new = {
        "spec": {"devices": [{"name": "a", "attributes": attributes, "nodeAllocatableResourceMappings": {"cpu": {}}}]}
    }
    kept = {"spec": {"devices": [{"name": "a", "attributes": attributes}]}}
    drop_disabled(rows, new, {"spec": {"devices": [{"attributes": {"other": {"bools": [True]}}}]}})
    assert new == kept


def test_a_data_source_of_the_same_namespace_stays() -> None:
    rows = by_subresource("", "PersistentVolumeClaim")[""]
    claim = {"spec": {"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "a"}}}
    before = copy.deepcopy(claim)
    drop_disabled(rows, claim, None)
    assert claim == before


@pytest.mark.parametrize(
    ("kind", "subresources"),
    [
        (("", "Pod"), {"", "ephemeralcontainers", "resize", "status"}),
        (("apps", "StatefulSet"), {"", "ephemeralcontainers", "resize"}),
        (("", "ConfigMap"), set()),
    ],
    ids=["Pod", "StatefulSet", "ConfigMap"],
)
def test_only_where_it_can_be_set(kind: tuple[str, str], subresources: set[str]) -> None:
    rows = by_subresource(*kind)
    assert set(rows) == subresources
    assert all((path[0] == "status") == (name == "status") for name in rows for row in rows[name] for path in row.steps)
