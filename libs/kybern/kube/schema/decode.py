"""Decoding: does a JSON value have the shape of its kind, and which of its fields are unknown.

One walk over the definition finds wrong types, unknown fields and nulls. As upstream decodes into typed structs, the
first wrong type is the error (worded as Go words it), a null is an absent field (in a map of strings an empty one), so
is a zero value where the struct cannot tell it from none, a quantity takes its canonical form, and an unknown field is
dropped, warned of or refused depending on `fieldValidation`.
"""

import base64
import json
import math
import re
from typing import Any

from kybern.kube import quantity
from kybern.kube.schema.decode_words import corrupt, cut_off, go_type, json_type, kind_of, short
from kybern.kube.schema.go_types import FIELDS, RAW, put, shown
from kybern.kube.schema.restore_errors import restore_error
from kybern.kube.schema.table import Definition, dropped_zeros, load
from kybern.kube.schema.times import time_error
from kybern.kube.schema.written import Real, Whole

_BASE64 = re.compile("[A-Za-z0-9+/]*={0,2}")
_INTEGERS = {"int32": 2**31, "int64": 2**63}
_NONE: frozenset[str] = frozenset()
_KEY, _END = "\0", "\1"  # around the key of a map in a path
_KEYS = re.compile(f"{_KEY}[^{_END}]*{_END}")
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


class DecodeError(ValueError):
    """The value cannot be read as its kind; the message is the decoder's, `restoring` that of a patch."""

    def __init__(self, message: str, restoring: str = "") -> None:
        super().__init__(message)
        self.restoring = restoring or message


def check(definition: Definition, obj: Any) -> tuple[list[str], list[str]]:
    """(decode errors, paths of unknown fields) of `obj`, which is left alone."""
    walk = _Walk(definition)
    walk.value(definition, obj, "", "")
    return [*walk.ends, *walk.errors], walk.unknown


def prune(definition: Definition, obj: dict[str, Any], *, restored: bool = False) -> list[str]:
    """Drop unknown fields, nulls and zeros that mean none, make quantities canonical; return the unknown fields' paths.

    `restored`: `obj` was made of a map by a strategic merge patch or an apply, which cut off integers that are too
    large. Raises DecodeError on a wrong type, leaving `obj` as it was.
    """
    walk = _Walk(definition, restored=restored)
    walk.value(definition, obj, "", "")
    if walk.errors or walk.ends:
        raise DecodeError((walk.ends or walk.errors)[0], walk.restoring)
    for path, left in walk.cut:
        put(obj, path, left)
    for holder, name, value in walk.fixes:
        if value is None:
            del holder[name]
        else:
            holder[name] = value
    if not all(left for _, left in walk.cut):  # zero is all that is left of it
        prune(definition, obj)
    return walk.unknown


def reworded(definition: Definition, data: bytes) -> str:
    """The error of decoding a JSON text, with numbers as they are written in it."""
    errors, _ = check(definition, json.loads(data, parse_int=Whole, parse_float=Real))
    return errors[0]


class _Walk:
    """One walk over one object; `fixes` holds (holder, member, value): what decoding changes, None for removal."""

    def __init__(self, root: Definition, *, restored: bool = False) -> None:
        self.root, self.restored = root, restored
        self.cut: list[tuple[str, Any]] = []  # (path, what is left of a value)
        self.errors: list[str] = []
        self.ends: list[str] = []  # errors of values that read themselves, at which upstream's decoder stops
        self.restoring = ""  # the first error in the words of a strategic merge patch, if it has its own
        self.unknown: list[str] = []
        self.fixes: list[tuple[Any, str | int, Any]] = []
        self.definitions = load().definitions
        self.dropped = dropped_zeros()

    def value(self, schema: Definition, value: Any, path: str, owner: str) -> None:
        """Check one value; `owner` is the type whose field it is, as Go's messages name it."""
        name = ""
        if "$ref" in schema:
            reference = schema["$ref"]
            if reference in (RAW, FIELDS):
                return
            schema, name = self.definitions[reference], short(reference)
            if "properties" in schema:
                self.object(schema, value, path, owner, name)
                return
        match schema.get("type"):
            case "object":
                if "properties" in schema:
                    self.object(schema, value, path, owner, "")
                elif "additionalProperties" in schema:
                    self.map(schema, value, path, owner)
                elif not isinstance(value, dict):
                    self.mismatch(value, path, owner, name or go_type(schema))
                elif name.endswith("SubresourceStatus"):  # the one struct that has no members
                    self.unknown += [self.shown(f"{path}.{member}") for member in value]
                    self.fixes.extend((value, member, None) for member in value)
            case "array":
                self.array(schema, value, path, owner)
            case None:
                return
            case _:
                self.scalar(schema, value, path, owner)

    def object(self, schema: Definition, value: Any, path: str, owner: str, name: str) -> None:
        if not isinstance(value, dict):
            self.mismatch(value, path, owner, name or "map[string]interface {}")
            return
        properties = schema["properties"]
        inside = name.rpartition(".")[2] or kind_of(schema)
        dropped = self.dropped.get(id(schema), _NONE)
        for member, child in value.items():
            known = properties.get(member)
            if known is None:
                self.unknown.append(self.shown(f"{path}.{member}") if path else member)
                self.fixes.append((value, member, None))
            elif child is None:
                self.fixes.append((value, member, None))
            elif known.get("$ref") == _QUANTITY:
                self.quantity(value, member, child)
            else:
                if type(child) is not str or known.get("type") != "string" or "format" in known:
                    self.value(known, child, f"{path}.{member}" if path else member, inside)
                if not child and member in dropped:
                    self.fixes.append((value, member, None))

    def map(self, schema: Definition, value: Any, path: str, owner: str) -> None:
        if not isinstance(value, dict):
            self.wrong(schema, value, path, owner)
            return
        items = schema["additionalProperties"]
        if items.get("type") == "string" and "format" not in items:
            for key, child in value.items():
                if not isinstance(child, str):
                    if child is None:
                        self.fixes.append((value, key, ""))
                    else:
                        self.mismatch(child, f"{path}{_KEY}{key}{_END}", owner, "string")
            return
        quantities = items.get("$ref") == _QUANTITY
        for key, child in value.items():
            if child is None:
                self.fixes.append(
                    (value, key, "" if items.get("format") == "byte" else next(iter(self.zeros(items)), None))
                )
            elif quantities:
                self.quantity(value, key, child)
            else:
                self.value(items, child, f"{path}{_KEY}{key}{_END}", owner)

    def array(self, schema: Definition, value: Any, path: str, owner: str) -> None:
        if not isinstance(value, list):
            self.wrong(schema, value, path, owner)
            return
        items = schema["items"]
        quantities = items.get("$ref") == _QUANTITY
        for index, child in enumerate(value):
            if child is None:
                self.fixes.extend((value, index, zero) for zero in self.zeros(items))
            elif quantities:
                self.quantity(value, index, child)
            else:
                self.value(items, child, f"{path}[{index}]", owner)

    def zeros(self, items: Definition) -> list[Any]:
        """What decoding makes of a null in a list: the zero value of its type; none where any JSON may be."""
        name = items.get("$ref")
        if name == _QUANTITY:
            return ["0"]
        schema = self.definitions[name] if name else items
        if "properties" in schema:
            return [{}]
        zero = {"string": "", "integer": 0, "boolean": False, "number": 0}.get(schema.get("type", ""))
        made = zero is not None and (zero == 0 or "format" not in schema)
        return [zero] if made else []

    def scalar(self, schema: Definition, value: Any, path: str, owner: str) -> None:
        kind, form = schema["type"], schema.get("format")
        if kind == "string":
            if form is None:
                if not isinstance(value, str):
                    self.wrong(schema, value, path, owner)
            else:
                self.formatted(form, schema, value, path, owner)
        elif kind == "integer":
            limit = _INTEGERS[form or "int64"]
            if isinstance(value, bool) or not isinstance(value, int) or not -limit <= value < limit:
                if self.restored and type(value) in (int, float) and value == math.trunc(value):
                    self.cut.append((path, cut_off(value, limit)))
                else:
                    self.wrong(schema, value, path, owner)
        elif kind == "boolean":
            if not isinstance(value, bool):
                self.wrong(schema, value, path, owner)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(schema, value, path, owner)

    def formatted(self, form: str, schema: Definition, value: Any, path: str, owner: str) -> None:
        if form == "int-or-string":
            if self.restored and type(value) is float and abs(value) < _INTEGERS["int32"] and value == int(value):
                self.cut.append((path, int(value)))
            elif isinstance(value, bool) or not isinstance(value, int | str) or _beyond(value):
                self.end(self.worded(value, path, owner, "int32"), self.worded(value, "", "", "int32"))
        elif not isinstance(value, str):
            if form == "byte" and isinstance(value, list):
                self.numbers(value, path, owner)
            elif form == "byte":
                self.wrong(schema, value, path, owner)
            else:
                self.end(self.worded(value, path, owner, "string"), self.worded(value, "", "", "string"))
        elif form == "byte":
            self.bytes(value, path)
        elif problem := time_error(value, micro=form == "micro-time"):
            self.end(problem)
        elif value == "0001-01-01T00:00:00Z":  # the time that is none
            self.cut.append((path, None))

    def quantity(self, holder: Any, member: str | int, value: Any) -> None:
        try:
            text = quantity.canonical(value)
        except quantity.QuantityError as error:
            self.end(str(error))
        else:
            if text != value:
                self.fixes.append((holder, member, text))

    def bytes(self, value: str, path: str) -> None:
        """Base64, in which lines may end anywhere."""
        text = value.replace("\n", "").replace("\r", "")
        if len(text) % 4 == 0 and _BASE64.fullmatch(text):
            if text.endswith("="):  # bits that belong to no byte are lost
                text = text[:-4] + base64.b64encode(base64.b64decode(text[-4:])).decode()
            if text != value:
                self.cut.append((path, text))
            return
        problem = f"illegal base64 data at input byte {len(value[: corrupt(value)].encode())}"
        self.restoring = self.restoring or f"error decoding from json: {problem}"
        self.errors.append(problem)

    def numbers(self, value: list[Any], path: str, owner: str) -> None:
        """Bytes as a list of numbers, which nobody writes but Go reads."""
        found = bytearray()
        for one in value:
            number = 0 if one is None else one
            if isinstance(number, bool) or not isinstance(number, int) or not (self.restored or 0 <= number < 256):
                self.mismatch(one, path, owner, "uint8")
                return
            found.append(number & 255)
        self.cut.append((path, base64.b64encode(found).decode()))

    def shown(self, path: str) -> str:
        """A path as it is told; of what was a map before, without keys."""
        return (_KEYS.sub("", path) if self.restored else _with_keys(path)) if _KEY in path else path

    def end(self, problem: str, restoring: str = "") -> None:
        self.restoring = self.restoring or restoring or problem
        self.ends.append(problem)

    def wrong(self, schema: Definition, value: Any, path: str, owner: str) -> None:
        self.mismatch(value, path, owner, go_type(schema))

    def mismatch(self, value: Any, path: str, owner: str, wanted: str) -> None:
        self.restoring = self.restoring or restore_error(value, wanted, shown(self.root, path)[1] if path else None)
        self.errors.append(self.worded(value, path, owner, wanted))

    def worded(self, value: Any, path: str, owner: str, wanted: str) -> str:
        got = json_type(value, wanted)
        if not path:
            return f"json: cannot unmarshal {got} into Go value of type {wanted}"
        where, named = shown(self.root, path)
        named = None if wanted == "uint8" else named
        return f"json: cannot unmarshal {got} into Go struct field {owner}.{where} of type {named or wanted}"


def _beyond(value: int | str) -> bool:
    """Whether a number does not fit into an IntOrString."""
    return isinstance(value, int) and not -(2**31) <= value < 2**31


def _with_keys(path: str) -> str:
    return path.replace(_KEY, ".").replace(_END, "")
