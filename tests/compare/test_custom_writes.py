# ruff: noqa: E501 (a case stays in one line)
"""Server-side apply of custom resources with every kind of list and map, their status and scale, and selectable fields."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from same import Both, differences, readable
from test_crds import INT, OBJ, TEXT, crd, listed, obj, served

Object = dict[str, Any]
APPLY, JSON_PATCH = ({"Content-Type": f"application/{kind}"} for kind in ("apply-patch+yaml", "json-patch+json"))
ATOMIC, GRANULAR = {"x-kubernetes-map-type": "atomic"}, {"x-kubernetes-map-type": "granular"}
KEYED = {
    **obj(
        k=TEXT,
        p={**INT, "default": 80},
        v=TEXT,
        inner=listed(TEXT, **{"list-type": "set"}),
        at={**obj(x=TEXT, y=TEXT), **ATOMIC},
    ),
    "required": ["k"],
}
ANY = {"x-kubernetes-preserve-unknown-fields": True}
SPEC = obj(
    s=TEXT, i=INT, o=obj(a=TEXT, b=TEXT), at={**obj(a=TEXT, b=TEXT), **ATOMIC}, gr={**OBJ, "additionalProperties": TEXT, **GRANULAR},
    atm={**OBJ, "additionalProperties": TEXT, **ATOMIC}, mo={**OBJ, "additionalProperties": obj(a=TEXT, b=TEXT)},
    la=listed(TEXT, **{"list-type": "atomic"}), ls=listed(TEXT, **{"list-type": "set"}), lsi=listed(INT, **{"list-type": "set"}),
    lm=listed(KEYED, **{"list-type": "map", "list-map-keys": ["k", "p"]}), lnone=listed(obj(a=TEXT)), pu={**obj(k=INT), **ANY}, puu=ANY,
    em={**OBJ, **ANY, "x-kubernetes-embedded-resource": True}, ios={"x-kubernetes-int-or-string": True}, nn={**TEXT, "nullable": True},
    rp=INT, sel=TEXT, bsel={"type": "boolean"},
)  # fmt: skip
CONDITIONS = listed(
    {**obj(type=TEXT, status=TEXT), "required": ["type", "status"]}, **{"list-type": "map", "list-map-keys": ["type"]}
)
SCALE = {"specReplicasPath": ".spec.rp", "statusReplicasPath": ".status.r", "labelSelectorPath": ".status.sel"}


@pytest.fixture(scope="session")
def applied(both: Both) -> str:
    """The path of the kind."""
    fields = [{"jsonPath": f".spec.{name}"} for name in ("sel", "bsel", "rp")]
    schema = obj(spec=SPEC, status=obj(r=INT, sel=TEXT, conds=CONDITIONS))
    return served(both, crd("applieds", schema, subresources={"status": {}, "scale": SCALE}, selectableFields=fields))


def thing(spec: Any = None, name: str = "a", **members: Any) -> Object:
    kept = {} if spec is None else {"spec": spec}
    return {"apiVersion": "compare.example.com/v1", "kind": "Applied", "metadata": {"name": name}, **kept, **members}


def wrong(both: Both, *arguments: Any, **named: Any) -> Iterator[str]:
    """What differs, but for the order in which managers came, which seconds decide, and 400 for documents that fit no
    schema, where kube-apiserver fails."""
    pair = both.ask(*arguments, **named)
    theirs, ours = readable(pair.kube), readable(pair.kybern)
    if (theirs["status"], ours["status"]) == (500, 400):
        theirs, ours = theirs["body"]["message"], ours["body"]["message"]
    for document in (theirs, ours):
        metadata = document["body"].get("metadata") or {} if isinstance(document, dict) else {}
        if "managedFields" in metadata:
            metadata["managedFields"].sort(key=lambda one: json.dumps(one, sort_keys=True))
    yield from (f"{arguments[:3]}\n{line}" for line in differences(theirs, ours))


EMBEDDED = {"apiVersion": "v1", "kind": "A"}
PAIRS: list[tuple[Any, Any]] = [
    ({"s": "a"}, {"s": "b"}), ({"s": "a"}, {"s": "a"}), ({"o": {"a": "1"}}, {"o": {"b": "2"}}), ({"o": {"a": "1"}}, {"o": {}}),
    ({"at": {"a": "1"}}, {"at": {"b": "2"}}), ({"gr": {"x": "1"}}, {"gr": {"y": "1"}}), ({"gr": {"x": "1"}}, {"gr": {"x": "2"}}),
    ({"atm": {"x": "1"}}, {"atm": {"y": "1"}}), ({"mo": {"x": {"a": "1"}}}, {"mo": {"x": {"b": "1"}, "y": {}}}), ({"la": ["a", "b"]}, {"la": ["b"]}),
    ({"ls": ["a", "b"]}, {"ls": ["b", "c"]}), ({"ls": ["a", "a"]}, {"ls": []}), ({"lsi": [1, 2]}, {"lsi": [2, 3]}),
    ({"lm": [{"k": "a", "v": "1"}]}, {"lm": [{"k": "a", "v": "2"}, {"k": "b"}]}), ({"lm": [{"k": "a", "p": 80, "v": "1"}]}, {"lm": [{"k": "a", "v": "2"}]}),
    ({"lm": [{"k": "a", "inner": ["x"]}]}, {"lm": [{"k": "a", "inner": ["y"]}]}), ({"lm": [{"k": "a", "at": {"x": "1"}}]}, {"lm": [{"k": "a", "at": {"y": "1"}}]}),
    ({"lm": [{"k": "a"}, {"k": "a"}]}, {"lm": []}), ({"lm": [{"k": 1}]}, {"lm": ["x"]}), ({"lm": {"k": "a"}}, {"lm": None}), ({"lnone": [{"a": "1"}]}, {"lnone": [{"a": "2"}]}),
    ({"pu": {"k": 1, "z": {"a": 1, "l": [1]}}}, {"pu": {"z": {"b": 2, "l": [2]}}}), ({"puu": {"a": 1}}, {"puu": {"b": 1}}), ({"puu": [1]}, {"puu": [2]}),
    ({"em": {**EMBEDDED, "metadata": {"name": "x", "labels": {"a": "b"}}}}, {"em": {**EMBEDDED, "metadata": {"labels": {"c": "d"}}, "spec": {"y": 1}}}),
    ({"ios": 1}, {"ios": "1"}), ({"nn": None}, {"nn": "x"}), ({"s": None}, {"s": "x"}), ({"i": "x"}, {"i": 1}), ({"s": 1}, {}), ({"unknown": 1}, {"o": {"u": 1}}),
    ({"i": 1.0}, {"i": 1}), ({"o": "x"}, {"o": []}), ({"la": "x"}, {"la": {"a": 1}}), ({"gr": {"x": 1}}, {"gr": {"x": None}}), (None, {}),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(PAIRS)))
def test_two_appliers(both: Both, applied: str, case: int) -> None:
    one, two = PAIRS[case]
    found: list[str] = []
    for spec, manager in (
        (one, "one"),
        (two, "two"),
        (two, "two&force=true"),
        (one, "one"),
        ({}, "one"),
        (None, "two"),
    ):
        body = json.dumps(thing(spec, f"p{case}")).encode()
        found += wrong(both, "PATCH", f"{applied}/p{case}?fieldManager={manager}", body, headers=APPLY)
    found += wrong(both, "PATCH", f"{applied}/p{case}", {"spec": one})
    assert not found, "\n".join(found)


FRAMES: list[Object] = [
    {"metadata": {}}, {"metadata": {"name": "other"}}, {"apiVersion": "compare.example.com/v2"}, {"kind": "X"}, {"apiVersion": "v1"},
    {"metadata": {"name": "q", "managedFields": []}}, {"metadata": {"name": "q", "resourceVersion": "1"}}, {"metadata": {"name": "q", "labels": {"a": 1}}},
    {"metadata": {"name": "q", "foo": 1}}, {"status": {"r": 1}}, {"zz": 1}, {"metadata": "x"}, {"metadata": None},
]  # fmt: skip


@pytest.mark.parametrize("members", FRAMES, ids=str)
def test_applied_frames(both: Both, applied: str, members: Object) -> None:
    body = json.dumps({**thing({"s": "a"}, "q"), **members}).encode()
    found = list(wrong(both, "PATCH", f"{applied}/q?fieldManager=m", body, headers=APPLY))
    assert not found, "\n".join(found)


STATUSES: list[Any] = [
    None, {}, {"r": 1}, {"r": "x"}, {"r": -1}, {"r": 5000000000}, {"r": 1.5}, {"sel": "a=b"}, {"sel": 1}, {"sel": "a b c"}, {"conds": [{"type": "a"}]},
    {"conds": [{"type": "a", "status": "b"}, {"type": "a", "status": "c"}]}, {"unknown": 1}, "x", [], {"r": None},
]  # fmt: skip


def test_status_and_scale(both: Both, applied: str) -> None:
    path, found = f"{applied}/sc", list[str]()
    both.same("POST", applied, thing({"s": "x"}, "sc"))
    for status in STATUSES:
        given = thing({"s": "changed"}, "sc", status=status)
        found += wrong(both, "PATCH", f"{path}/status", {"status": status})
        found += wrong(both, "GET", f"{path}/scale")
        found += wrong(both, "PUT", f"{path}?dryRun=All", given)
        body = json.dumps(thing(None, "sc", status=status)).encode()
        found += wrong(both, "PATCH", f"{path}/status?fieldManager=s&force=true&dryRun=All", body, headers=APPLY)
    assert not found, "\n".join(found)


SCALES: list[Object] = [
    {"spec": {"replicas": 3}}, {"spec": {"replicas": 0}}, {"spec": {"replicas": -1}}, {"spec": {}}, {"spec": None}, {"status": {"replicas": 9}},
    {"metadata": {"labels": {"a": "b"}}}, {"metadata": {"name": "other"}}, {"spec": {"foo": 1}},
]  # fmt: skip


def test_scale(both: Both, applied: str) -> None:
    """But for apply, at which kube-apiserver fails: it cannot convert the Scale of a custom resource."""
    path, found = f"{applied}/scaled/scale", list[str]()
    both.same("POST", applied, thing({"s": "x"}, "scaled"))
    found += wrong(both, "GET", path)
    whole = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "scaled"}, "spec": {"replicas": 2}}
    for scale in SCALES:
        found += wrong(both, "PATCH", path, scale)
        found += wrong(both, "GET", path)
        found += wrong(both, "PUT", f"{path}?dryRun=All", {**whole, **scale})
    assert not found, "\n".join(found)


SELECTORS = [
    "spec.sel=a", "spec.sel!=a", "spec.sel=", "spec.bsel=true", "spec.bsel=false", "spec.bsel=", "spec.rp=1", "spec.rp=2", "spec.s=x", "metadata.name=sel0",
    "metadata.name=sel0,spec.sel=a", "metadata.namespace=compare-crds,spec.rp=1", "spec.sel=a,spec.bsel=true", "foo", "=a", "spec.sel==a", ".spec.sel=a", "status.r=1",
]  # fmt: skip


def test_selectable_fields(both: Both, applied: str) -> None:
    specs: list[Object] = [{"sel": "a", "bsel": True, "rp": 1}, {"sel": "b", "bsel": False, "rp": 2}, {"sel": ""}, {}]
    for at, spec in enumerate(specs):
        both.ask("POST", applied, thing(spec, f"sel{at}", metadata={"name": f"sel{at}", "labels": {"selected": "yes"}}))
    found: list[str] = []
    for selector in SELECTORS:
        asked = f"labelSelector=selected&fieldSelector={selector.replace('=', '%3D').replace('!', '%21')}"
        for method, more in (("GET", ""), ("DELETE", "&dryRun=All")):
            found += wrong(both, method, f"{applied}?{asked}{more}")
    assert not found, "\n".join(found)
