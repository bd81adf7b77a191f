"""What a version of a CustomResourceDefinition says beside its schema: subresources, columns, selectable fields."""

from typing import Any

from kybern.kube.field import duplicate, invalid, required, too_many
from kybern.kube.structural.field_path import WrongPath, follow
from kybern.kube.structural.node import Definition
from kybern.kube.validation.fields import Errors

Object = dict[str, Any]
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
MOST_SELECTABLE = 8
LONGEST_WARNING = 256
SELECTABLE = ("string", "boolean", "integer")


def check_deprecation(version: Object, path: str) -> Errors:
    """The warning of a deprecated version."""
    warning = version.get("deprecationWarning")
    if warning is None:
        return
    at = f"{path}.deprecationWarning"
    if not version.get("deprecated"):
        yield invalid(at, warning, "can only be set for deprecated versions")
        return
    if not warning:
        yield invalid(at, warning, "must not be an empty string")
    if len(warning) > LONGEST_WARNING:
        yield invalid(at, warning, f"must be <= {LONGEST_WARNING} characters long")
    place = 0
    for character in warning:
        if not character.isprintable():
            detail = "must only contain printable UTF-8 characters; non-printable character found at index"
            yield invalid(at, warning, f"{detail} {place}")
            return
        place += len(character.encode())


def check_subresources(subresources: Object, path: str) -> Errors:
    """The paths of the scale subresource."""
    scale = subresources.get("scale")
    if scale is None:
        return
    for name, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        value, at = scale.get(name) or "", f"{path}.scale.{name}"
        if not value:
            yield required(at)
        else:
            yield from _simple_path(value, at, (root,), f"should be a json path under {root[:-1]}")
    selector = scale.get("labelSelectorPath")
    if selector:
        detail = "should be a json path under either .spec or .status"
        yield from _simple_path(selector, f"{path}.scale.labelSelectorPath", (".spec.", ".status."), detail)


def _simple_path(value: str, path: str, roots: tuple[str, ...], detail: str) -> Errors:
    if not value.startswith("."):
        yield invalid(path, value, "must be a simple json path starting with .")
    elif not value.startswith(roots):
        yield invalid(path, value, detail)


def check_columns(columns: list[Object], path: str) -> Errors:
    """The columns of Tables. What is wrong within a path shows when it is used, not here."""
    for index, column in enumerate(columns):
        yield from _column(column, f"{path}[{index}]")


def _column(column: Object, path: str) -> Errors:
    if not column.get("name"):
        yield required(f"{path}.name")
    kind, types = column.get("type") or "", f"must be one of {','.join(COLUMN_TYPES)}"
    if not kind:
        yield required(f"{path}.type", types)
    elif kind not in COLUMN_TYPES:
        yield invalid(f"{path}.type", kind, types)
    shape = column.get("format")
    if shape and shape not in COLUMN_FORMATS:
        yield invalid(f"{path}.format", shape, f"must be one of {','.join(COLUMN_FORMATS)}")
    where = column.get("jsonPath") or ""
    if not where:
        yield required(f"{path}.JSONPath")
    elif not where.startswith("."):
        yield invalid(f"{path}.JSONPath", where, "must be a simple json path starting with .")


def check_selectable(fields: list[Object], schema: Definition, path: str) -> Errors:
    """Fields that field selectors may name."""
    seen: set[tuple[str, ...]] = set()
    for index, field in enumerate(fields):
        at, where = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        if not where:
            yield required(at)
            continue
        try:
            names, found = follow(where, schema, arrays=False)
        except WrongPath as error:
            yield invalid(at, where, f"is an invalid path: {error}")
            continue
        if names[0] == "metadata":
            yield invalid(at, where, "must not point to fields in metadata")
        if found.get("type") not in SELECTABLE:
            detail = (
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed."
            )
            yield invalid(at, where, detail)
        if names in seen:
            yield duplicate(at, "." + ".".join(names))
        seen.add(names)
    if len(seen) > MOST_SELECTABLE:
        yield too_many(path, len(seen), MOST_SELECTABLE)
