"""An OpenAPI v2 document in protobuf, the one form in which kubectl and Helm read it.

The messages are those of gnostic's `openapi.v2`; the tables below hold the field numbers of what our documents use.
Free values (defaults, enums, extensions) travel as YAML.
"""

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson
import yaml

from kybern.kube.varint import varint

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
JSON = dict[str, Any]
Writer = Callable[[int, Any], bytes]
Rules = dict[str, tuple[int, Writer]]
EXTENSION = "x-"


def encode(document: JSON) -> bytes:
    """A document made by `v2` as a serialized `openapi.v2.Document`."""
    return _message(DOCUMENT, document)


def _message(rules: Rules, value: JSON) -> bytes:
    parts = []
    for key, part in value.items():
        rule = rules.get(key)
        if rule is not None:
            parts.append(rule[1](rule[0], part))
        elif key.startswith(EXTENSION):
            parts.append(_bytes(rules[EXTENSION][0], _text(1, key) + _free(2, part)))
        else:
            raise ValueError(f"an OpenAPI v2 document has no {key!r} here")
    return b"".join(parts)


def _bytes(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _flag(number: int, value: bool) -> bytes:
    return varint(number << 3) + (b"\1" if value else b"\0")


def _number(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def _double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def _free(number: int, value: Any) -> bytes:
    """An `Any`: its second field is YAML."""
    return _bytes(number, _bytes(2, _yaml(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))))


@lru_cache(maxsize=4096)
def _yaml(encoded: bytes) -> bytes:
    """YAML of a JSON text, a member a line; the same few values come thousands of times."""
    text: str = yaml.dump(orjson.loads(encoded), Dumper=yaml.CSafeDumper, default_flow_style=False, allow_unicode=True)
    return text.removesuffix("...\n").encode()


def _each(writer: Writer) -> Writer:
    return lambda number, values: b"".join(writer(number, value) for value in values)


def _inside(writer: Writer, *numbers: int) -> Writer:
    """The value within messages that only wrap it, the innermost number first."""

    def write(number: int, value: Any) -> bytes:
        written = writer(numbers[0], value)
        for outer in numbers[1:]:
            written = _bytes(outer, written)
        return _bytes(number, written)

    return write


def _sub(rules: Rules) -> Writer:
    return lambda number, value: _bytes(number, _message(rules, value))


def _named(writer: Writer, member: int = 1) -> Writer:
    """A message whose one repeated field holds pairs of name and value."""

    def write(number: int, values: JSON) -> bytes:
        pairs = (_bytes(member, _text(1, name) + writer(2, value)) for name, value in values.items())
        return _bytes(number, b"".join(pairs))

    return write


def _parameter(number: int, value: JSON) -> bytes:
    kind, rules = {"body": (0, BODY), "query": (3, QUERY), "path": (4, PATH)}[value["in"]]
    written = _message(rules, value)
    return _bytes(number, _bytes(1, _bytes(2, _bytes(kind, written)) if kind else _bytes(1, written)))


_texts = _each(_text)
SCHEMA: Rules = {}
SCHEMA |= {
    "$ref": (1, _text),
    "format": (2, _text),
    "title": (3, _text),
    "description": (4, _text),
    "default": (5, _free),
    "multipleOf": (6, _double),
    "maximum": (7, _double),
    "exclusiveMaximum": (8, _flag),
    "minimum": (9, _double),
    "exclusiveMinimum": (10, _flag),
    "maxLength": (11, _number),
    "minLength": (12, _number),
    "pattern": (13, _text),
    "maxItems": (14, _number),
    "minItems": (15, _number),
    "uniqueItems": (16, _flag),
    "maxProperties": (17, _number),
    "minProperties": (18, _number),
    "required": (19, _texts),
    "enum": (20, _each(_free)),
    "additionalProperties": (21, _inside(_sub(SCHEMA), 1)),
    "type": (22, _inside(_text, 1)),
    "items": (23, _inside(_sub(SCHEMA), 1)),
    "allOf": (24, _each(_sub(SCHEMA))),
    "properties": (25, _named(_sub(SCHEMA))),
    EXTENSION: (31, _free),
}
BODY: Rules = {
    "description": (1, _text),
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _flag),
    "schema": (5, _sub(SCHEMA)),
}
_SIMPLE: Rules = {"required": (1, _flag), "in": (2, _text), "description": (3, _text), "name": (4, _text)}
QUERY: Rules = {**_SIMPLE, "type": (6, _text), "format": (7, _text), "uniqueItems": (20, _flag)}
PATH: Rules = {**_SIMPLE, "type": (5, _text), "format": (6, _text), "uniqueItems": (19, _flag)}
RESPONSE: Rules = {"description": (1, _text), "schema": (2, _inside(_sub(SCHEMA), 1))}
OPERATION: Rules = {
    "tags": (1, _texts),
    "summary": (2, _text),
    "description": (3, _text),
    "operationId": (5, _text),
    "produces": (6, _texts),
    "consumes": (7, _texts),
    "parameters": (8, _each(_parameter)),
    "responses": (9, _named(_inside(_sub(RESPONSE), 1))),
    "schemes": (10, _texts),
    EXTENSION: (13, _free),
}
PATH_ITEM: Rules = {
    **{
        method: (number, _sub(OPERATION))
        for number, method in enumerate(("get", "put", "post", "delete", "options", "head", "patch"), 2)
    },
    "parameters": (9, _each(_parameter)),
}
API_KEY: Rules = {"type": (1, _text), "name": (2, _text), "in": (3, _text), "description": (4, _text)}
DOCUMENT: Rules = {
    "swagger": (1, _text),
    "info": (2, _sub({"title": (1, _text), "version": (2, _text)})),
    "paths": (8, _named(_sub(PATH_ITEM), 2)),
    "definitions": (9, _named(_sub(SCHEMA))),
    "security": (12, _each(_named(lambda number, scopes: _bytes(number, _texts(1, scopes))))),
    "securityDefinitions": (13, _named(_inside(_sub(API_KEY), 2))),
}
