"""From a JSON object to a message: the fields that look different on the wire are put right, the rest is the library's.

A message class takes a nested dictionary as its constructor's arguments and fills itself in C. What Python has to do
first is little: times, quantities, embedded JSON, bytes and inlined structs, and only along the paths that have some.
"""

from base64 import b64decode
from collections.abc import Callable
from functools import cache
from typing import Any

from kybern.kube.protobuf.messages import SCALARS, FieldPlan, message_class, plan
from kybern.kube.protobuf.reading import SCHEMA
from kybern.kube.protobuf.special import SPECIAL, Fields, Write

Object = dict[str, Any]
Convert = Callable[[Any], Any]
Step = tuple[str, str, Convert]  # JSON name, attribute, and what makes the one's value the other's


def message(name: str, obj: Object) -> Any:
    """The message of a JSON object; members that the message does not have are left out."""
    fields = prepared(name, obj)
    try:
        return message_class(name)(**fields)
    except ValueError:  # a member that the message does not have, or a number that does not fit
        return message_class(name)(**known(name, fields))


def prepared(name: str, obj: Object) -> Fields:
    """A JSON object as the arguments of its message's constructor."""
    inlined, steps = preparation(name)
    if not inlined and not steps:
        return obj
    fields = dict(obj)
    for attribute, type_name, names in inlined:
        own = {key: fields.pop(key) for key in obj if key in names}
        if own:
            fields[attribute] = prepared(type_name, own)
    for json, attribute, convert in steps:
        value = fields.get(json)
        if value is not None:
            if json != attribute:
                del fields[json]
            fields[attribute] = convert(value)
    return fields


@cache
def preparation(name: str) -> tuple[tuple[tuple[str, str, frozenset[str]], ...], tuple[Step, ...]]:
    """Inlined structs with the names of their members, and the other fields that need a step."""
    inlined = tuple((f.attribute, f.type, members(f.type)) for f in plan(name) if f.json == "")
    return inlined, tuple((f.json, f.attribute, converter(f)) for f in plan(name) if f.json and needs_step(f))


def members(name: str) -> frozenset[str]:
    """The JSON names of a struct's fields, with those of the structs inlined into it."""
    found = {field.json for field in plan(name) if field.json}
    return frozenset(found.union(*(members(field.type) for field in plan(name) if field.json == "")))


def needs_step(field: FieldPlan) -> bool:
    """Whether a field's value is not already what the constructor takes."""
    return looks_different(field) or (field.type not in SCALARS and any(map(has_different, reachable(field.type))))


def looks_different(field: FieldPlan) -> bool:
    return field.json != field.attribute or field.type == "bytes" or field.type in WRITE


@cache
def has_different(name: str) -> bool:
    return any(map(looks_different, plan(name)))


@cache
def reachable(name: str) -> frozenset[str]:
    """A message and every message in it, however deep."""
    found, todo = {name}, [name]
    while todo:
        for field in plan(todo.pop()):
            if field.type not in SCALARS and field.type not in found:
                found.add(field.type)
                todo.append(field.type)
    return frozenset(found)


def converter(field: FieldPlan) -> Convert:
    """What makes a field's JSON value an argument."""
    one = value_converter(field.type)
    if field.map:
        return lambda value: {key: one(item) for key, item in value.items()}
    if field.repeated:
        return lambda value: [one(item) for item in value]
    return one


def value_converter(type_name: str) -> Convert:
    if type_name == "bytes":
        return b64decode
    if type_name in SCALARS:
        return lambda value: value
    return WRITE.get(type_name) or (lambda value: prepared(type_name, value))


def known(name: str, fields: Fields) -> Fields:
    """Only what a message has."""
    found: Fields = {}
    for field in plan(name):
        value = fields.get(field.attribute)
        if value is not None:
            found[field.attribute] = known_value(field, value)
    return found


def known_value(field: FieldPlan, value: Any) -> Any:
    if field.type in SCALARS or (field.type in SPECIAL):
        return value
    if field.map:
        return {key: known(field.type, item) for key, item in value.items()}
    if field.repeated:
        return [known(field.type, item) for item in value]
    return known(field.type, value)


def write_schema_or_bool(value: Any) -> Fields:
    if isinstance(value, bool):
        return {"allows": value}
    return {"allows": True, "schema": prepared(SCHEMA, value)}


def write_schema_or_list(value: Any) -> Fields:
    if isinstance(value, dict):
        return {"schema": prepared(SCHEMA, value)}
    return {"jSONSchemas": [prepared(SCHEMA, item) for item in value]}


def write_schema_or_names(value: Any) -> Fields:
    return {"schema": prepared(SCHEMA, value)} if isinstance(value, dict) else {"property": value}


WRITE: dict[str, Write] = {
    **{name: special[1] for name, special in SPECIAL.items()},
    f"{SCHEMA}OrBool": write_schema_or_bool,
    f"{SCHEMA}OrArray": write_schema_or_list,
    f"{SCHEMA}OrStringArray": write_schema_or_names,
}
