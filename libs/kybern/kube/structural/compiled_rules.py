"""The rules of one place of a schema, compiled against the type that the schema declares; once, when first needed."""

from dataclasses import dataclass
from typing import Any

from kybern.kube.cel import CompileError, Program, compiler
from kybern.kube.cel.checker import optional
from kybern.kube.cel.cost import estimate
from kybern.kube.cel.errors import InstantiationError
from kybern.kube.cel.shapes import Structs
from kybern.kube.structural.declared import Declared, declare
from kybern.kube.structural.node import Definition, Node

VARIABLES = ("self", "oldSelf")
SELF = "selfType0"  # how messages call the type of what a rule is about


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """A rule with what its expressions compile to. `error`: why one of them does not."""

    given: Definition
    program: Program | None
    message: Program | None
    uses_old: bool
    optional_old: bool
    error: str = ""
    message_error: str = ""

    @property
    def name(self) -> str:
        """How messages name it."""
        return str(self.given.get("message") or self.given["rule"]).strip()


class Place:
    """The type at a place, and the environments in which its rules are compiled."""

    def __init__(self, schema: Definition, is_root: bool) -> None:
        self.declared: Declared | None = declare(schema, is_root)
        self._environments: dict[bool, Any] = {}

    def _environment(self, optional_old: bool) -> Any:
        found = self._environments.get(optional_old)
        if found is None:
            assert self.declared is not None
            structs = Structs()
            own = structs.type_of(self.declared.shape, SELF)
            types = {"self": own, "oldSelf": optional(own) if optional_old else own}
            found = self._environments[optional_old] = compiler.Environment(types, structs)
        return found

    def compile(self, expression: str, optional_old: bool, wanted: str) -> Program:
        """Raises CompileError: also when the value is not of the wanted type."""
        if self.declared is None:
            raise CompileError("rules are not supported on values without a declared type")
        checked = compiler.check(expression, self._environment(optional_old))
        if str(checked.type_of(checked.root)) != wanted:
            raise WrongType(wanted)
        return Program(checked, VARIABLES)

    def cost(self, program: Program) -> int:
        """The most that it can cost to evaluate once."""
        declared = self.declared
        assert declared is not None

        def size_of(path: tuple[str, ...]) -> int | None:
            found = declared.at(path[1:])  # upstream takes every name for that of the object
            return None if found is None else found.elements

        return estimate(program.checked, size_of)


class WrongType(CompileError):
    """The expression has a value of another type."""


def compile_rules(node: Node, is_root: bool = False) -> tuple[Rule, ...]:
    """The compiled rules of a node."""
    if node.compiled is None:
        place = Place(node.schema, is_root)
        node.compiled = tuple(compile_rule(place, rule) for rule in node.rules)
    found: tuple[Rule, ...] = node.compiled
    return found


def compile_rule(place: Place, rule: Definition) -> Rule:
    """One rule; what does not compile is said in it."""
    optional = bool(rule.get("optionalOldSelf"))
    program, error = _compiled(place, rule["rule"], optional, "bool")
    message, message_error = None, ""
    if not error and (rule.get("messageExpression") or "").strip():
        message, message_error = _compiled(place, rule["messageExpression"], optional, "string")
    uses_old = program is not None and "oldSelf" in program.uses
    return Rule(rule, program, message, uses_old, optional, error, message_error)


def _compiled(place: Place, expression: str, optional_old: bool, wanted: str) -> tuple[Program | None, str]:
    try:
        return place.compile(expression, optional_old, wanted), ""
    except WrongType:
        what = "cel expression" if wanted == "bool" else "messageExpression"
        return None, f"{what} must evaluate to a {wanted}"
    except InstantiationError as error:
        return None, f"{'' if wanted == 'bool' else 'messageExpression '}program instantiation failed: {error}"
    except CompileError as error:
        return None, f"{'' if wanted == 'bool' else 'messageExpression '}compilation failed: {error}"
