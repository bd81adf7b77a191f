"""The mutations of a MutatingAdmissionPolicy: compiled, and carried out on an object, one after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.admission.policy_compiled import Broken, Policy, compiled, frame
from kybern.apiserver.admission.webhook_patch import STRICT, Reading
from kybern.kube import managed_fields, schema
from kybern.kube.cel import Budget, EvaluationError, Program
from kybern.kube.cel.literals import to_object, to_operations
from kybern.kube.cel.policy import Composition, Variables
from kybern.kube.cel.policy_checks import APPLY, composition_of, expression_of
from kybern.kube.go_values import Foreign
from kybern.kube.managed_fields import gvk_text
from kybern.kube.managed_fields.merge import merge
from kybern.kube.managed_fields.types import LIST, MAP
from kybern.kube.patch import json as json_patch
from kybern.kube.patch.json_steps import Inapplicable
from kybern.kube.status import StatusError

Object = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Mutation:
    """One patch."""

    kind: str
    expression: str
    program: Program | Broken


@dataclass(frozen=True, eq=False)
class Mutating(Policy):
    """A MutatingAdmissionPolicy."""

    mutations: tuple[Mutation, ...] = ()
    reinvocable: bool = False


class MutationFailed(Exception):
    """A mutation cannot be carried out."""


def compile_policy(policy: Object) -> Mutating:
    """An expression that does not compile fails when it is needed."""
    spec = policy["spec"]
    composition = composition_of(policy)
    members = frame(policy, composition)
    return Mutating(
        **members,
        mutations=tuple(_mutation(one, composition) for one in spec.get("mutations") or ()),
        reinvocable=spec.get("reinvocationPolicy") == "IfNeeded",
    )


def _mutation(one: Object, composition: Composition) -> Mutation:
    expression = expression_of(one)
    return Mutation(one["patchType"], expression, compiled(lambda: composition.compile(expression)))


def mutate(
    policy: Mutating, mutation: Mutation, shown: Object, values: Mapping[str, Any], of: managed_fields.Type | None
) -> Object:
    """The object after one mutation, to be read as `reading_of` says; `of` is how configurations are merged into it.

    Raises MutationFailed.
    """
    budget = Budget()
    speaks = {**values, "object": shown}
    speaks["variables"] = Variables(policy.variables, speaks, budget)
    try:
        if isinstance(mutation.program, Broken):
            raise EvaluationError(mutation.program.error)
        value = mutation.program.evaluate(speaks, budget)
    except EvaluationError as error:
        raise MutationFailed(f"expression '{mutation.expression}' resulted in error: {error}") from None
    try:
        return (
            _applied(shown, to_object(value), of) if mutation.kind == APPLY else _patched(shown, to_operations(value))
        )
    except EvaluationError as error:
        raise MutationFailed(str(error)) from None


def reading_of(mutation: Mutation) -> Reading:
    """What an ApplyConfiguration makes is restored from a map; what a JSON patch makes is decoded strictly."""
    return RESTORED if mutation.kind == APPLY else STRICT


def _refuse(error: schema.DecodeError, gvk: tuple[str, str, str]) -> MutationFailed:
    group, version, kind = gvk
    return MutationFailed(f"unable to convert unstructured object to {group}/{version}, Kind={kind}: {error.restoring}")


RESTORED = Reading(False, _refuse)


def _applied(shown: Object, config: Object, of: managed_fields.Type | None) -> Object:
    """Laid over the object as server-side apply does, except that nothing atomic may be replaced."""
    if of is None:
        why = f"no corresponding type for {gvk_text(shown)}"
        raise MutationFailed(f"error applying patch: failed to convert patch object to typed object: {why}")
    config = {**config, "apiVersion": shown["apiVersion"], "kind": shown["kind"]}
    wrong = managed_fields.check(of, config)
    if wrong:
        raise MutationFailed(f"error applying patch: failed to convert patch object to typed object: {wrong}")
    atomic = list(_atomic(of, config, ""))
    if atomic:
        paths = ", ".join(atomic)
        raise MutationFailed(
            f"error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {paths}"
        )
    merged: Object = merge(of, shown, _plain(config))
    return merged


def _plain(value: Any) -> Any:
    """The configuration in JSON, where its schema takes anything."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.plain if isinstance(value, Foreign) else value


def _atomic(of: managed_fields.Type, value: Any, path: str) -> Iterator[str]:
    """Paths of lists and maps that can only be written as a whole."""
    if isinstance(value, (dict, list)) and not of.granular and of.shape in (LIST, MAP):
        yield path
    if isinstance(value, dict):
        for name, part in value.items():
            inner = of.fields.get(name)
            if inner is not None:
                yield from _atomic(inner, part, f"{path}.{name}")
    elif isinstance(value, list) and of.element is not None:
        for index, part in enumerate(value):
            yield from _atomic(of.element, part, f"{path}[{index}]")


def _patched(shown: Object, operations: list[Object]) -> Object:
    """The object as it was if it does not pass a test of the patch."""
    try:
        return json_patch.apply(shown, operations)
    except StatusError as error:
        why = error.__cause__
        if isinstance(why, Inapplicable) and why.failed:
            return shown
        raise MutationFailed(f"JSON Patch: {why or error.message}") from None
