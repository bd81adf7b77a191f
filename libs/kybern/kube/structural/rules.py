"""x-kubernetes-validations: rules in CEL that a value keeps, and transition rules that its changes keep.

A rule that speaks of `oldSelf` is judged only where there is a value before the change to compare with, unless it says
`optionalOldSelf`. Other rules are not judged again for a value that an update leaves alone.
"""

import base64
import re
from collections.abc import Iterator
from typing import Any

from kybern.kube.cel import CompileError, EvaluationError, Program, compile_expression
from kybern.kube.cel.library.times import duration, timestamp
from kybern.kube.cel.values import NONE, some
from kybern.kube.field import OMITTED, ErrorType, FieldError, duplicate, forbidden, invalid, required
from kybern.kube.structural.lists import identity
from kybern.kube.structural.node import MISSING, Definition, Node
from kybern.kube.structural.values import NOWHERE, unchanged

_OLD = re.compile(r"\boldSelf\b")
_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED = frozenset(
    {
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return",
    }
)  # fmt: skip
BLOCKING = frozenset(
    {ErrorType.NOT_SUPPORTED, ErrorType.REQUIRED, ErrorType.TOO_LONG, ErrorType.TOO_MANY, ErrorType.TYPE_INVALID}
)
NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)


def program(rule: Definition, member: str = "rule") -> Program:
    """The compiled rule or message expression. Raises CompileError."""
    text = rule[member]
    return compile_expression(text, ("self", "oldSelf"))


def check_rules(node: Node, value: Any, path: str, errors: list[FieldError], old: Any = MISSING) -> None:
    """Every rule that a value or its change breaks."""
    if not node.has_rules or value is None:
        return
    if node.rules:
        same = old is not MISSING and unchanged(value, old)
        for rule in node.rules:
            uses_old = _OLD.search(rule["rule"]) is not None
            if uses_old and old is MISSING and not rule.get("optionalOldSelf"):
                continue
            if same and not uses_old:
                continue
            errors.extend(_judge(node, rule, value, old, path))
    for inner, part, at, before in _parts(node, value, path, old):
        check_rules(inner, part, at, errors, before)


def _parts(node: Node, value: Any, path: str, old: Any) -> Iterator[tuple[Node, Any, str, Any]]:
    if type(value) is dict:
        before = old if type(old) is dict else {}
        for name, part in value.items():
            inner = node.member(name)
            if inner is not None and inner.has_rules:
                yield inner, part, f"{path}.{name}" if path else name, before.get(name, MISSING)
    elif type(value) is list and node.items is not None and node.items.has_rules:
        known: dict[bytes, Any] = {}
        if node.list_type == "map" and type(old) is list:
            known = {identity(item, node.list_keys): item for item in old}
        for index, item in enumerate(value):
            before = known.get(identity(item, node.list_keys), MISSING) if known else MISSING
            yield node.items, item, f"{path}[{index}]", before


def _judge(node: Node, rule: Definition, value: Any, old: Any, path: str) -> Iterator[FieldError]:
    shown = node.schema.get("type") or ""
    values = {"self": to_cel(node, value)}
    before = None if old is MISSING else to_cel(node, old)
    if rule.get("optionalOldSelf"):
        values["oldSelf"] = NONE if old is MISSING else some(before)
    else:
        values["oldSelf"] = before
    named = (rule.get("message") or rule["rule"]).strip()
    where = path or NOWHERE
    try:
        good = program(rule).evaluate(values)
    except CompileError as error:
        yield invalid(where, shown, f"rule compile error: {error}")
        return
    except EvaluationError as error:
        if str(error).startswith("no such overload"):
            detail = (
                f"'{error}': call arguments did not match a supported operator, function or macro signature for rule: "
            )
            yield invalid(where, shown, detail + named)
        else:
            yield invalid(where, shown, f"{error} evaluating rule: {named}")
        return
    if good is not True:
        bad = OMITTED if type(value) in (dict, list) else value
        yield _broken(rule, values, where + (rule.get("fieldPath") or ""), bad)


def _broken(rule: Definition, values: dict[str, Any], path: str, bad: Any) -> FieldError:
    message = (rule.get("message") or "").strip() or f"failed rule: {rule['rule'].strip()}"
    if rule.get("messageExpression"):
        try:
            said = program(rule, "messageExpression").evaluate(values)
        except (CompileError, EvaluationError):
            said = ""
        if isinstance(said, str) and said.strip() and "\n" not in said:
            message = said.strip()
    match rule.get("reason"):
        case "FieldValueForbidden":
            return forbidden(path, message)
        case "FieldValueRequired":
            return required(path, message)
        case "FieldValueDuplicate":
            return duplicate(path, bad)
    return invalid(path, bad, message)


def to_cel(node: Node | None, value: Any) -> Any:
    """A value as CEL sees it: names of fields that are no identifiers escaped, times and durations as such."""
    if node is None:
        return value
    if type(value) is dict:
        return {
            escape(name) if name in node.properties else name: to_cel(node.member(name), part)
            for name, part in value.items()
            if name in node.properties or node.additional is not None or node.preserve or not node.properties
        }
    if type(value) is list:
        return [to_cel(node.items, item) for item in value]
    if type(value) is str and node.format and node.types == ("string",):
        return _formatted(node.format, value)
    return value


def escape(name: str) -> str:
    """The name of a field as an identifier."""
    if name in _RESERVED:
        return f"__{name}__"
    if _IDENTIFIER.fullmatch(name) and "__" not in name:
        return name
    for character, word in (("__", "underscores"), (".", "dot"), ("-", "dash"), ("/", "slash")):
        name = name.replace(character, f"\0{word}\0")
    return name.replace("\0", "__")


def _formatted(shape: str, value: str) -> Any:
    try:
        if shape in ("date-time", "date", "datetime"):
            return timestamp(value if "T" in value.upper() else f"{value}T00:00:00Z")
        if shape == "duration":
            return duration(value)
        if shape == "byte":
            return base64.b64decode(value)
    except ValueError:
        return value
    return value


def check_compiles(schema: Definition, path: str) -> list[FieldError]:
    """Every rule of a schema that is no expression."""
    errors = []
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        at = f"{path}.x-kubernetes-validations[{index}]"
        if not (rule.get("rule") or "").strip():
            errors.append(required(f"{at}.rule", "rule is not specified"))
            continue
        for member in ("rule", "messageExpression"):
            if rule.get(member):
                try:
                    program(rule, member)
                except CompileError as error:
                    errors.append(invalid(f"{at}.{member}", rule[member], f"compilation failed: {error}"))
        if rule.get("optionalOldSelf") and not _OLD.search(rule["rule"]):
            detail = "may not be set if oldSelf is not used in rule"
            errors.append(invalid(f"{at}.optionalOldSelf", True, detail))
    return errors
