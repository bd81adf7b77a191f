"""From a message to a JSON object: only fields that are on the wire are looked at."""

from base64 import b64encode
from functools import cache
from typing import Any

from kybern.kube.protobuf.messages import SCALARS, FieldPlan, plan
from kybern.kube.protobuf.special import APIEXTENSIONS, SPECIAL, Read

Object = dict[str, Any]
SCHEMA = f"{APIEXTENSIONS}.JSONSchemaProps"


@cache
def by_number(name: str) -> dict[int, FieldPlan]:
    """The fields of a message by their numbers."""
    return {field.number: field for field in plan(name)}


def read(message: Any, name: str) -> Object:
    """A message as a JSON object: zero values that Kubernetes leaves out are left out."""
    result: Object = {}
    fields = by_number(name)
    for descriptor, value in message.ListFields():
        field = fields[descriptor.number]
        if field.map:
            result[field.json] = {key: read_value(value[key], field.type) for key in sorted(value)}
        elif field.repeated:
            result[field.json] = [read_value(item, field.type) for item in value]
        elif field.type in SCALARS:
            if value or field.optional:
                result[field.json] = read_value(value, field.type)
        elif field.json == "":  # an inlined message's fields are its parent's
            result.update(read(value, field.type))
        elif (found := read_value(value, field.type)) is not None:  # null means absent
            result[field.json] = found
    return result


def read_value(value: Any, type_name: str) -> Any:
    """One value of a known type."""
    if type_name in SCALARS:
        if type_name == "bytes":
            return b64encode(value).decode()
        return int(value) if type_name == "double" and value.is_integer() and abs(value) < 2**53 else value
    special = READ.get(type_name)
    return special(value) if special is not None else read(value, type_name)


def read_schema_or_bool(message: Any) -> Any:
    """`additionalProperties`: a schema, or whether any is allowed."""
    return read(message.schema, SCHEMA) if message.HasField("schema") else bool(message.allows)


def read_schema_or_list(message: Any) -> Any:
    """`items`: a schema, or a list of schemas."""
    if message.HasField("schema"):
        return read(message.schema, SCHEMA)
    return [read(item, SCHEMA) for item in message.jSONSchemas]


def read_schema_or_names(message: Any) -> Any:
    """`dependencies`: a schema, or a list of names."""
    return read(message.schema, SCHEMA) if message.HasField("schema") else list(message.property)


READ: dict[str, Read] = {
    **{name: special[0] for name, special in SPECIAL.items()},
    f"{SCHEMA}OrBool": read_schema_or_bool,
    f"{SCHEMA}OrArray": read_schema_or_list,
    f"{SCHEMA}OrStringArray": read_schema_or_names,
}
