"""Type checking of ValidatingAdmissionPolicies: what their expressions get wrong of the kinds that their rules name.

It warns and refuses nothing: a policy is evaluated on values, whatever their kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from kybern.kube import schema
from kybern.kube.cel.errors import CompileError
from kybern.kube.cel.policy import Composition, Scope
from kybern.kube.cel.shapes import DYN, ListOf, MapOf, Scalar, Shape, Struct

Object = dict[str, Any]
GVK = tuple[str, str, str]
MOST_KINDS = 10
_TEXTS = {"date-time": "timestamp", "micro-time": "timestamp", "byte": "bytes"}
_SCALARS = {"string": "string", "boolean": "bool", "integer": "int", "number": "double"}


def shape_of(gvk: GVK) -> Shape | None:
    """The shape of a built-in kind."""
    definition = schema.definition(gvk)
    return None if definition is None else _shape(definition, {})


def with_metadata(shape: Shape) -> Shape:
    """The shape of a custom resource, whose schema says nothing of metadata, with all of it."""
    known = shape_of(("", "v1", "ConfigMap"))
    if not isinstance(shape, Struct) or not isinstance(known, Struct):
        return shape
    return Struct({**shape.fields, "metadata": known.fields["metadata"]}, shape.name)


def _shape(definition: Mapping[str, Any], known: dict[str, Shape | None]) -> Shape | None:
    """None for what has no type of its own, as quantities and any JSON: it is no field at all."""
    name = definition.get("$ref")
    if name:
        if name not in known:
            inner = schema.load().definitions[name]
            if inner.get("properties"):
                known[name] = found = Struct()
                found.fields.update(_fields(inner["properties"], known))
            else:
                known[name] = _shape(inner, known)
        return known[name]
    kind, form = definition.get("type"), definition.get("format")
    if form == "int-or-string":
        return DYN
    if kind is None or form == "quantity":
        return None
    if kind == "array":
        element = _shape(definition.get("items") or {}, known)
        return None if element is None else ListOf(element)
    if kind == "object":
        more = definition.get("additionalProperties")
        if not isinstance(more, Mapping):
            return Struct(_fields(definition.get("properties") or {}, known))
        value = _shape(more, known)
        return None if value is None else MapOf(value)
    return Scalar(_TEXTS.get(form or "", "string") if kind == "string" else _SCALARS.get(kind, "dyn"))


def _fields(properties: Mapping[str, Any], known: dict[str, Shape | None]) -> dict[str, Shape]:
    shapes = {field: _shape(one, known) for field, one in properties.items()}
    return {field: shape for field, shape in shapes.items() if shape is not None}


def resources_named(policy: Object) -> Iterator[list[tuple[str, str, str]]]:
    """Of each rule: (group, version, resource) that it names without wildcards, sorted; no group stands for any."""
    constraints = (policy.get("spec") or {}).get("matchConstraints") or {}
    for rule in constraints.get("resourceRules") or ():
        groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
        if any("*" in one for one in (*groups, *versions)):
            continue
        resources = [one for one in rule.get("resources") or () if "*" not in one and "/" not in one]
        yield [*product(sorted(groups), sorted(versions), sorted(resources))]


def expression_warnings(
    policy: Object, kinds: Sequence[tuple[GVK, Shape]], param: Shape | None, mark: int = 0
) -> list[Object]:
    """The policy's status.typeChecking.expressionWarnings. `mark` is what a kind's name is told with where it is one of
    a type."""
    spec = policy.get("spec") or {}
    kinds = sorted(kinds, key=lambda one: one[0])
    if param is not None:
        param = _named(param, f"{(spec.get('paramKind') or {}).get('kind')}{mark}")
    places = [(gvk, _composition(spec, _named(shape, f"{gvk[2]}{mark}"), param)) for gvk, shape in kinds]
    found = []
    for index, validation in enumerate(spec.get("validations") or ()):
        for member in ("expression", "messageExpression"):
            text = validation.get(member) or ""
            problems = [_problem(gvk, composition, text) for gvk, composition in places] if text else []
            said = "\n".join(problem for problem in problems if problem)
            if said:
                found.append({"fieldRef": f"spec.validations[{index}].{member}", "warning": said})
    return found


def _named(shape: Shape, name: str) -> Shape:
    """`object` and `oldObject` are of one type."""
    return Struct(shape.fields, name) if isinstance(shape, Struct) else shape


def _composition(spec: Object, shape: Shape, param: Shape | None) -> Composition:
    composition = Composition(Scope(params=bool(spec.get("paramKind")), object=shape, param=param or DYN))
    for variable in spec.get("variables") or ():
        try:
            composition.add(variable["name"], variable["expression"])
        except CompileError:
            continue  # whoever uses it is not judged by it
    return composition


def _problem(gvk: GVK, composition: Composition, expression: str) -> str:
    try:
        composition.compile(expression)
    except CompileError as error:
        group, version, kind = gvk
        return f"{group}/{version}, Kind={kind}: {error}\n"
    return ""
