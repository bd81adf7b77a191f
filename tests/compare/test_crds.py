# ruff: noqa: E501 (a case stays in one line)
"""CustomResourceDefinitions, the values of custom resources, their rules in CEL and their Tables."""

import json
import time
from typing import Any

import pytest
from same import Both

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
TEXT, INT, OBJ = {"type": "string"}, {"type": "integer"}, {"type": "object"}
Object = dict[str, Any]


def crd(plural: str, openapi: Object, **version: Any) -> Object:
    kind = plural[:-1].capitalize()
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.compare.example.com"},
        "spec": {
            "group": "compare.example.com", "scope": "Namespaced", "names": {"plural": plural, "kind": kind},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": openapi}} | version
            ],
        },
    }  # fmt: skip


def obj(**properties: Any) -> Object:
    return {"type": "object", "properties": properties}


def listed(items: Any, **more: Any) -> Object:
    return {"type": "array", "items": items, **{f"x-kubernetes-{name}": value for name, value in more.items()}}


SCHEMAS: list[Object] = [
    {}, {"type": "null"}, {"type": "foo"}, {"type": "array"}, listed({}), listed([TEXT]), {**OBJ, "additionalProperties": False},
    {**obj(b=TEXT), "additionalProperties": TEXT}, {"$ref": "#/x"}, {**OBJ, "$schema": "x"}, {**OBJ, "id": "x"},
    {**listed(TEXT), "uniqueItems": True}, {**TEXT, "pattern": "["}, {**TEXT, "pattern": "(?=a)"},
    {**TEXT, "x-kubernetes-preserve-unknown-fields": False}, {"x-kubernetes-embedded-resource": True},
    {**OBJ, "x-kubernetes-embedded-resource": True}, {"x-kubernetes-int-or-string": True, "x-kubernetes-embedded-resource": True},
    {"anyOf": [INT, TEXT]}, {"x-kubernetes-int-or-string": True, "anyOf": [TEXT, INT]}, {**TEXT, "x-kubernetes-int-or-string": True},
    listed(TEXT, **{"list-type": "foo"}), listed(OBJ, **{"list-type": "set"}), listed({**TEXT, "nullable": True}, **{"list-type": "set"}),
    listed(obj(a=TEXT), **{"list-type": "map"}), listed(obj(a=TEXT), **{"list-type": "map", "list-map-keys": ["a"]}),
    listed(obj(a=OBJ), **{"list-type": "map", "list-map-keys": ["a", "a", "c"]}), listed(TEXT, **{"list-map-keys": ["a"]}),
    {**TEXT, "x-kubernetes-map-type": "atomic"}, {**OBJ, "x-kubernetes-map-type": "foo"},
    *({**obj(b=TEXT), word: [inner]} for word in ("allOf", "anyOf", "oneOf") for inner in (
        {}, TEXT, {"default": 1, "title": "x", "nullable": True}, {"properties": {"metadata": {}}}, {"properties": {"z": {"minLength": 1}}},
        {"x-kubernetes-list-type": "set"}, {"x-kubernetes-validations": [{"rule": "true"}]}, {"allOf": [{"properties": {"z": TEXT}}]},
    )),
    {**obj(b=TEXT), "not": {"not": {"type": "x"}}},
    {**TEXT, "default": 1}, {**TEXT, "default": None}, {**listed(TEXT), "default": [1]}, {**obj(b=TEXT), "default": {"c": 1}},
    {**obj(b=TEXT), "default": {"b": None}}, {**obj(b=TEXT), "required": ["b"], "default": {}}, {**INT, "default": 1.5},
    {**OBJ, "additionalProperties": INT, "default": {"a": "x"}}, {"x-kubernetes-int-or-string": True, "default": 1.5},
    {**TEXT, "default": "b", "x-kubernetes-validations": [{"rule": "self == 'a'", "message": "m", "reason": "FieldValueForbidden"}]},
    {**OBJ, "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True, "default": {}},
]  # fmt: skip
ROOTS: list[Object] = [
    TEXT, {**OBJ, "additionalProperties": True}, {**OBJ, "nullable": True}, {**OBJ, "default": {}}, obj(kind=OBJ), obj(metadata=TEXT),
    obj(metadata=obj(labels=OBJ)), obj(metadata={**OBJ, "required": ["name"]}), obj(metadata={**OBJ, "default": {"name": "x"}}),
    obj(apiVersion={**TEXT, "default": "x"}), {**OBJ, "anyOf": [{"properties": {"z": {"minLength": 1}}}]}, {**OBJ, "$ref": "x"},
]  # fmt: skip


@pytest.mark.parametrize("schema", [*(obj(spec=obj(a=one)) for one in SCHEMAS), *ROOTS], ids=json.dumps)
def test_schemas(both: Both, schema: Object) -> None:
    both.same("POST", f"{CRDS}?dryRun=All", crd("widgets", schema))


WEBHOOK = {"clientConfig": {"url": "https://x/y"}, "conversionReviewVersions": ["v1"]}
SPECS: list[Object] = [
    {"group": ""}, {"group": "X"}, {"group": "nodots"}, {"scope": ""}, {"scope": "x"}, {"names": {}}, {"versions": None},
    {"versions": [{}]}, {"names": {"plural": "widgets", "kind": "Wid_get"}}, {"names": {"plural": "widgets", "kind": "W", "listKind": "W"}},
    {"names": {"plural": "widgets", "kind": "Widget", "shortNames": ["A", ""], "categories": ["a.b"]}}, {"preserveUnknownFields": True},
    {"conversion": {}}, {"conversion": {"strategy": "Foo"}}, {"conversion": {"strategy": "Webhook"}},
    {"conversion": {"strategy": "None", "webhook": WEBHOOK}}, {"conversion": {"strategy": "Webhook", "webhook": WEBHOOK}},
    {"conversion": {"strategy": "Webhook", "webhook": {**WEBHOOK, "clientConfig": {"service": {}}}}},
    {"conversion": {"strategy": "Webhook", "webhook": {**WEBHOOK, "conversionReviewVersions": ["v2", "v2", "V"]}}},
]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS, ids=json.dumps)
def test_frames(both: Both, spec: Object) -> None:
    given = crd("widgets", OBJ)
    both.same("POST", f"{CRDS}?dryRun=All", {**given, "spec": {**given["spec"], **spec}})


PATH = {"specReplicasPath": ".spec.a", "statusReplicasPath": ".status.a"}
VERSIONS: list[Object] = [
    {"name": "V1"}, {"served": False}, {"storage": False}, {"deprecationWarning": "x"}, {"deprecated": True, "deprecationWarning": ""},
    {"deprecated": True, "deprecationWarning": "a\nb"}, {"schema": None}, {"subresources": {"scale": {}}},
    {"subresources": {"scale": {**PATH, "specReplicasPath": "a", "statusReplicasPath": ".spec.a", "labelSelectorPath": ".x"}}},
    {"subresources": {"status": {}}, "schema": {"openAPIV3Schema": {**OBJ, "anyOf": [{"required": ["a"]}]}}},
    {"additionalPrinterColumns": [{}, {"name": "a", "type": "x", "format": "y", "jsonPath": "a"}]},
    {"additionalPrinterColumns": [{"name": "a", "type": "string", "jsonPath": ".a["}]},
    *({"selectableFields": [{"jsonPath": path}]} for path in ("", "a", ".", ".metadata.name", ".spec", ".spec['a']", ".spec.a", ".zz")),
    {"selectableFields": [{"jsonPath": ".spec.a"}, {"jsonPath": ".spec.a"}]},
]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS, ids=json.dumps)
def test_versions(both: Both, version: Object) -> None:
    both.same("POST", f"{CRDS}?dryRun=All", crd("widgets", obj(spec=obj(a=TEXT)), **version))


LIMITED = {**TEXT, "maxLength": 20}
RULED = obj(
    s=LIMITED, i=INT, n={"type": "number"}, b={"type": "boolean"}, l={**listed(LIMITED), "maxItems": 5}, o=obj(x=LIMITED),
    m={**OBJ, "additionalProperties": INT, "maxProperties": 5}, t={**TEXT, "format": "date-time"}, d={**TEXT, "format": "duration"},
)  # fmt: skip
RULES = [
    "self.zz == 1", "self.s", "self.s > 1", "self.i + self.n > 1", "self.b && self.i", "self.i || self.b", "self.l.all(x, x)",
    "self.l.exists(x, x.foo)", "self.l.filter(x, x)", "self.t == 1", "self.d - self.t == self.t", "self.s == null", "[1, null] == [1]",
    "{1: 'a', 'b': 2} == {}", "timestamp('x') == timestamp('y')", "duration(1) == duration('1s')", "int('a') == 1", "bool('x')",
    "self.l.map(1, x)", "self.l.all(1, true)", "self.l.map(x)", "self.l.sort() == [1]", "self.l.distinct() == [1]", "self.o.x.y",
    "self.l.reverse() == [1]", "self.l.slice('a', 1) == []", "lists.range('a') == []", "self.s.reverse() == 1", "self.s.find('[') == 'a'",
    "self.m.transformMap(k, v, v + 'a').size() > 0", "foo.bar(1)", "self.i == 1 &&", "a b", "1 == 1 == 2", "!true && 1", "'a'.b",
]  # fmt: skip
FORMS: list[Object] = [
    {}, {"rule": "true", "message": " "}, {"rule": "true", "message": "a\nb"}, {"rule": "true &&\ntrue"}, {"rule": "true", "messageExpression": "1"},
    {"rule": "self.zz", "messageExpression": "self.yy"}, {"rule": "true", "optionalOldSelf": False}, {"rule": "true", "reason": "Foo"},
    *({"rule": "true", "fieldPath": path} for path in (".s", "s", ".zz", ".o['x']", ".m.a", ".l[0]", ".", ".s\n", "[", "..s")),
]  # fmt: skip


@pytest.mark.parametrize("rule", [*({"rule": rule} for rule in RULES), *FORMS], ids=json.dumps)
def test_rules(both: Both, rule: Object) -> None:
    schema = obj(spec={**RULED, "x-kubernetes-validations": [rule]})
    both.same("POST", f"{CRDS}?dryRun=All", crd("widgets", schema))


COLUMNS = [
    (".spec.s", "string"), (".spec.i", "integer"), (".spec.n", "number"), (".spec.b", "boolean"), (".spec.d", "date"), (".spec.l", "string"),
    (".spec.l[0]", "string"), (".spec.l[*]", "string"), (".spec.l[-1]", "string"), (".spec.l[0:1]", "string"), (".spec.o", "string"),
    (".spec.p[?(@.x=='a')].y", "string"), (".spec.p[?(@.y>1)].x", "string"), (".spec.n", "integer"), (".spec.s", "integer"), (".spec.zz", "string"),
]  # fmt: skip
VALUES: list[Object] = [
    {"s": "x", "i": 3, "n": 1.5, "b": True, "d": "2020-01-01T00:00:00Z", "l": ["a", "<"], "o": {"b": 1, "a": [None]},
     "p": [{"x": "a", "y": 1}, {"x": "b", "y": 2}]},
    {}, {"s": 1, "i": "x", "n": "y", "b": "z", "d": "nodate", "l": "text", "o": 5, "p": {}}, {"s": None, "l": [None], "d": 5},
    {"s": 1.5, "i": 2.0, "n": 1e21, "b": False, "l": [{"a": 1}], "p": [{"x": "a", "y": [1]}]},
]  # fmt: skip


def served(both: Both, definition: Object) -> str:
    """Make a definition; its objects' path once both serve it."""
    assert both.ask("POST", CRDS, definition).kube.status == 201
    path = f"/apis/compare.example.com/v1/namespaces/compare-crds/{definition['spec']['names']['plural']}"
    for _ in range(100):
        pair = both.ask("GET", path)
        if pair.kube.status == pair.kybern.status == 200:
            break
        time.sleep(0.05)
    both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "compare-crds"}})
    return path


def test_tables(both: Both) -> None:
    columns = [{"name": f"C{at}", "type": kind, "jsonPath": path} for at, (path, kind) in enumerate(COLUMNS)]
    path = served(
        both, crd("tables", {**OBJ, "x-kubernetes-preserve-unknown-fields": True}, additionalPrinterColumns=columns)
    )
    for at, spec in enumerate(VALUES):
        thing = {"apiVersion": "compare.example.com/v1", "kind": "Table", "metadata": {"name": f"t{at}"}, "spec": spec}
        both.ask("POST", path, thing)
    wrong = [line for line in both.diff("GET", path, headers=TABLE) if "managedFields" not in line]  # other tests'
    assert not wrong, "\n".join(wrong)


FIELDS: dict[str, tuple[Object, list[Any]]] = {
    "text": ({**TEXT, "minLength": 2, "maxLength": 3}, ["a", "abcd", 1, None, [], {}, True]),
    "enum": ({**TEXT, "enum": ["a", "b"]}, ["c", "", 1]),
    "int": (INT, [1.0, 1.5, -1.0, 1e16, "1", True, 9223372036854775808, 1e30]),
    "int32": ({**INT, "format": "int32"}, [2147483648, 1.5, "x", True, []]),
    "range": ({**INT, "minimum": 2, "maximum": 10000000}, [1, 10000001, 2.5]),
    "number": ({"type": "number", "maximum": 1.5, "multipleOf": 0.5}, [2, 1.75, 1, "x"]),
    "date": ({**TEXT, "format": "date"}, ["x", 1, True, 1.5, {}, "2020-01-01", "2020-02-30"]),
    "hostname": ({**TEXT, "format": "hostname"}, ["a.b", "a.bc", "a_b", "xn--a", "ä"]),
    "closed": ({**OBJ, "additionalProperties": False}, [{"x": 1}, {}]),
    "required": ({**obj(a=TEXT), "required": ["r"]}, [{"a": 1}, {"a": None}]),
    "any": ({**TEXT, "anyOf": [{"minLength": 5}, {"pattern": "^a"}, {"format": "ipv4"}]}, ["b", "a", 1]),
    "one": ({**INT, "oneOf": [{"minimum": 5}, {"maximum": 3}]}, [4, 3, 6]),
    "all": ({**TEXT, "allOf": [{"minLength": 2}, {"pattern": "^a"}]}, ["a", "b", "bb"]),
    "nullable": ({**TEXT, "nullable": True, "enum": ["a", None]}, [None, "a", "b"]),
    "set": (listed(TEXT, **{"list-type": "set"}), [["a", "a"], ["a", 1]]),
    "intOrString": ({"x-kubernetes-int-or-string": True}, [1, "a", 1.5, True]),
    "embedded": (
        {**OBJ, "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        [{}, {"apiVersion": "", "kind": ""}, {"apiVersion": 1}, {"apiVersion": "a/b/c", "kind": "P_"},
         {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a b": "c"}, "name": "A/"}},
         {"apiVersion": "v1", "kind": "Pod", "metadata": "x"}, {"apiVersion": "v1", "kind": "Pod", "metadata": None}],
    ),
}  # fmt: skip


def test_values(both: Both) -> None:
    path = served(both, crd("values", obj(spec=obj(**{name: schema for name, (schema, _) in FIELDS.items()}))))
    wrong: list[str] = []
    for name, (_, values) in FIELDS.items():
        for value in values:
            thing = {
                "apiVersion": "compare.example.com/v1",
                "kind": "Value",
                "metadata": {"name": "a"},
                "spec": {name: value},
            }
            wrong += (
                f"{name}={value!r} {line}"
                for line in both.diff("POST", f"{path}?dryRun=All", thing)
                if "managedFields" not in line
            )
    assert not wrong, "\n".join(wrong)
