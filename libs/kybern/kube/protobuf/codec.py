"""Bodies and objects: the envelope, and the walk through a message that makes or reads a JSON object."""

from base64 import b64decode, b64encode
from typing import Any

from google.protobuf.message import DecodeError

from kybern.kube.protobuf.messages import SCALARS, FieldPlan, message_class, plan, table
from kybern.kube.protobuf.special import APIEXTENSIONS, META, RUNTIME, SPECIAL

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
Object = dict[str, Any]
PACKAGES = {
    "apiextensions.k8s.io": "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "k8s.io.kube_aggregator.pkg.apis.apiregistration",
    "internal.apiserver.k8s.io": "k8s.io.api.apiserverinternal",
}
META_KINDS = frozenset({"DeleteOptions", "ListOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "Status"})


class ProtobufError(ValueError):
    """A body that is not a protobuf body of a known kind; the message says what is wrong with it."""


def message_name(api_version: str, kind: str) -> str:
    """The message of a kind. Raises ProtobufError for kinds without one (custom resources)."""
    group, _, version = api_version.rpartition("/")
    if kind in META_KINDS:
        return f"{META}.{kind}"
    package = PACKAGES.get(group) or f"k8s.io.api.{group.partition('.')[0] or 'core'}"
    name = f"{package}.{version}.{kind}"
    if name not in table():
        raise ProtobufError(f"no kind {kind!r} in version {api_version!r} has a protobuf form")
    return name


def decode(body: bytes) -> Object:
    """The object in a body, with apiVersion and kind. Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        unknown = message_class(f"{RUNTIME}.Unknown").FromString(body[4:])
        api_version, kind = unknown.f1.f1, unknown.f1.f2
        if not kind:
            raise ProtobufError("Object 'Kind' is missing in the protobuf body")
        name = message_name(api_version, kind)
        obj = read(message_class(name).FromString(unknown.f2), name)
    except ProtobufError:
        raise
    except (DecodeError, ValueError, OverflowError, OSError) as error:
        raise ProtobufError(f"unable to decode the protobuf body: {error}") from None
    return {"kind": kind, "apiVersion": api_version, **obj}


def encode(obj: Object) -> bytes:
    """The body of an object. Raises ProtobufError for kinds without a protobuf form."""
    name = message_name(obj.get("apiVersion", ""), obj.get("kind", ""))
    message = message_class(name)()
    write(message, name, obj)
    unknown = message_class(f"{RUNTIME}.Unknown")()
    unknown.f1.f1, unknown.f1.f2 = obj["apiVersion"], obj["kind"]
    unknown.f2 = message.SerializeToString()
    return MAGIC + bytes(unknown.SerializeToString())


def read(message: Any, name: str) -> Object:
    """A message as a JSON object: zero values that Kubernetes leaves out are left out."""
    result: Object = {}
    for field in plan(name):
        value = getattr(message, field.attribute)
        if field.map:
            if value:
                result[field.json] = {key: read_value(value[key], field.type) for key in sorted(value)}
        elif field.repeated:
            if value:
                result[field.json] = [read_value(item, field.type) for item in value]
        elif field.type in SCALARS:
            if value or (field.optional and message.HasField(field.attribute)):
                result[field.json] = read_value(value, field.type)
        elif message.HasField(field.attribute):
            read_message(result, field, value)
    return result


def read_message(result: Object, field: FieldPlan, value: Any) -> None:
    """A nested message; an inlined one adds its fields to the parent's, a null one is absent."""
    if field.json == "":
        result.update(read(value, field.type))
        return
    found = read_value(value, field.type)
    if found is not None:
        result[field.json] = found


def read_value(value: Any, type_name: str) -> Any:
    """One value of a known type."""
    if type_name == "bytes":
        return b64encode(value).decode()
    if type_name == "double" and value.is_integer():
        return int(value)
    if type_name in SCALARS:
        return value
    special = SPECIAL.get(type_name)
    return special[0](value) if special else read(value, type_name)


def write(message: Any, name: str, obj: Object) -> None:
    """Fill a message from a JSON object; members that the message does not have are left out."""
    for field in plan(name):
        if field.json == "":
            write(getattr(message, field.attribute), field.type, obj)
            continue
        value = obj.get(field.json)
        if value is None:
            continue
        target = getattr(message, field.attribute)
        if field.map:
            write_map(target, field, value)
        elif field.repeated:
            write_list(target, field, value)
        elif field.type in SCALARS:
            setattr(message, field.attribute, scalar(value, field.type))
        else:
            target.SetInParent()
            write_value(target, field.type, value)


def write_map(target: Any, field: FieldPlan, value: Object) -> None:
    """A map with string keys."""
    for key, item in value.items():
        if field.type in SCALARS:
            target[key] = scalar(item, field.type)
        else:
            write_value(target[key], field.type, item)


def write_list(target: Any, field: FieldPlan, value: list[Any]) -> None:
    """A repeated field."""
    for item in value:
        if field.type in SCALARS:
            target.append(scalar(item, field.type))
        else:
            write_value(target.add(), field.type, item)


def write_value(message: Any, type_name: str, value: Any) -> None:
    """One nested message."""
    special = SPECIAL.get(type_name)
    if special:
        special[1](message, value)
    else:
        write(message, type_name, value)


def scalar(value: Any, type_name: str) -> Any:
    """A JSON scalar as the message wants it."""
    return b64decode(value) if type_name == "bytes" else value


SCHEMA = f"{APIEXTENSIONS}.JSONSchemaProps"


def read_schema_or_bool(message: Any) -> Any:
    """`additionalProperties`: a schema, or whether any is allowed."""
    return read(message.f2, SCHEMA) if message.HasField("f2") else bool(message.f1)


def write_schema_or_bool(message: Any, value: Any) -> None:
    message.f1 = value is not False
    if not isinstance(value, bool):
        write(message.f2, SCHEMA, value)


def read_schema_or_list(message: Any) -> Any:
    """`items` and `dependencies`: a schema, or a list of schemas or of names."""
    if message.HasField("f1"):
        return read(message.f1, SCHEMA)
    return [item if isinstance(item, str) else read(item, SCHEMA) for item in message.f2]


def write_schema_or_list(message: Any, value: Any) -> None:
    if isinstance(value, dict):
        message.f1.SetInParent()
        write(message.f1, SCHEMA, value)
        return
    for item in value:
        if isinstance(item, str):
            message.f2.append(item)
        else:
            write(message.f2.add(), SCHEMA, item)


SPECIAL[f"{SCHEMA}OrBool"] = (read_schema_or_bool, write_schema_or_bool)
SPECIAL[f"{SCHEMA}OrArray"] = SPECIAL[f"{SCHEMA}OrStringArray"] = (read_schema_or_list, write_schema_or_list)
