"""CustomKind: one version of a custom kind, with everything its definition says of objects."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from kybern.kube import schema as built_in
from kybern.kube.field import FieldError, invalid, required
from kybern.kube.go_values import printed
from kybern.kube.schema import DecodeError
from kybern.kube.structural.defaults import apply_defaults, drop_nulls
from kybern.kube.structural.lists import check_lists
from kybern.kube.structural.node import MISSING, Definition, Node
from kybern.kube.structural.prune import prune
from kybern.kube.structural.values import NOWHERE, check
from kybern.kube.validation.metadata import validate_metadata
from kybern.kube.validation.names import dns1035_label, path_segment

Object = dict[str, Any]
MOST_REPLICAS = (1 << 31) - 1
_GO = {
    dict: "map[string]interface {}", list: "[]interface {}", str: "string", bool: "bool", type(None): "<nil>",
}  # fmt: skip
_IN_STATUS = re.compile(r"^status\.?(?=\S* in body )|(?<=\) in )status\.?(?=\S*$)")
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@dataclass(frozen=True)
class Scale:
    """Where the scale subresource finds its numbers; paths start with a dot."""

    spec: str
    status: str
    selector: str = ""


def member_at(obj: Object, path: str) -> Any:
    """The value at a path such as `.spec.replicas`; None where there is none."""
    value: Any = obj
    for name in path.removeprefix(".").split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def with_member(obj: Object, path: str, value: Any) -> Object:
    """The object with another value at a path; only what is on the way is copied."""
    name, _, rest = path.removeprefix(".").partition(".")
    inner = obj.get(name)
    return {**obj, name: with_member(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}


@dataclass(frozen=True, eq=False)
class CustomKind:
    """See the module's docstring. `schema` is the openAPIV3Schema."""

    schema: Definition
    node: Node
    status: bool = False
    scale: Scale | None = None
    selectable: tuple[str, ...] = ()
    preserve: bool = False  # spec.preserveUnknownFields of old
    warning: str = ""
    columns: tuple[Definition, ...] = field(default_factory=tuple)
    ending: bool = False  # its definition is being deleted
    api_versions: frozenset[str] = frozenset()  # all that its definition has, served or not

    def prune(self, obj: Object) -> list[str]:
        """Drop unknown fields in place, those of metadata too; their paths. Raises DecodeError."""
        metadata = obj.get("metadata")
        unknown = [] if metadata is None else prune_metadata(metadata, "metadata")
        if not self.preserve:
            unknown += prune(self.node, obj)
        if self.node.metadata:
            unknown += prune_embedded(self.node, obj, "", True)
        return unknown

    def fill(self, obj: Object) -> None:
        """Fill defaults in place, of what was decoded before: its nulls are judged."""
        apply_defaults(self.node, obj)
        self._prune_defaults(obj)

    def default(self, obj: Object) -> None:
        """Fill defaults and drop nulls in place."""
        apply_defaults(self.node, obj)
        drop_nulls(self.node, obj)
        self._prune_defaults(obj)

    def _prune_defaults(self, obj: Object) -> None:
        """Drop what they have brought into metadata that it does not know."""
        if self.node.metadata and self.node.has_defaults:
            prune_embedded(self.node, obj, "", True)

    def repair(self, obj: Object) -> None:
        """Drop in place what is wrong with the type and metadata of an object that somebody else has stored."""
        for resource in [obj, *(one for one, _ in _embedded(self.node, obj, "", True) if self.node.metadata)]:
            metadata = resource.get("metadata")
            if isinstance(metadata, dict):
                _repair_metadata(metadata)
            for name in ("apiVersion", "kind"):
                if name in resource and not isinstance(resource[name], str):
                    del resource[name]
        obj["metadata"]["generation"] = obj["metadata"].get("generation") or 1

    def validate(self, obj: Object, old: Any = MISSING, warnings: list[FieldError] | None = None) -> list[FieldError]:
        """Every error of the values; metadata as such is the caller's. `warnings` takes broken rules of what stays."""
        errors: list[FieldError] = []
        check(self.node, obj, "", errors, old)
        errors += self._check_lists(obj, old)
        if self.node.metadata:
            check_embedded(self.node, obj, "", errors, True)
        if self.scale is not None:
            errors += self._check_scale(obj)
        if self.node.has_rules:
            errors += self._check_rules(obj, old, errors, warnings)
        return errors

    def _check_lists(self, obj: Object, old: Any) -> list[FieldError]:
        """What has repeated items already may have others."""
        found: list[FieldError] = []
        check_lists(self.node, obj, "", found)
        before: list[FieldError] = []
        if found and old is not MISSING:
            check_lists(self.node, old, "", before)
        return [] if before else found

    def _check_rules(
        self, obj: Object, old: Any, errors: list[FieldError], warnings: list[FieldError] | None
    ) -> list[FieldError]:
        """Rules are for objects of the right shape."""
        from kybern.kube.structural import rules  # CEL is a large library: loaded when a schema first needs it

        if any(error.type in rules.BLOCKING for error in errors):
            return [invalid(NOWHERE, None, rules.NOT_CHECKED)]
        found: list[FieldError] = []
        rules.check_rules(self.node, obj, "", found, old, warnings=warnings)
        return found

    def _check_scale(self, obj: Object) -> list[FieldError]:
        assert self.scale is not None
        errors = []
        for path in (self.scale.spec, self.scale.status):
            value, problem = read_at(obj, path, int)
            if problem:
                errors.append(invalid(path, 0, problem))
            elif value is not None and value < 0:
                errors.append(invalid(path, value, "should be a non-negative integer"))
            elif value is not None and value > MOST_REPLICAS:
                errors.append(invalid(path, value, f"should be less than or equal to {MOST_REPLICAS}"))
        if self.scale.selector:
            _, problem = read_at(obj, self.scale.selector, str)
            if problem:
                errors.append(invalid(self.scale.selector, "", problem))
        return errors


def of_status(errors: list[FieldError]) -> list[FieldError]:
    """Errors of an update of the status alone: they tell where in it something is."""
    return [
        replace(
            error,
            field="status" if error.detail.startswith("Checked value") else error.field,
            detail=_IN_STATUS.sub("", error.detail, count=1),
        )
        for error in errors
    ]


def read_at(obj: Object, path: str, wanted: type[int] | type[str]) -> tuple[Any, str]:
    """The value at a path, None where there is none; and what is wrong if it, or one on the way, has another type."""
    value: Any = obj
    for name in path.removeprefix(".").split("."):
        if type(value) is not dict:
            return None, _accessor(path, value, "map[string]interface{}")
        if name not in value:
            return None, ""
        value = value[name]
    if type(value) is not wanted or (isinstance(value, int) and not -(1 << 63) <= value < 1 << 63):
        return None, _accessor(path, value, "int64" if wanted is int else "string")
    return value, ""


def _accessor(path: str, value: Any, wanted: str) -> str:
    shown = "int64" if type(value) is int and abs(value) < 1 << 63 else _GO.get(type(value), "float64")
    return f"{path} accessor error: {printed(value)} is of the type {shown}, expected {wanted}"


def _repair_metadata(metadata: Object) -> None:
    try:
        built_in.prune({"$ref": OBJECT_META}, metadata)
    except DecodeError:
        for name, value in list(metadata.items()):
            one = {name: value}
            try:
                built_in.prune({"$ref": OBJECT_META}, one)
            except DecodeError:
                one = {}
            if name not in one:
                del metadata[name]
    for name in [name for name, value in metadata.items() if value is None]:
        del metadata[name]


def prune_metadata(metadata: Any, path: str) -> list[str]:
    """Drop what is no ObjectMeta; the paths. Raises DecodeError, of which the metadata is the root."""
    if not isinstance(metadata, dict):
        name = {str: "string", bool: "bool", list: "array"}.get(type(metadata), "number")
        raise DecodeError(f"json: cannot unmarshal {name} into Go value of type v1.ObjectMeta")
    return [f"{path}.{name}" for name in built_in.prune({"$ref": OBJECT_META}, metadata)]


def _embedded(node: Node, value: Any, path: str, is_root: bool) -> list[tuple[Object, str]]:
    """Every embedded resource below a value, with its path."""
    found: list[tuple[Object, str]] = []
    if type(value) is dict:
        if node.embedded and not is_root:
            found.append((value, path))
        for name, part in value.items():
            inner = node.member(name)
            if inner is not None and inner.metadata:
                found += _embedded(inner, part, f"{path}.{name}" if path else name, False)
    elif type(value) is list and node.items is not None and node.items.metadata:
        for index, item in enumerate(value):
            found += _embedded(node.items, item, f"{path}[{index}]", False)
    return found


class BadMember(DecodeError):
    """A member of an embedded resource has not the shape of its type."""

    def __init__(self, found: FieldError) -> None:
        super().__init__(str(found))
        self.found = found


def prune_embedded(node: Node, obj: Any, path: str, is_root: bool) -> list[str]:
    """Drop what is no ObjectMeta in embedded resources, in place; the paths. Raises DecodeError."""
    unknown = []
    for resource, at in _embedded(node, obj, path, is_root):
        prefix = f"{at}." if at else ""
        for name in ("kind", "apiVersion"):
            if name in resource and not isinstance(resource[name], str):
                raise BadMember(invalid(prefix + name, resource[name], "must be a string"))
        if "metadata" in resource:
            if resource["metadata"] is None:
                resource["metadata"] = {}
            try:
                unknown += [prefix + name for name in prune_metadata(resource["metadata"], "metadata")]
            except DecodeError as error:
                raise BadMember(invalid(f"{prefix}metadata", resource["metadata"], str(error))) from None
    return unknown


def check_embedded(node: Node, obj: Any, path: str, errors: list[FieldError], is_root: bool) -> None:
    """Every error of the type and metadata of embedded resources; the root is none."""
    for resource, at in _embedded(node, obj, path, is_root):
        errors += _check_type(resource, at)
        metadata = resource.get("metadata")
        if isinstance(metadata, dict):
            found = validate_metadata(metadata, bool(metadata.get("namespace")), path_segment, f"{at}.metadata", True)
            errors += (error for error in found if error.detail != "name or generateName is required")


def _check_type(resource: Object, path: str) -> Iterator[FieldError]:
    for name, problems in (("apiVersion", _group_version), ("kind", _kind)):
        value = resource.get(name)
        if value is None:
            yield required(f"{path}.{name}")
        elif not value:
            yield invalid(f"{path}.{name}", value, "must not be empty")
        elif problem := problems(value):
            yield invalid(f"{path}.{name}", value, problem)


def _group_version(value: str) -> str:
    return f"unexpected GroupVersion string: {value}" if value.count("/") > 1 else ""


def _kind(value: str) -> str:
    problems = ",".join(dns1035_label(value.lower()))
    return f"may have mixed case, but should otherwise match: {problems}" if problems else ""
