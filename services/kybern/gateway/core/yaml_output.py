"""Documents as YAML, laid out as Kubernetes writes it: what would read as something else is in double quotes, lines are
folded at 80 columns, several lines are a block, and numbers in keys are in their own order.
"""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import Any

import orjson
import yaml

from kybern.kube.go_yaml import number

_OLD_BOOLEANS = frozenset({"y", "Y", "n", "N"})
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_STRING = "tag:yaml.org,2002:str"


class _Dumper(yaml.CSafeDumper):
    """Aliases are never written."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if _means_something_else(dumper, text) else "|" if "\n" in text else None
    return dumper.represent_scalar(_STRING, text, style)


def _means_something_else(dumper: _Dumper, text: str) -> bool:
    if text in _OLD_BOOLEANS or _BASE_60.fullmatch(text) or number(text) is not None:
        return True
    tag: str = dumper.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # its stubs have no types here
    return tag != _STRING


_Dumper.add_representer(str, _string)


def json_to_yaml(data: bytes) -> bytes:
    """A JSON document as YAML."""
    return yaml.dump(_sorted(orjson.loads(data)), Dumper=_Dumper, allow_unicode=True, sort_keys=False).encode()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value, key=cmp_to_key(compare))}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def compare(a: str, b: str) -> int:
    """The order of keys: letters after all else (but after a digit before it), numbers by their value."""
    at = next((i for i, (left, right) in enumerate(zip(a, b, strict=False)) if left != right), None)
    if at is None:
        return len(a) - len(b)
    left, right = a[at], b[at]
    after_digit = at > 0 and a[at - 1].isdigit()
    if left.isalpha() and right.isalpha():
        return -1 if left < right else 1
    if left.isalpha() or right.isalpha():
        return -1 if (left.isalpha() if after_digit else right.isalpha()) else 1
    leading = "1" if "0" in (left, right) and _follows_number(a, at) else ""
    ours, theirs = _digits(a, at), _digits(b, at)
    numbers = int(leading + ours or "0"), int(leading + theirs or "0")
    if numbers[0] != numbers[1]:
        return -1 if numbers[0] < numbers[1] else 1
    if len(ours) != len(theirs):
        return len(ours) - len(theirs)
    return -1 if left < right else 1


def _digits(text: str, at: int) -> str:
    found = re.compile("[0-9]*").match(text, at)
    return found[0] if found else ""


def _follows_number(text: str, at: int) -> bool:
    """Whether the digits before a place are more than zeros."""
    head = re.search("[0-9]*$", text[:at])
    return bool(head and head[0].strip("0"))
