"""The type checker: gives every node of a tree its type, or says what is wrong with it, as cel-go does.

It goes through the tree once, from the leaves up. What is wrong is noted and taken for a value that goes with
everything, so that one mistake is told once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from kybern.kube.cel import ast
from kybern.kube.cel.ast import DYN, Type
from kybern.kube.cel.declarations import Declaration, Declarations
from kybern.kube.cel.shapes import Structs
from kybern.kube.cel.unify import ERROR, NULL, Variables, instance, is_open, is_variable, most_general
from kybern.kube.cel.values import UInt
from kybern.kube.cel.wording import shown_type

BOOL, INT = Type("bool"), Type("int")
Problem = tuple[int, str]  # the node's id
_LITERALS: dict[type, Type] = {
    bool: BOOL, int: INT, UInt: Type("uint"), float: Type("double"), str: Type("string"), bytes: Type("bytes"),
    type(None): NULL,
}  # fmt: skip
_TYPE_NAMES: dict[str, Type] = {
    **{name: Type(name) for name in ("bool", "bytes", "double", "int", "null_type", "string", "uint", "type")},
    "list": Type("list", (DYN,)), "map": Type("map", (DYN, DYN)), "optional_type": Type("optional_type", (DYN,)),
    "timestamp": Type("timestamp"), "duration": Type("duration"),
    "net.IP": Type("net.IP"), "net.CIDR": Type("net.CIDR"),
    "google.protobuf.Timestamp": Type("timestamp"), "google.protobuf.Duration": Type("duration"),
}  # fmt: skip


def optional(of: Type) -> Type:
    """The type of a value that may be absent."""
    return Type("optional_type", (of,))


def qualified(node: ast.Node | None) -> str:
    """The dotted name that a node spells; "" if it does not spell one."""
    if isinstance(node, ast.Ident):
        return node.name
    if isinstance(node, ast.Select) and not node.test_only:
        before = qualified(node.operand)
        return f"{before}.{node.field}" if before else ""
    return ""


class Checker:
    """Checks one tree."""

    def __init__(self, names: Mapping[str, Type], functions: Declarations, structs: Structs) -> None:
        self.problems: list[Problem] = []
        self._names = names
        self._functions = functions
        self._structs = structs
        self._scopes: list[dict[str, Type]] = []
        self._variables = Variables()
        self._types: dict[int, Type] = {}
        self._meant: dict[int, str] = {}

    def checked(self, root: ast.Node, positions: dict[int, int], deep: bool) -> ast.Checked:
        """The tree with its types; `problems` says what is wrong with it."""
        self._check(root)
        types = {at: self._variables.resolved(of, final=True) for at, of in self._types.items()}
        return ast.Checked(root, types, self._meant, positions, deep)

    def _check(self, node: ast.Node) -> Type:
        found = _CHECKS[type(node)](self, node)
        self._types[node.id] = found
        return found

    def _problem(self, node: ast.Node, what: str) -> None:
        self.problems.append((node.id, what))

    def _mismatch(self, node: ast.Node, wanted: Type, found: Type) -> None:
        self._problem(node, f"expected type '{shown_type(wanted)}' but found '{shown_type(found)}'")

    def _name(self, name: str) -> Type | None:
        if not name.startswith("."):
            for scope in reversed(self._scopes):
                if name in scope:
                    return scope[name]
        name = name.removeprefix(".")
        found = self._names.get(name)
        if found is None and (name in _TYPE_NAMES or self._structs.is_message(name)):
            found = Type("type", (_TYPE_NAMES.get(name) or Type(name),))
        return found

    def const(self, node: ast.Const) -> Type:
        return _LITERALS[type(node.value)]

    def ident(self, node: ast.Ident) -> Type:
        found = self._name(node.name)
        if found is None:
            self._problem(node, f"undeclared reference to '{node.name}' (in container '')")
            return ERROR
        return found

    def select(self, node: ast.Select) -> Type:
        name = "" if node.test_only else qualified(node)
        found = self._name(name) if name else None
        if found is not None:
            self._meant[node.id] = name.removeprefix(".")
            return found
        self._check(node.operand)
        field = self._field(node, node.operand, node.field, is_optional=False)
        return BOOL if node.test_only else self._variables.resolved(field)

    def _field(self, node: ast.Node, operand: ast.Node, name: str, is_optional: bool) -> Type:
        outer = self._variables.resolved(self._types[operand.id])
        of = outer.parameters[0] if outer.name == "optional_type" else outer
        result = ERROR
        if of.name == "map":
            result = of.parameters[1]
        elif is_variable(of):
            self._variables.assignable(DYN, of)
            result = DYN
        elif self._structs.fields(of.name) is not None:
            result = self._structs.field(of.name, name) or ERROR
            if result is ERROR:
                self._problem(node, f"undefined field '{name}'")
        elif of.name.startswith("kubernetes."):
            self._problem(node, f"unexpected failed resolution of '{of.name}'")
        elif not is_open(of):
            self._problem(node, f"type '{shown_type(of)}' does not support field selection")
        else:
            result = DYN
        return optional(result) if is_optional or outer.name == "optional_type" else result

    def call(self, node: ast.Call) -> Type:
        if node.function == "_?._" and isinstance(node.args[1], ast.Const):
            self._check(node.args[0])
            self._types[node.args[1].id] = Type("string")
            return self._field(node, node.args[0], str(node.args[1].value), is_optional=True)
        for argument in node.args:
            self._check(argument)
        if node.target is not None:
            self._check(node.target)
        overloads = self._functions.get(node.function)
        if overloads is None and node.function == "sortBy" and len(node.args) == 2:
            self.problems = [(node.args[0].id, "argument is not an identifier")]  # the parser leaves it alone
            return ERROR
        if overloads is None:
            self._problem(node, f"undeclared reference to '{node.function}' (in container '')")
            return ERROR
        return self._call(node, overloads)

    def _call(self, node: ast.Call, overloads: Sequence[Declaration]) -> Type:
        arguments = node.args if node.target is None else (node.target, *node.args)
        given = [self._types[one.id] for one in arguments]
        if node.function in ("_&&_", "_||_"):
            return self._logic(arguments)
        result: Type | None = None
        for overload in overloads:
            if overload.member is (node.target is None):
                continue
            fresh = {name: self._variables.new() for name in overload.variables}
            wanted = [instance(one, fresh) for one in overload.parameters] if fresh else overload.parameters
            if not self._variables.all_assignable(given, wanted):
                continue
            found = self._variables.resolved(instance(overload.result, fresh) if fresh else overload.result)
            if result is None:
                result = found
            elif result.name != "dyn" and found != result:
                result = DYN
        if result is None:
            kinds = [shown_type(self._variables.resolved(one, final=True)) for one in given]
            of = f"{kinds.pop(0)}." if node.target is not None else ""
            self._problem(
                node, f"found no matching overload for '{node.function}' applied to '{of}({', '.join(kinds)})'"
            )
        return result or ERROR

    def _logic(self, operands: Sequence[ast.Node]) -> Type:
        result = BOOL
        for one in operands:
            if not self._variables.assignable(self._types[one.id], BOOL):
                self._mismatch(one, BOOL, self._types[one.id])
                result = ERROR
        return result

    def list(self, node: ast.CreateList) -> Type:
        element: Type | None = None
        for at, one in enumerate(node.elements):
            found = self._entry(one, at in node.optional)
            element = found if element is None else self._joined(element, found)
        return Type("list", (element or self._variables.new(),))

    def _entry(self, node: ast.Node, is_optional: bool) -> Type:
        """The type of a value that is put into something; of what an optional one holds."""
        found = self._check(node)
        if not is_optional:
            return found
        if found.name == "optional_type":
            return found.parameters[0]
        if found.name != "dyn":
            self._mismatch(node, optional(found), found)
        return found

    def _joined(self, before: Type, found: Type) -> Type:
        return most_general(before, found) if self._variables.assignable(before, found) else DYN

    def struct(self, node: ast.CreateStruct) -> Type:
        if node.message:
            return self._message(node)
        key: Type | None = None
        value: Type | None = None
        for entry in node.entries:
            found = self._check(entry.key)
            key = found if key is None else self._joined(key, found)
            found = self._entry(entry.value, entry.optional)
            value = found if value is None else self._joined(value, found)
        return Type("map", (key or self._variables.new(), value or self._variables.new()))

    def _message(self, node: ast.CreateStruct) -> Type:
        known = self._name(node.message)
        if known is None:
            self._problem(node, f"undeclared reference to '{node.message}' (in container '')")
            return ERROR
        if known.name != "type":
            self._problem(node, f"'{shown_type(known)}' is not a type")
        elif self._structs.fields(known.parameters[0].name) is None:
            self._problem(node, f"'{shown_type(known.parameters[0])}' is not a message type")
        of = known.parameters[0] if known.name == "type" else ERROR
        for entry in node.entries:
            found = self._entry(entry.value, entry.optional)
            at = ast.Node(entry.id)
            if self._structs.fields(of.name) is None:
                unknown = f"unexpected failed resolution of '{node.message}'"
                self._problem(at, unknown if of is ERROR else f"undefined field '{entry.key}'")
                continue
            wanted = self._structs.field(of.name, entry.key)
            if wanted is None:
                self._problem(at, f"undefined field '{entry.key}'")
            elif not self._variables.assignable(wanted, found):
                kinds = f"'{shown_type(wanted)}' but provided type is '{shown_type(found)}'"
                self._problem(at, f"expected type of field '{entry.key}' is {kinds}")
        return of

    def comprehension(self, node: ast.Comprehension) -> Type:
        self._check(node.iter_range)
        accumulated = self._check(node.accu_init)
        ranged = self._variables.resolved(self._types[node.iter_range.id])
        first, second = self._elements(node, ranged)
        with self._scope({node.accu_var: accumulated}):
            names = {node.iter_var: second if not node.iter_var2 else first}
            if node.iter_var2:
                names[node.iter_var2] = second
            if ranged.name == "map" and not node.iter_var2:
                names[node.iter_var] = first
            with self._scope(names):
                self._want(node.loop_condition, BOOL)
                self._want(node.loop_step, accumulated)
            result = self._check(node.result)
        return self._variables.resolved(result)

    def _elements(self, node: ast.Comprehension, ranged: Type) -> tuple[Type, Type]:
        """What the two variables of a macro stand for; a single one is the key of a map, the element of a list."""
        if ranged.name == "list":
            return INT, ranged.parameters[0]
        if ranged.name == "map":
            return ranged.parameters[0], ranged.parameters[1]
        if is_open(ranged) or is_variable(ranged):
            self._variables.assignable(DYN, ranged)
            return DYN, DYN
        what = "cannot be range of a comprehension (must be list, map, or dynamic)"
        self._problem(node.iter_range, f"expression of type '{shown_type(ranged)}' {what}")
        return ERROR, ERROR

    def _want(self, node: ast.Node, wanted: Type) -> None:
        found = self._check(node)
        if not self._variables.assignable(wanted, found):
            self._mismatch(node, wanted, found)

    @contextmanager
    def _scope(self, names: dict[str, Type]) -> Iterator[None]:
        self._scopes.append(names)
        yield
        self._scopes.pop()


_CHECKS: dict[type, Callable[..., Type]] = {
    ast.Const: Checker.const, ast.Ident: Checker.ident, ast.Select: Checker.select, ast.Call: Checker.call,
    ast.CreateList: Checker.list, ast.CreateStruct: Checker.struct, ast.Comprehension: Checker.comprehension,
}  # fmt: skip
