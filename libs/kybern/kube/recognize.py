"""What kind a body says it is: apiVersion and kind read off, and refused in the words of upstream's decoders."""

from __future__ import annotations

from typing import Any

import orjson

from kybern.kube import schema
from kybern.kube.go_json import loads_error
from kybern.kube.go_values import quoted
from kybern.kube.meta import group_version, join_group_version

Object = dict[str, Any]
GVK = tuple[str, str, str]
_SHOWN = 30
_TYPES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_STRUCT = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_INTERNAL = {"": "core", "internal.apiserver.k8s.io": "apiserverinternal", "events.k8s.io": "core"}


class UnrecognizedError(ValueError):
    """A body whose kind cannot be read."""


def go_type(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    return _TYPES.get(type(value), "null")


def typed(data: bytes) -> Object:
    """A JSON object whose apiVersion and kind, if any, are strings; null is an empty one. Raises UnrecognizedError."""
    try:
        obj = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _unreadable(loads_error(data, error)) from None
    if obj is None:
        return {}
    if not isinstance(obj, dict):
        raise _unreadable(f"json: cannot unmarshal {go_type(obj)} into Go value of type {_STRUCT}")
    for member in ("apiVersion", "kind"):
        value = obj.get(member)
        if value is not None and not isinstance(value, str):
            raise _unreadable(f"json: cannot unmarshal {go_type(value)} into Go struct field .{member} of type string")
    if (obj.get("apiVersion") or "").count("/") > 1:
        raise UnrecognizedError(f"unexpected GroupVersion string: {obj['apiVersion']}")
    return obj


def _unreadable(why: str) -> UnrecognizedError:
    return UnrecognizedError(f"couldn't get version/kind; json parse error: {why}")


def unrecognized(kind: str, data: bytes, why: object) -> str:
    """The complaint about a body that should have been of a kind."""
    return f"the object provided is unrecognized (must be of type {kind}): {why} ({summary(data)})"


def summary(data: bytes) -> str:
    """The beginning of a body: as text if it looks like JSON."""
    if not data:
        return "<empty>"
    cut = data[:_SHOWN]
    shown = cut.decode("utf-8", "replace") if data.startswith(b"{") else cut.hex()
    return f"{shown} ..." if len(data) > _SHOWN else shown


def not_registered(kind: str, api_version: str) -> str:
    """A kind that nobody has heard of."""
    version = join_group_version(*group_version(api_version))
    return f'no kind {quoted(kind)} is registered for version {quoted(version)} in scheme "pkg/runtime/scheme.go:111"'


def mismatch(kind: str, api_version: str, wanted: GVK) -> str:
    """The complaint about a body of another kind than that of the request; "" where only the version differs."""
    group, version = group_version(api_version)
    if schema.kind(group, version, kind) is None and not _is_known(group, version, kind):
        why = not_registered(kind, api_version)
    elif (group, kind) == (wanted[0], wanted[2]):
        return ""
    else:
        internal = f"{package(wanted[0])}.{wanted[2]}"
        why = f"converting ({version}.{kind}) to ({internal}): unknown conversion"
    return f'{kind} in version "{version}" cannot be handled as a {wanted[2]}: {why}'


def _is_known(group: str, version: str, kind: str) -> bool:
    return (group, version, kind) in schema.load().names


def package(group: str) -> str:
    """Where Kubernetes keeps the kinds of a group, as messages name them."""
    return _INTERNAL.get(group) or group.partition(".")[0]


def expected(gvk: GVK) -> str:
    """The apiVersion of a kind."""
    return join_group_version(gvk[0], gvk[1])
