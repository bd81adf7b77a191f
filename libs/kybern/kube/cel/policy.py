"""The expressions of admission policies: what variables they have, and how those of a policy build on each other.

`variables.x` is known by the type of its own expression, so that a later one that uses it wrongly does not compile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kybern.kube.cel import ast, compiler
from kybern.kube.cel.declarations import read_type
from kybern.kube.cel.errors import CompileError, EvaluationError
from kybern.kube.cel.program import Budget, Program
from kybern.kube.cel.shapes import DYN, ListOf, MapOf, Scalar, Shape, Struct, Structs, struct
from kybern.kube.cel.values import Opaque, no_such_key

TEXT, BOOL = Scalar("string"), Scalar("bool")
REQUEST_RESOURCE = "authorizer.requestResource"
OBJECT, JSON_PATCH = "Object", "JSONPatch"  # what mutations write
_TEXTS, _INT, _TIME = ListOf(TEXT), Scalar("int"), Scalar("timestamp")
_META: dict[str, Shape] = {
    "name": TEXT, "generateName": TEXT, "namespace": TEXT, "labels": MapOf(TEXT), "annotations": MapOf(TEXT),
    "UID": TEXT, "creationTimestamp": _TIME, "deletionGracePeriodSeconds": _INT, "deletionTimestamp": _TIME,
    "resourceVersion": TEXT, "generation": _INT, "finalizers": _TEXTS,
}  # fmt: skip

_PATCH: dict[str, Shape] = {"op": TEXT, "path": TEXT, "from": TEXT, "value": DYN}


def _request() -> Struct:
    kind = struct({"group": TEXT, "version": TEXT, "kind": TEXT}, "kubernetes.GroupVersionKind")
    resource = struct({"group": TEXT, "version": TEXT, "resource": TEXT}, "kubernetes.GroupVersionResource")
    user: dict[str, Shape] = {"username": TEXT, "uid": TEXT, "groups": _TEXTS, "extra": MapOf(_TEXTS)}
    fields: dict[str, Shape] = {
        "kind": kind, "resource": resource, "subResource": TEXT, "requestKind": kind, "requestResource": resource,
        "requestSubResource": TEXT, "name": TEXT, "namespace": TEXT, "operation": TEXT, "dryRun": BOOL, "options": DYN,
        "userInfo": struct(user, "kubernetes.UserInfo"),
    }  # fmt: skip
    return struct(fields, "kubernetes.AdmissionRequest")


def _namespace() -> Struct:
    told: dict[str, Shape] = {
        "type": TEXT,
        "status": TEXT,
        "reason": TEXT,
        "message": TEXT,
        "lastTransitionTime": _TIME,
    }
    condition = struct(told, "kubernetes.NamespaceCondition")
    fields: dict[str, Shape] = {
        "metadata": struct(_META, "kubernetes.NamespaceMetadata"),
        "spec": struct({"finalizers": _TEXTS}, "kubernetes.NamespaceSpec"),
        "status": struct({"conditions": ListOf(condition), "phase": TEXT}, "kubernetes.NamespaceStatus"),
    }
    return struct(fields, "kubernetes.Namespace")


def namespace_object(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """A namespace as expressions see it."""
    metadata = {name: one for name, one in namespace["metadata"].items() if name != "managedFields"}
    return {"metadata": metadata, **{name: namespace[name] for name in ("spec", "status") if name in namespace}}


@dataclass(frozen=True)
class Scope:
    """What an expression may speak of. `object` and `params` are shapes where they are known."""

    params: bool = False
    authorizer: bool = True
    object: Shape = DYN
    param: Shape = DYN


class Composition:
    """Compiles the expressions of one policy, its variables first and in their order."""

    def __init__(self, scope: Scope, mutates: bool = False) -> None:
        self._scope = scope
        self._mutates = mutates
        self._variables: dict[str, Shape] = {}
        self.programs: dict[str, Program] = {}

    def add(self, name: str, expression: str) -> Program:
        """Compile a variable: those that come later may use it. Raises CompileError; even so it is known, as dyn."""
        self._variables[name] = DYN
        known = [one for one in self._variables if one != name]
        program = self.compile(expression, known=known, mutates=False)
        self.programs[name] = program
        self._variables[name] = _kept(program.result_type)
        return program

    def compile(
        self,
        expression: str,
        *,
        authorizer: bool | None = None,
        known: list[str] | None = None,
        variables: bool = True,
        mutates: bool = True,
    ) -> Program:
        """Raises CompileError."""
        with_authorizer = self._scope.authorizer if authorizer is None else authorizer
        names = [*self._variables] if known is None else known
        shapes = {name: self._variables[name] for name in names} if variables else None
        where = _environment(self._scope, with_authorizer, shapes, self._mutates and mutates)
        return Program(compiler.check(expression, where), tuple(where.types))


def _kept(of: ast.Type) -> ast.Type:
    """What is known of a variable by those that use it: structs and the values of libraries are of any type."""
    if of.name == "list" or (of.name == "map" and of.parameters[0].name == "string"):
        return ast.Type(of.name, tuple(map(_kept, of.parameters)))
    return of if of.name in _KEPT else ast.DYN


_KEPT = ("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint")


def _environment(
    scope: Scope, authorizer: bool, variables: Mapping[str, Shape] | None, mutates: bool
) -> compiler.Environment:
    if scope.object is DYN and scope.param is DYN and not variables:
        return _plain(scope.params, authorizer, variables is not None, mutates)
    return _made(scope, authorizer, variables, mutates)


@lru_cache(maxsize=16)
def _plain(params: bool, authorizer: bool, variables: bool, mutates: bool) -> compiler.Environment:
    return _made(Scope(params, authorizer), authorizer, {} if variables else None, mutates)


def _made(scope: Scope, authorizer: bool, variables: Mapping[str, Shape] | None, mutates: bool) -> compiler.Environment:
    shapes: dict[str, Shape] = {
        "object": scope.object, "oldObject": scope.object, "request": _request(), "namespaceObject": _namespace(),
    }  # fmt: skip
    if scope.params:
        shapes["params"] = scope.param
    if variables is not None:
        shapes["variables"] = struct(variables, "kubernetes.variables")
    structs = Structs(OBJECT if mutates else "", JSON_PATCH)
    if mutates:
        structs.type_of(struct(_PATCH), JSON_PATCH)
    types: dict[str, ast.Type] = {name: structs.type_of(shape, name) for name, shape in shapes.items()}
    if authorizer:
        types["authorizer"] = read_type("kubernetes.authorization.Authorizer")
        types[REQUEST_RESOURCE] = read_type("kubernetes.authorization.ResourceCheck")
    return compiler.Environment(types, structs, patches=mutates)


class Variables(Opaque):
    """The values of a policy's variables, each computed when it is first asked for, and once."""

    type_name = "kubernetes.variables"
    __slots__ = ("_budget", "_known", "_programs", "_values")

    def __init__(self, programs: Mapping[str, Program], values: Mapping[str, Any], budget: Budget) -> None:
        self._programs = programs
        self._values = {**values, "variables": self}
        self._budget = budget
        self._known: dict[str, Any] = {}

    def has(self, name: str) -> bool:
        return name in self._programs and self.member(name) is not self

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


__all__ = ["JSON_PATCH", "OBJECT", "REQUEST_RESOURCE", "CompileError", "Composition", "Scope", "Variables"]
