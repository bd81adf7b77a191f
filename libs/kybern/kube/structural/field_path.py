"""Field paths of schemas, such as `.spec.name` or `.labels['a.b']`: where in a schema they lead."""

import re
from collections.abc import Iterator

from kybern.kube.structural.node import Definition

_TOKEN = re.compile(r"[.\[\]]|'(?:[^'\\]|\\.)*'|[^.\[\]]+", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'"}
END = "unexpected end of JSON path"
NOWHERE = "does not refer to a valid field"


class WrongPath(ValueError):
    """The path leads nowhere; the message says why."""


def follow(text: str, schema: Definition, arrays: bool = True) -> tuple[tuple[str, ...], Definition]:
    """The names on the way, and the schema at its end. `arrays`: whether brackets are allowed. Raises WrongPath."""
    names: list[str] = []
    tokens = _tokens(text)
    for token in tokens:
        if token == "[":
            if not arrays:
                raise WrongPath("array notation is not allowed")
            name = _quoted(next(tokens, None))
            schema = _step(schema, name)
            closing = next(tokens, None)
            if closing != "]":
                raise WrongPath(END if closing is None else f"expected ] but got {closing}")
        elif token == ".":
            following = next(tokens, None)
            if following is None:
                raise WrongPath(END)
            name = following
            schema = _step(schema, name)
        else:
            raise WrongPath(f"expected [ or . but got: {token}")
        names.append(name)
    return tuple(names), schema


def told(text: str, schema: Definition) -> str:
    """How errors name the place: keys of maps between brackets. What leads nowhere is told as it is written."""
    try:
        names, _ = follow(text, schema)
    except WrongPath:
        return text.removeprefix(".")
    found = ""
    for name in names:
        properties = schema.get("properties")
        found += f"{'.' if found else ''}{name}" if properties else f"[{name}]"
        schema = _step(schema, name)
    return found


def _tokens(text: str) -> Iterator[str]:
    return (match[0] for match in _TOKEN.finditer(text))


def _quoted(token: str | None) -> str:
    if token is None:
        raise WrongPath(END)
    if len(token) < 2 or token[0] != "'" or token[-1] != "'":
        raise WrongPath(f"expected single quoted string but got {token}")
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), token[1:-1])


def _step(schema: Definition, name: str) -> Definition:
    properties, more = schema.get("properties"), schema.get("additionalProperties")
    found = properties.get(name) if properties else more
    if not isinstance(found, dict):
        raise WrongPath(NOWHERE)
    return found
