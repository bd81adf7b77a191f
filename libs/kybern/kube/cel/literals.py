"""Objects that mutations write: `Object{spec: Object.spec{replicas: 3}}` and `JSONPatch{op: 'add', ...}`.

The name of a type is the path to its field: any field may be written, and what is written must agree with its name.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.evaluator import Message
from kybern.kube.cel.library.authorizer import PREFIX
from kybern.kube.cel.library.times import duration_text, timestamp_text
from kybern.kube.cel.policy import JSON_PATCH, OBJECT
from kybern.kube.cel.values import Duration, Opaque, Optional, Timestamp, TypeValue, UInt, type_name
from kybern.kube.go_values import Foreign

_NO_JSON = "JSONPath valueExpression evaluated to a type that could not marshal to JSON"
_EXACT = 2**53 - 1  # beyond it, JSON has whole numbers as texts
_ESCAPED = {"dot": ".", "dash": "-", "slash": "/", "underscores": "__"}


def to_object(value: Any) -> dict[str, Any]:
    """The configuration that an expression has written; Foreign for what is no JSON. Raises EvaluationError."""
    if not isinstance(value, Message) or value.name != OBJECT:
        raise EvaluationError(f"must evaluate to Object but got {type_name(value)}")
    found = _checked(value, _typed)
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
        operation = {name: _value(part) if name == "value" else part for name, part in one.items()}
        if not operation.get("from"):
            operation.pop("from", None)
        found.append({"op": "", "path": "", **operation})
    return found


def _value(value: Any) -> Any:
    """The value of an operation. Raises EvaluationError."""
    if isinstance(value, Message):
        return _checked(value, _json)
    try:
        return _json(value)
    except EvaluationError as error:
        raise EvaluationError(f"{_NO_JSON}: {error}") from None


def _checked(value: Message, made: Callable[[Any], Any]) -> Any:
    _check_names(value, value.name)
    return made(value)


def _check_names(value: Any, expected: str) -> None:
    """Whether the types of objects are named as the fields that they are in. Raises EvaluationError."""
    if isinstance(value, Message):
        if value.name != expected:
            raise EvaluationError(
                f'type mismatch: unexpected type name "{value.name}", expected '
                f'"{expected}", which matches field name path from root Object type'
            )
        for name, part in value.items():
            _check_names(part, f"{value.name}.{name}")
    elif isinstance(value, Mapping):
        for part in value.values():
            _check_names(part, expected)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _check_names(part, expected)


def _typed(value: Any) -> Any:
    """A value of a configuration, which is looked at by its type in Go."""
    if isinstance(value, Message):
        return {_unescaped(name): _typed(part) for name, part in value.items()}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise EvaluationError("invalid return type: *dynamic.ObjectVal")
        return {name: _typed(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_typed(part) for part in value]
    match value:
        case None:
            return Foreign("NULL_VALUE", "0", "structpb.NullValue")
        case bytes():
            inner = ", ".join(f"{one:#x}" for one in value)
            return Foreign(f"[{' '.join(map(str, value))}]", f"[]uint8{{{inner}}}", "[]uint8", _base64(value))
        case Optional():
            return _typed(value.value) if value.present else None
        case Opaque() | TypeValue():
            shown = str(value)
            return Foreign(shown, shown, type_name(value), shown)
    return _time(value)


def _json(value: Any) -> Any:
    """A value as JSON. Raises EvaluationError."""
    if isinstance(value, Message):
        return {_unescaped(name): _json(part) for name, part in value.items()}
    if isinstance(value, Mapping):
        return {_key(name): _json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(part) for part in value]
    match value:
        case bytes():
            return _base64(value)
        case float() if value.is_integer():
            return int(value)
        case Optional():
            if not value.present:
                raise EvaluationError("optional.none() dereference")
            return _json(value.value)
        case TypeValue():
            raise EvaluationError("type conversion not supported for 'type'")
        case Opaque():
            name = value.type_name
            shown = name if name.startswith(PREFIX) else name.rpartition(".")[2]
            raise EvaluationError(f"type conversion error from '{shown}' to '*structpb.Value'")
        case int() if not isinstance(value, bool) and abs(value) > _EXACT:
            return str(value)
    return _time(value)


def _time(value: Any) -> Any:
    match value:
        case Timestamp():
            return timestamp_text(value)
        case Duration():
            return duration_text(value)
        case UInt():
            return int(value)
    return value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    raise EvaluationError(f"unsupported type conversion from '{type_name(key)}' to string")


def _unescaped(name: str) -> str:
    """A field as the object has it: names that are no identifiers are written with words between underscores."""
    if re.fullmatch("__[a-z]+__", name) and name.strip("_") not in _ESCAPED:
        return name.strip("_")
    return re.sub(r"__(dot|dash|slash|underscores)__", lambda match: _ESCAPED[match[1]], name)
