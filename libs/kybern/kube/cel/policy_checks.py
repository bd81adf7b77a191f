"""What is wrong with the expressions of an admission policy: names, and whether each compiles to the type it must have.

The frames of policies are checked in `kybern.kube.validation`.
"""

import re
from collections.abc import Iterator
from typing import Any

from kybern.kube.cel.errors import CompileError, InstantiationError
from kybern.kube.cel.policy import Composition, Scope
from kybern.kube.cel.program import Program
from kybern.kube.cel.wording import runtime_name
from kybern.kube.field import FieldError, duplicate, internal, invalid, required, too_many
from kybern.kube.validation.names import label_key, qualified_name

Object = dict[str, Any]
Errors = Iterator[FieldError]
MOST_CONDITIONS, MOST_ANNOTATIONS, LONGEST_VALUE = 64, 20, 5 << 10
APPLY = "ApplyConfiguration"
_IDENTIFIER = re.compile("[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
_RESERVED = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    }
)  # fmt: skip


def check_validating(policy: Object) -> list[FieldError]:
    """A ValidatingAdmissionPolicy."""
    return list(_validating(policy))


def check_mutating(policy: Object) -> list[FieldError]:
    """A MutatingAdmissionPolicy."""
    return list(_mutating(policy))


def check_webhooks(configuration: Object) -> list[FieldError]:
    """The match conditions of a webhook configuration."""
    found: list[FieldError] = []
    for index, hook in enumerate(configuration.get("webhooks") or ()):
        found += _conditions(hook, f"webhooks[{index}]", Composition(Scope()))
    return found


def _validating(policy: Object) -> Errors:
    spec = policy.get("spec") or {}
    composition = Composition(Scope(params=bool(spec.get("paramKind"))))
    yield from _conditions(spec, "spec", composition)
    yield from _variables(spec, composition)
    for index, validation in enumerate(spec.get("validations") or ()):
        at, text = f"spec.validations[{index}]", validation.get("messageExpression") or ""
        yield from _typed(composition, validation.get("expression") or "", f"{at}.expression", ("bool",))
        if text.strip():
            yield from _typed(composition, text, f"{at}.messageExpression", ("string",), authorizer=False)
        elif text:
            yield invalid(f"{at}.messageExpression", text, "must be non-empty if specified")
    yield from _annotations(policy, spec.get("auditAnnotations") or (), composition)


def _annotations(policy: Object, annotations: Any, composition: Composition) -> Errors:
    name, seen = (policy.get("metadata") or {}).get("name") or "", set()
    if len(annotations) > MOST_ANNOTATIONS:
        detail = f"must not have more than {MOST_ANNOTATIONS} auditAnnotations"
        yield invalid("spec.auditAnnotations", annotations, detail)
    for index, annotation in enumerate(annotations):
        at, key = f"spec.auditAnnotations[{index}]", annotation.get("key") or ""
        for problem in label_key(f"{name}/{key}"):
            yield invalid(f"{at}.key", f"{name}/{key}", problem)
        if key in seen:
            yield duplicate(f"{at}.key", key)
        seen.add(key)
        expression = (annotation.get("valueExpression") or "").strip()
        if not expression:
            yield required(f"{at}.valueExpression", "valueExpression is not specified")
        elif len(expression) > LONGEST_VALUE:
            yield required(f"{at}.valueExpression", f"must not exceed {LONGEST_VALUE} bytes in length")
        else:
            given = annotation["valueExpression"]
            yield from _typed(composition, given, f"{at}.valueExpression", ("string", "null_type"))


def _mutating(policy: Object) -> Errors:
    spec = policy.get("spec") or {}
    composition = composition_of(policy)
    yield from _conditions(spec, "spec", composition)
    yield from _variables(spec, composition)
    for index, mutation in enumerate(spec.get("mutations") or ()):
        kind = mutation.get("patchType")
        name = "applyConfiguration" if kind == APPLY else "jsonPatch"
        at, expression = f"spec.mutations[{index}]", (mutation.get(name) or {}).get("expression") or ""
        if not expression.strip():
            continue
        at = f"{at}.{name}.expression"
        try:
            found = composition.compile(expression)
        except CompileError as error:
            yield _broken(at, expression, error)
            continue
        yield from _of_type(found, expression, at, ("Object",) if kind == APPLY else ("list(JSONPatch)",))


def expression_of(mutation: Object) -> str:
    """The expression of a mutation, of whichever kind."""
    name = "applyConfiguration" if mutation.get("patchType") == APPLY else "jsonPatch"
    return str((mutation.get(name) or {}).get("expression") or "")


def composition_of(policy: Object) -> Composition:
    """Where the expressions of a mutating policy are compiled: with the types of all objects that they write."""
    return Composition(Scope(params=bool((policy.get("spec") or {}).get("paramKind"))), mutates=True)


def _conditions(spec: Object, path: str, composition: Composition) -> Errors:
    conditions, seen = spec.get("matchConditions") or (), set()
    if len(conditions) > MOST_CONDITIONS:
        yield too_many(f"{path}.matchConditions", len(conditions), MOST_CONDITIONS)
    for index, condition in enumerate(conditions):
        at, name = f"{path}.matchConditions[{index}]", condition.get("name") or ""
        expression = (condition.get("expression") or "").strip()
        if expression:
            yield from _typed(composition, expression, f"{at}.expression", ("bool",), variables=False)
        else:
            yield required(f"{at}.expression")
        if not name:
            yield required(f"{at}.name")
        for problem in qualified_name(name) if name else ():
            yield invalid(f"{at}.name", name, problem)
        if name and name in seen:
            yield duplicate(f"{at}.name", name)
        seen.add(name)


def _variables(spec: Object, composition: Composition) -> Errors:
    for index, variable in enumerate(spec.get("variables") or ()):
        at, name = f"spec.variables[{index}]", (variable.get("name") or "").strip()
        expression = variable.get("expression") or ""
        if not name:
            yield required(f"{at}.name", "name is not specified")
        elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
            yield invalid(f"{at}.name", variable["name"], "must be a valid CEL identifier")
        if not expression.strip():
            yield required(f"{at}.expression", "expression is not specified")
            continue
        try:
            composition.add(name, expression)
        except CompileError as error:
            yield _broken(f"{at}.expression", expression, error)


def _typed(
    composition: Composition,
    expression: str,
    path: str,
    wanted: tuple[str, ...],
    *,
    authorizer: bool | None = None,
    variables: bool = True,
) -> Errors:
    """Whether an expression compiles to one of the types; what is empty is told elsewhere."""
    if not expression.strip():
        return
    try:
        program = composition.compile(expression, authorizer=authorizer, variables=variables)
    except CompileError as error:
        yield _broken(path, expression, error)
        return
    yield from _of_type(program, expression, path, wanted)


def _broken(path: str, expression: str, error: CompileError) -> FieldError:
    if isinstance(error, InstantiationError):
        return internal(path, f"program instantiation failed: {error}")
    return invalid(path, expression, f"compilation failed: {error}")


def _of_type(program: Program, expression: str, path: str, wanted: tuple[str, ...]) -> Errors:
    found = runtime_name(program.result_type)
    if found in wanted:
        return
    what = wanted[0] if len(wanted) == 1 else f"one of [{' '.join(wanted)}]"
    yield invalid(path, expression, f"must evaluate to {what} but got {found}")
