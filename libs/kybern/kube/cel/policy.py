"""The expressions of admission policies: what variables they have, and how those of a policy build on each other.

`variables.x` is known by the type of its own expression, so that a later one that uses it wrongly does not compile.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kybern.kube.cel import compiler
from kybern.kube.cel.errors import CompileError, EvaluationError
from kybern.kube.cel.messages import DYN, ListOf, MapOf, Messages, Scalar, Shape, Struct, of_type, struct
from kybern.kube.cel.program import Budget, Program
from kybern.kube.cel.values import Opaque, no_such_key

TEXT, BOOL = Scalar("string"), Scalar("bool")
REQUEST_RESOURCE = "authorizer.requestResource"
_TEXTS, _INT, _TIME = ListOf(TEXT), Scalar("int"), Scalar("timestamp")
_META: dict[str, Shape] = {
    "name": TEXT, "generateName": TEXT, "namespace": TEXT, "labels": MapOf(TEXT), "annotations": MapOf(TEXT),
    "uid": TEXT, "creationTimestamp": _TIME, "deletionGracePeriodSeconds": _INT, "deletionTimestamp": _TIME,
    "resourceVersion": TEXT, "generation": _INT, "finalizers": _TEXTS, "ownerReferences": DYN, "managedFields": DYN,
}  # fmt: skip


def _request() -> Struct:
    kind = struct({"group": TEXT, "version": TEXT, "kind": TEXT})
    resource = struct({"group": TEXT, "version": TEXT, "resource": TEXT})
    fields: dict[str, Shape] = {
        "kind": kind, "resource": resource, "subResource": TEXT, "requestKind": kind, "requestResource": resource,
        "requestSubResource": TEXT, "name": TEXT, "namespace": TEXT, "operation": TEXT, "dryRun": BOOL, "options": DYN,
        "userInfo": struct({"username": TEXT, "uid": TEXT, "groups": _TEXTS, "extra": MapOf(_TEXTS)}),
    }  # fmt: skip
    return struct(fields)


def _namespace() -> Struct:
    status = struct({"conditions": DYN, "phase": TEXT})
    fields: dict[str, Shape] = {"metadata": struct(_META), "spec": struct({"finalizers": _TEXTS}), "status": status}
    return struct({**fields, "kind": TEXT, "apiVersion": TEXT})


@dataclass(frozen=True)
class Scope:
    """What an expression may speak of. `object` and `params` are shapes where they are known."""

    params: bool = False
    authorizer: bool = True
    object: Shape = DYN
    param: Shape = DYN


class Composition:
    """Compiles the expressions of one policy, its variables first and in their order."""

    def __init__(self, scope: Scope, literals: Iterable[Struct] = ()) -> None:
        self._scope = scope
        self._literals = tuple(literals)
        self._variables: dict[str, Shape] = {}
        self.programs: dict[str, Program] = {}

    def add(self, name: str, expression: str) -> Program:
        """Compile a variable: those that come later may use it. Raises CompileError; even so it is known, as dyn."""
        self._variables[name] = DYN
        program = self.compile(expression, known=[one for one in self._variables if one != name])
        self.programs[name] = program
        result = program.result_type
        self._variables[name] = of_type(result.name, result.parameters)
        return program

    def compile(
        self, expression: str, *, authorizer: bool | None = None, known: list[str] | None = None, variables: bool = True
    ) -> Program:
        """Raises CompileError."""
        with_authorizer = self._scope.authorizer if authorizer is None else authorizer
        names = [*self._variables] if known is None else known
        shapes = {name: self._variables[name] for name in names} if variables else None
        where, types = _environment(self._scope, with_authorizer, shapes, self._literals)
        return Program(compiler.check(expression, where), tuple(types))


def _environment(
    scope: Scope, authorizer: bool, variables: Mapping[str, Shape] | None, literals: tuple[Struct, ...]
) -> tuple[Any, dict[str, str]]:
    if scope.object is DYN and scope.param is DYN and not literals and not variables:
        return _plain(scope.params, authorizer, variables is not None)
    return _made(scope, authorizer, variables, literals)


@lru_cache(maxsize=16)
def _plain(params: bool, authorizer: bool, variables: bool) -> tuple[Any, dict[str, str]]:
    return _made(Scope(params, authorizer), authorizer, {} if variables else None, ())


def _made(
    scope: Scope, authorizer: bool, variables: Mapping[str, Shape] | None, literals: tuple[Struct, ...]
) -> tuple[Any, dict[str, str]]:
    messages = Messages()
    shapes: dict[str, Shape] = {
        "object": scope.object, "oldObject": scope.object, "request": _request(), "namespaceObject": _namespace(),
    }  # fmt: skip
    if scope.params:
        shapes["params"] = scope.param
    if variables is not None:
        shapes["variables"] = struct(variables)
    types = {name: messages.type_of(shape) for name, shape in shapes.items()}
    for literal in literals:
        messages.type_of(literal)
    if authorizer:
        types |= {"authorizer": "kubernetes.authorization.Authorizer"}
        types |= {REQUEST_RESOURCE: "kubernetes.authorization.ResourceCheck"}
    return compiler.environment(types, messages.pool()), types


class Variables(Opaque):
    """The values of a policy's variables, each computed when it is first asked for, and once."""

    type_name = "kubernetes.variables"
    __slots__ = ("_budget", "_known", "_programs", "_values")

    def __init__(self, programs: Mapping[str, Program], values: Mapping[str, Any], budget: Budget) -> None:
        self._programs = programs
        self._values = {**values, "variables": self}
        self._budget = budget
        self._known: dict[str, Any] = {}

    def member(self, name: str) -> Any:
        if name in self._known:
            found = self._known[name]
            if isinstance(found, EvaluationError):
                raise found
            return found
        program = self._programs.get(name)
        if program is None:
            raise no_such_key(name)
        try:
            found = program.evaluate(self._values, self._budget)
        except EvaluationError as error:
            self._known[name] = found = EvaluationError(f'composited variable "{name}" fails to evaluate: {error}')
            raise found from None
        self._known[name] = found
        return found


__all__ = ["REQUEST_RESOURCE", "CompileError", "Composition", "Scope", "Variables"]
