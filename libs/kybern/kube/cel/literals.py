"""Objects that mutations write: `Object{spec: Object.spec{replicas: 3}}` and `JSONPatch{op: 'add', ...}`.

The name of a type is the path to its field: any field may be written, and what is written must agree with its name.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.evaluator import Message
from kybern.kube.cel.library.standard import to_string
from kybern.kube.cel.library.times import duration_text, timestamp_text
from kybern.kube.cel.policy import JSON_PATCH, OBJECT
from kybern.kube.cel.values import Duration, Opaque, Timestamp, UInt, type_name

_ESCAPED = {"dot": ".", "dash": "-", "slash": "/", "underscores": "__"}


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
                f'type mismatch: unexpected type name "{value.name}", expected '
                f'"{expected}", which matches field name path from root Object type'
            )
        return {_unescaped(name): _json(part, f"{value.name}.{name}") for name, part in value.items()}
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
