"""YAML as Kubernetes reads it: go-yaml's notion of what a plain scalar is, turned into what JSON can say.

PyYAML reads YAML 1.1 by the letter; go-yaml has numbers as Go writes them, no times and no numbers of base 60.
"""

import base64
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_BOOLEANS = re.compile("y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE|n|N|no|No|NO|off|Off|OFF|false|False|FALSE")
_TRUE = ("y", "yes", "on", "true")
_INTEGER = re.compile("([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LARGE = 2.0**63  # up to it, whole numbers may be written with a point or an exponent
_ENDLESS = {".inf": "+Inf", "+.inf": "+Inf", "-.inf": "-Inf", ".nan": "NaN"}


class GoLoader(yaml.CSafeLoader):
    """PyYAML's safe loader with go-yaml's plain scalars."""


def number(text: str) -> int | float | None:
    """What a plain scalar that opens like a number is; None for a text."""
    plain = text.replace("_", "")
    found = _INTEGER.fullmatch(plain)
    if found is not None:
        sign, *parts = found.groups()
        value = next(int(part, base) for part, base in zip(parts, (16, 2, 8, 10), strict=True) if part is not None)
        value = -value if sign == "-" else value
        if -(2**63) <= value < 2**64:
            return value
    real = float(plain) if _FLOAT.fullmatch(plain) else math.inf
    if math.isinf(real):
        return None
    return int(Decimal(repr(real))) if real.is_integer() and abs(real) < _LARGE else real


class _Numbers:
    """Stands where the resolver has a pattern: matches what is a number."""

    def match(self, text: str) -> bool:
        return number(text) is not None


def _construct_number(loader: Any, node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    value = number(text)
    if value is None:
        why = f"cannot decode !!str `{text}` as a !!{node.tag.removeprefix(_TAG)}"
        raise yaml.constructor.ConstructorError(None, None, why, node.start_mark)
    return value


def _construct_endless(loader: Any, node: yaml.ScalarNode) -> Any:
    raise ValueError(f"json: unsupported value: {_ENDLESS[node.value.lower()]}")


def _construct_binary(loader: Any, node: yaml.ScalarNode) -> str:
    try:
        return base64.b64decode(str(node.value), validate=True).decode("utf-8", "replace")
    except ValueError:
        raise yaml.YAMLError("yaml: !!binary value contains invalid base64 data") from None


def _construct_any(loader: Any, node: yaml.Node) -> Any:
    """What has a tag that nobody knows is what it looks like."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


def _resolve(tag: str, pattern: Any, first: str) -> None:
    for char in first:
        GoLoader.yaml_implicit_resolvers.setdefault(char, []).append((_TAG + tag, pattern))


def _prepare() -> None:
    kept = ("null", "merge")
    GoLoader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag.removeprefix(_TAG) in kept]
        for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }
    _resolve("bool", re.compile(f"(?:{_BOOLEANS.pattern})$"), "yYnNtTfFoO")
    _resolve("endless", re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"), "-+.")
    _resolve("int", _Numbers(), "-+.0123456789")
    constructors: dict[str, Callable[..., Any]] = {
        "int": _construct_number,
        "float": _construct_number,
        "endless": _construct_endless,
        "binary": _construct_binary,
        "merge": _construct_any,
        "timestamp": _construct_any,
        "bool": lambda loader, node: str(node.value).lower() in _TRUE,
    }
    for tag, construct in constructors.items():
        GoLoader.add_constructor(_TAG + tag, construct)
    GoLoader.add_constructor(None, _construct_any)


_prepare()
