"""Whole values as field errors show them: Kubernetes' internal structs as JSON, with Go's names in Go's order.

    go_struct("k8s.io.api.resource.v1.ResourceClaimSpec", {...}) -> Struct(Devices=Struct(Requests=...))

Members and their order come from the wire table, what is a pointer (`null` when absent) from the table of zero values.
Messages of apimachinery (metadata, selectors, conditions) have JSON names there, too, and are shown as they are.
"""

from functools import cache
from typing import Any

from kybern.kube import schema
from kybern.kube.field import Struct
from kybern.kube.protobuf.messages import SCALARS, FieldPlan, plan

_WORDS = {"cel": "CEL", "ips": "IPs", "uid": "UID", "ip": "IP", "apiGroup": "APIGroup", "apiVersion": "APIVersion"}
_ATTRIBUTE = ("int", "bool", "string", "version")
_MEMBERS = {
    ("k8s.io.api.resource.v1.DeviceAttribute", f"{kind}{plural}"): f"{kind.capitalize()}Value{plural}"
    for kind in _ATTRIBUTE
    for plural in ("", "s")
}
_ZEROS: dict[str, Any] = {"string": "", "bool": False, "int32": 0, "int64": 0, "double": 0}
_RAW = "k8s.io.apimachinery.pkg.runtime.RawExtension"
_EMBEDDED = ("k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta",)
_NOTHING: tuple[Any, ...] = (None, [], {})
_AS_THEY_ARE = ("k8s.io.apimachinery.",)


def go_struct(message: str, value: dict[str, Any] | None) -> Any:
    """The struct of a message; None is a nil pointer."""
    if value is None:
        return None
    if message.startswith(_AS_THEY_ARE):
        return value
    shown = Struct()
    for one in plan(message):
        if one.type in _EMBEDDED:
            shown.update({field.json: value["metadata"][field.json] for field in plan(one.type)
                          if field.json in (value.get("metadata") or {})})  # fmt: skip
        elif one.json:
            shown[_go_name(message, one.json)] = _member(message, one, value)
        else:  # the members of an embedded struct
            shown.update(go_struct(one.type, value))
    return shown


def _go_name(message: str, name: str) -> str:
    if name in _WORDS:
        return _WORDS[name]
    return _MEMBERS.get((message, name)) or f"{name[0].upper()}{name[1:]}".replace("Id", "ID")


def _member(message: str, field: FieldPlan, value: dict[str, Any]) -> Any:
    found = value.get(field.json)
    if field.map:
        return None if found is None else {key: _one(field.type, item) for key, item in sorted(found.items())}
    if field.repeated:
        return None if found is None else [_one(field.type, {} if item is None else item) for item in found]
    if found is None:
        found = _absent(message, field)
    return _one(field.type, found)


def _absent(message: str, field: FieldPlan) -> Any:
    """Null for a pointer, else the zero value."""
    keeps = {} if field.type == _RAW else _keeps(message)
    if field.json in keeps:
        return {} if field.type not in SCALARS and keeps[field.json] is None else keeps[field.json]
    return _ZEROS.get(field.type) if field.type in SCALARS and not field.optional else None


def same_struct(new: Any, old: Any) -> bool:
    """Whether two structs mean the same: an empty list or map is as good as none, a pointer to zero is not."""
    if isinstance(new, dict) and isinstance(old, dict):
        return new == old or (
            (isinstance(new, Struct) or new.keys() == old.keys())
            and all(same_struct(new.get(name), old.get(name)) for name in new.keys() | old.keys())
        )
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(same_struct, new, old))
    return bool(new == old) or (new in _NOTHING and old in _NOTHING)


@cache
def _keeps(message: str) -> Any:
    zeros = schema.load().zeros.get(f"io.{message}".replace("io.k8s.io.", "io.k8s."))
    return {} if zeros is None else zeros.keeps


def _one(type_name: str, value: Any) -> Any:
    return value if type_name in SCALARS or not isinstance(value, dict) else go_struct(type_name, value)
