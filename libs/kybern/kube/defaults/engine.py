"""The walk that applies defaults: down the definition tree, parents first, only where some rule can apply.

It also adds what Kubernetes' structs always write: empty structs, nulls and zeros of members without `omitempty`.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from kybern.kube.defaults import cluster, network, pod, storage, workloads
from kybern.kube.defaults.rules import Object, Rule, Rules
from kybern.kube.schema import ResourceInfo, Zeros, load


def apply_defaults(info: ResourceInfo, obj: Object, empty: list[str] | None = None) -> None:
    """Fill every default of a built-in kind in place; a kind without a definition is left alone.

    Stored, an empty list that is always written is none: such lists become null, or are left and put down in `empty`.
    """
    name = load().names.get(info.gvk)
    if name is not None:
        apply_definition_defaults(name, obj, empty)


def apply_definition_defaults(name: str, obj: Object, empty: list[str] | None = None) -> None:
    """As `apply_defaults`, for any definition by name, such as `io.k8s.api.core.v1.PodTemplateSpec`."""
    plan = _plan(name)
    if plan is not None:
        _apply(plan, obj, empty)


class _Plan:
    """One definition: its rule, and the members below which there are more rules."""

    __slots__ = ("constants", "keeps", "members", "rule", "structs")

    def __init__(self, rule: Rule | None, keeps: Mapping[str, Any], pointers: Callable[[str], bool]) -> None:
        """Of `keeps`, what every object has is there already."""
        self.rule = rule
        # (name, value, the value that counts as absent beside null: a pointer's empty text is a text)
        constants = (rule.constants if rule else {}).items()
        self.constants = tuple((name, value, None if pointers(name) else "") for name, value in constants)
        self.structs = tuple(name for name, zero in keeps.items() if zero == {})
        self.keeps = tuple((name, zero) for name, zero in keeps.items() if zero != {})
        self.members: list[tuple[str, str, _Plan]] = []


@cache
def _rules() -> Rules:
    """Schema defaults, then the hand-written tables over them."""
    merged: Rules = {}
    for name, schema in load().definitions.items():
        found = {key: prop["default"] for key, prop in schema.get("properties", {}).items() if "default" in prop}
        if found:
            merged[name] = Rule(found)
    for module in (pod, workloads, network, storage, cluster):
        for name, rule in module.RULES.items():
            constants = {**(merged[name].constants if name in merged else {}), **rule.constants}
            merged[name] = Rule(constants, rule.functions, rule.zero_is_absent)
    return merged


@cache
def _wanted() -> frozenset[str]:
    """Names of definitions at or below which a rule applies, or something is always there."""
    wanted = {*_rules(), *(name for name, zeros in load().zeros.items() if zeros.keeps and name not in _COMPLETE)}
    definitions = load().definitions
    growing = True
    while growing:
        growing = False
        for name, schema in definitions.items():
            if name not in wanted and any(target in wanted for _, _, target in _edges(schema)):
                wanted.add(name)
                growing = True
    return frozenset(wanted)


def _edges(schema: Object) -> list[tuple[str, str, str]]:
    """(member, "object" | "array" | "map", definition) of each member that holds other definitions."""
    edges = []
    for member, prop in schema.get("properties", {}).items():
        if "$ref" in prop:
            edges.append((member, "object", prop["$ref"]))
        elif "$ref" in prop.get("items", {}):
            edges.append((member, "array", prop["items"]["$ref"]))
        elif "$ref" in prop.get("additionalProperties", {}):
            edges.append((member, "map", prop["additionalProperties"]["$ref"]))
    return edges


@cache
def _plan(name: str) -> _Plan | None:
    if name not in _wanted() or "properties" not in load().definitions[name]:
        return None
    known = load().zeros.get(name) or Zeros()
    valued = known.drops | {member for member, zero in known.keeps.items() if zero is not None}
    there = _OF_EVERY_OBJECT if "x-kubernetes-group-version-kind" in load().definitions[name] else ()
    keeps = {} if name in _COMPLETE else {member: zero for member, zero in known.keeps.items() if member not in there}
    known_type = not name.startswith(_UNKNOWN)
    plan = _Plan(_rules().get(name), keeps, lambda member: known_type and member not in valued)
    if name not in _RECURSIVE:
        for member, shape, target in _edges(load().definitions[name]):
            below = _plan(target)
            if below is not None:
                plan.members.append((member, shape, below))
    return plan


_CORE = "io.k8s.api.core.v1."
# Nothing kept: what every object has is there already, and validation insists on all members of these.
_OF_EVERY_OBJECT = frozenset({"metadata", "kind", "apiVersion"})
_COMPLETE = frozenset(
    _CORE + name
    for name in ("Container", "ContainerPort", "EnvVar", "KeyToPath", "Volume", "VolumeDevice", "VolumeMount")
)
_UNKNOWN = "io.k8s.kube-aggregator."  # of whose structs the table of zero values says nothing
# JSONSchemaProps holds itself; it has no defaults.
_RECURSIVE = {"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"}


def _apply(plan: _Plan, obj: Object, left: list[str] | None) -> None:
    rule = plan.rule
    for name in plan.structs:
        if name not in obj:
            obj[name] = {}
    if rule is not None:
        for name, value, empty in plan.constants:
            present = obj.get(name)
            if present is None or present == empty or (rule.zero_is_absent and present == 0):
                obj[name] = _fresh(value)
        for function in rule.functions:
            function(obj)
    for name, value in plan.keeps:
        if obj.get(name, value) == []:
            if left is None:
                obj[name] = value
            else:
                left.append(name)
        else:
            obj.setdefault(name, value)
    for member, shape, below in plan.members:
        value = obj.get(member)
        if not value and value != {}:
            continue
        if shape == "object":
            _apply(below, value, left)
        else:
            for item in value if shape == "array" else value.values():
                if item is not None:
                    _apply(below, item, left)


def _fresh(value: Any) -> Any:
    """A copy that no other object shares."""
    if isinstance(value, dict):
        return {key: _fresh(inner) for key, inner in value.items()}
    return [_fresh(inner) for inner in value] if isinstance(value, list) else value
