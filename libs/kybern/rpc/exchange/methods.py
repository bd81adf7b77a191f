"""The names that requests and responses have inside an Exchange: which oneof field carries which message."""

from typing import Any

from kybern.protos.api.v1 import objects_pb2

SERVICE = "/kybern.api.v1.Objects/"
EXCHANGE = SERVICE + "Exchange"
CONTROL = frozenset({"cancel"})
STREAMS = frozenset({"list", "watch"})  # several replies to one call

_fields: Any = objects_pb2.Call.DESCRIPTOR.oneofs_by_name["request"].fields
FIELD_BY_REQUEST: dict[type[Any], str] = {
    getattr(objects_pb2, field.message_type.name): field.name for field in _fields if field.name not in CONTROL
}
METHODS = {name: "".join(part.title() for part in name.split("_")) for name in FIELD_BY_REQUEST.values()}
FULL_METHODS = {name: SERVICE + method for name, method in METHODS.items()}  # field → /package.Service/Method
