"""Objects that mutations write: `Object{spec: Object.spec{replicas: 3}}` and `JSONPatch{op: 'add', ...}`.

The name of a type is the path to its field: any field may be written, and what is written must agree with its name. For
the compiler, which wants messages with known fields, an expression's own literals say which fields there are; dots in
names become underscores of the same length, so that errors point to the right place.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kybern.kube.cel import ast, compiler, pieces, spans, wording
from kybern.kube.cel.errors import CompileError, EvaluationError
from kybern.kube.cel.evaluator import Message
from kybern.kube.cel.library.standard import to_string
from kybern.kube.cel.library.times import duration_text, timestamp_text
from kybern.kube.cel.messages import DYN, Scalar, Shape, Struct, struct
from kybern.kube.cel.policy import Composition
from kybern.kube.cel.program import Program
from kybern.kube.cel.values import Duration, Opaque, Timestamp, UInt, type_name
from kybern.kube.cel.walk import children

OBJECT, JSON_PATCH = "Object", "JSONPatch"
_PATCH: dict[str, Shape] = {"op": Scalar("string"), "path": Scalar("string"), "from": Scalar("string"), "value": DYN}
_TOKEN = re.compile(
    r"""(?P<skipped>//[^\n]*|[rRbB]{0,2}(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|"""
    r"""'(?:\\.|[^'\\\n])*'))|(?<![\w.])(?P<name>Object(?:\.\w+)*)(?=\s*\{)""",
    re.DOTALL,
)
_ESCAPED = {"dot": ".", "dash": "-", "slash": "/", "underscores": "__"}


def plain_names(expression: str) -> str:
    """The expression with names of types that are single words."""
    return _TOKEN.sub(lambda match: match[0] if match["skipped"] else match[0].replace(".", "_"), expression)


def types_of(expression: str) -> list[Struct]:
    """The messages of an expression with plain names. Raises CompileError if it cannot be read."""
    found: dict[str, dict[str, Shape]] = {OBJECT: {}}
    for node in _parsed(expression):
        _collect(node, found)
    return [struct(fields, name) for name, fields in found.items()] + [struct(_PATCH, JSON_PATCH)]


def _parsed(expression: str) -> list[ast.Node]:
    """The tree, or those of the pieces of what nests too deeply for one."""
    try:
        return [_tree(expression)]
    except CompileError as error:
        if not pieces.is_too_deep(error):
            raise
        with pieces.deeper():
            span = spans.read(expression)
            if span is None:
                raise
            return [_tree(text) for text in pieces.texts(expression, pieces.cut(span))]


def _tree(expression: str) -> ast.Node:
    try:
        return ast.read_parsed(compiler.untyped(()).compile(expression, disable_check=True).serialize())
    except (RuntimeError, ValueError, UnicodeEncodeError) as error:
        raise CompileError(wording.worded(str(error))) from None


def _collect(node: ast.Node, found: dict[str, dict[str, Shape]]) -> None:
    if isinstance(node, ast.CreateStruct) and (node.message == OBJECT or node.message.startswith(f"{OBJECT}_")):
        fields = found.setdefault(node.message, {})
        fields.update((entry.key, DYN) for entry in node.entries if isinstance(entry.key, str))
    for child in children(node):
        _collect(child, found)


def to_object(value: Any) -> dict[str, Any]:
    """The configuration that an expression has written. Raises EvaluationError."""
    if not isinstance(value, Message) or value.name != OBJECT:
        raise EvaluationError(f"must evaluate to Object but got {type_name(value)}")
    found = _json(value, OBJECT)
    assert isinstance(found, dict)
    return found


def to_operations(value: Any) -> list[dict[str, Any]]:
    """The operations that an expression has written. Raises EvaluationError."""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise EvaluationError(f"must evaluate to list of JSONPatch but got {type_name(value)}")
    found = []
    for one in value:
        if not isinstance(one, Message) or one.name != JSON_PATCH:
            raise EvaluationError(f"must evaluate to list of JSONPatch but got list of {type_name(one)}")
        found.append({name: _json(part, "") for name, part in one.items()})
    return found


def _json(value: Any, expected: str) -> Any:
    """A value as JSON. `expected` is the name that the type of an object must have, "" if it may have any."""
    if isinstance(value, Message):
        if expected and value.name != expected:
            raise EvaluationError(
                f'type mismatch: unexpected type name "{value.name.replace("_", ".")}", expected '
                f'"{expected.replace("_", ".")}", which matches field name path from root Object type'
            )
        return {_unescaped(name): _json(part, f"{value.name}_{name}") for name, part in value.items()}
    if isinstance(value, Mapping):
        return {_key(name): _json(part, expected) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(part, expected) for part in value]
    match value:
        case Timestamp():
            return timestamp_text(value)
        case Duration():
            return duration_text(value)
        case bytes():
            return to_string(value)
        case UInt():
            return int(value)
        case Opaque():
            return str(value)
    return value


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    raise EvaluationError(f"map key must be a string but got {type_name(key)}")


def _unescaped(name: str) -> str:
    """A field as the object has it: names that are no identifiers are written with words between underscores."""
    if re.fullmatch("__[a-z]+__", name) and name.strip("_") not in _ESCAPED:
        return name.strip("_")
    return re.sub(r"__(dot|dash|slash|underscores)__", lambda match: _ESCAPED[match[1]], name)


def compile_mutation(composition: Composition, expression: str) -> Program:
    """A program that writes objects. `composition` knows the types of `types_of`. Raises CompileError."""
    try:
        return composition.compile(plain_names(expression))
    except CompileError as error:
        raise CompileError(_dotted(expression, str(error))) from None


def _dotted(expression: str, text: str) -> str:
    names = {match["name"] for match in _TOKEN.finditer(expression) if match["name"]}
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name.replace(".", "_"), name)
    return text
