"""Type checking of ValidatingAdmissionPolicies: what their expressions get wrong of the kinds that their rules name.

It warns and refuses nothing: a policy is evaluated on values, whatever their kind.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kybern.kube import schema
from kybern.kube.cel.errors import CompileError
from kybern.kube.cel.policy import Composition, Scope
from kybern.kube.cel.shapes import DYN, ListOf, MapOf, Scalar, Shape, Struct

Object = dict[str, Any]
GVK = tuple[str, str, str]
MOST_KINDS = 10
_TEXTS = {"date-time": "timestamp", "byte": "bytes"}
_SCALARS = {"string": "string", "boolean": "bool", "integer": "int", "number": "double"}


def shape_of(gvk: GVK) -> Shape | None:
    """The shape of a built-in kind."""
    definition = schema.definition(gvk)
    return None if definition is None else _shape(definition, {})


def _shape(definition: Mapping[str, Any], known: dict[str, Shape]) -> Shape:
    name = definition.get("$ref")
    if name:
        if name not in known:
            inner = schema.load().definitions[name]
            if inner.get("properties"):
                known[name] = found = Struct()
                found.fields.update({field: _shape(one, known) for field, one in inner["properties"].items()})
            else:
                known[name] = _shape(inner, known)
        return known[name]
    kind, form = definition.get("type"), definition.get("format")
    if form == "int-or-string" or kind is None:
        return DYN
    if kind == "array":
        return ListOf(_shape(definition.get("items") or {}, known))
    if kind == "object":
        if definition.get("properties"):
            return Struct({name: _shape(one, known) for name, one in definition["properties"].items()})
        more = definition.get("additionalProperties")
        return MapOf(_shape(more, known)) if isinstance(more, Mapping) else DYN
    return Scalar(_TEXTS.get(form or "", "string") if kind == "string" else _SCALARS.get(kind, "dyn"))


def resources_named(policy: Object) -> list[tuple[str, str, str]]:
    """(group, version, resource) of rules that name them without wildcards, sorted."""
    found = set()
    constraints = (policy.get("spec") or {}).get("matchConstraints") or {}
    for rule in constraints.get("resourceRules") or ():
        groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
        if any("*" in one for one in (*groups, *versions)):
            continue
        resources = [one for one in rule.get("resources") or () if "*" not in one and "/" not in one]
        found |= {(group, version, one) for group in groups for version in versions for one in resources}
    return sorted(found)


def expression_warnings(policy: Object, kinds: Sequence[tuple[GVK, Shape]], param: Shape | None) -> list[Object]:
    """The policy's status.typeChecking.expressionWarnings."""
    spec = policy.get("spec") or {}
    kinds = sorted(kinds, key=lambda one: one[0])[:MOST_KINDS]
    places = [(gvk, _composition(spec, shape, param)) for gvk, shape in kinds]
    found = []
    for index, validation in enumerate(spec.get("validations") or ()):
        for member in ("expression", "messageExpression"):
            text = validation.get(member) or ""
            problems = [_problem(gvk, composition, text) for gvk, composition in places] if text else []
            said = "\n".join(problem for problem in problems if problem)
            if said:
                found.append({"fieldRef": f"spec.validations[{index}].{member}", "warning": said})
    return found


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
