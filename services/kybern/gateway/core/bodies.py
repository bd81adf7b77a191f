"""Request bodies: JSON as it is, YAML and protobuf turned into JSON, anything else refused with 415."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import yaml

from kybern.kube import protobuf
from kybern.kube.document_limits import load_yaml, yaml_error
from kybern.kube.go_yaml import GoLoader
from kybern.kube.schema.duplicates import duplicate_fields
from kybern.kube.status import status_error, unsupported_media_type

JSON_TYPE, YAML_TYPE = "application/json", "application/yaml"
APPLY = "application/apply-patch+yaml"
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    APPLY,
)
BODY_TYPES = (JSON_TYPE, YAML_TYPE, protobuf.CONTENT_TYPE)  # in the order they are told


def yaml_to_json(data: bytes) -> bytes:
    """One YAML document as JSON bytes. Raises ValueError with what is wrong."""
    try:
        value = load_yaml(data, GoLoader)
        return orjson.dumps(value, _special, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as wrong:
        raise ValueError(yaml_error(wrong, data)) from None


def strict_errors(data: bytes) -> list[str]:
    """What strict decoding of a YAML body finds that its JSON cannot show: keys given twice, in go-yaml's words."""
    try:
        root = None if _is_json(data) and not duplicate_fields(data) else next(yaml.compose_all(data, GoLoader), None)
    except (yaml.YAMLError, ValueError):
        return []  # decoding says what is wrong
    found: list[str] = []
    _collect_repeated(root, found)
    return found


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(orjson.loads(data), dict)
    except orjson.JSONDecodeError:
        return False


def _collect_repeated(node: yaml.Node | None, found: list[str]) -> None:
    """Values come before the key they belong to, as go-yaml reports them."""
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _collect_repeated(child, found)
    if isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            _collect_repeated(value, found)
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                found.append(f'line {value.start_mark.line + 1}: key "{key.value}" already set in map')
            keys.add(str(key.value))


def protobuf_to_json(data: bytes, api_version: str, kind: str) -> bytes:
    """A protobuf body as JSON bytes; it is of the kind, unless it says something else. Raises ProtobufError."""
    return orjson.dumps(protobuf.decode(data, (api_version, kind)))


def protobuf_to_options(data: bytes) -> bytes:
    """DeleteOptions as JSON bytes; of what is something else only what it is. Raises ProtobufError."""
    return orjson.dumps(protobuf.decode(data, ("meta.k8s.io/v1", "DeleteOptions"), protobuf.META_KINDS))


def _special(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def json_to_protobuf(data: bytes) -> bytes:
    """A JSON document as a protobuf body. Raises ProtobufError."""
    return protobuf.encode(orjson.loads(data))


def is_yaml(media_type: str) -> bool:
    return media_type in (YAML_TYPE, APPLY)


def check_body_type(media_type: str) -> None:
    """Raises StatusError (415) for a body of another type."""
    if media_type not in BODY_TYPES:
        raise unsupported_media_type(BODY_TYPES)


def patch_type(header: str, custom: bool) -> str:
    """The type of a patch. Raises StatusError (415).

    A header that names one among others comes further than one that names none, and is told what could be.
    """
    media_type = header.strip(" \t").partition(";")[0]
    if media_type not in PATCH_TYPES or (custom and "strategic" in media_type):
        named = (each.partition(";")[0].strip() for each in header.split(","))
        if not custom and not any(each in PATCH_TYPES for each in named):
            error = status_error(415, "UnsupportedMediaType", "415: Unsupported Media Type")
            error.status["details"] = {}
            raise error
        raise unsupported_media_type([each for each in PATCH_TYPES if not custom or "strategic" not in each])
    return media_type


def indent(data: bytes) -> bytes:
    """The same JSON, two spaces a level, for `?pretty` and for people's browsers."""
    return orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2)


_PEOPLE = ("curl", "Wget", "Mozilla/5.0")


def wants_indent(pretty: str, user_agent: str) -> bool:
    """`?pretty=` decides; without it, command-line tools and browsers get indented JSON, as upstream."""
    if pretty:
        return pretty.lower() in ("true", "1")
    return user_agent.startswith(_PEOPLE)
