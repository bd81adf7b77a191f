"""CustomKind: one version of a custom kind, with everything its definition says of objects."""

from dataclasses import dataclass, field
from typing import Any

from kybern.kube import schema as built_in
from kybern.kube.field import FieldError, invalid, required
from kybern.kube.structural.defaults import apply_defaults, drop_nulls
from kybern.kube.structural.lists import check_lists
from kybern.kube.structural.node import MISSING, Definition, Node, compile_schema
from kybern.kube.structural.prune import prune, prune_value
from kybern.kube.structural.values import NOWHERE, check
from kybern.kube.validation.metadata import validate_metadata
from kybern.kube.validation.names import dns1123_subdomain

Object = dict[str, Any]
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

    def prune(self, obj: Object) -> list[str]:
        """Drop unknown fields in place, those of metadata too; their paths. Raises DecodeError."""
        metadata = obj.get("metadata")
        unknown = [] if metadata is None else prune_metadata(metadata, "metadata")
        if not self.preserve:
            unknown += prune(self.node, obj)
        if self.node.metadata:
            unknown += _prune_embedded(self.node, obj, "", True)
        return unknown

    def default(self, obj: Object) -> None:
        """Fill defaults and drop nulls in place."""
        apply_defaults(self.node, obj)
        drop_nulls(self.node, obj)

    def validate(self, obj: Object, old: Any = MISSING) -> list[FieldError]:
        """Every error of the values; metadata as such is the caller's."""
        errors: list[FieldError] = []
        check(self.node, obj, "", errors, old)
        check_lists(self.node, obj, "", errors, old)
        if self.node.metadata:
            _check_embedded(self.node, obj, "", errors, True)
        if self.scale is not None:
            errors += self._check_scale(obj)
        if self.node.has_rules:
            errors += self._check_rules(obj, old, errors)
        return errors

    def _check_rules(self, obj: Object, old: Any, errors: list[FieldError]) -> list[FieldError]:
        """Rules are for objects of the right shape."""
        from kybern.kube.structural import rules  # CEL is a large library: loaded when a schema first needs it

        if any(error.type in rules.BLOCKING for error in errors):
            return [invalid(NOWHERE, None, rules.NOT_CHECKED)]
        found: list[FieldError] = []
        rules.check_rules(self.node, obj, "", found, old)
        return found

    def _check_scale(self, obj: Object) -> list[FieldError]:
        assert self.scale is not None
        errors = []
        for path in (self.scale.spec, self.scale.status):
            value = member_at(obj, path)
            if isinstance(value, int) and value < 0:
                errors.append(invalid(path, value, "should be a non-negative integer"))
        return errors


def coerce_defaults(schema: Definition, value: Any) -> tuple[list[str], list[FieldError]]:
    """What a default value would lose to pruning, and what is wrong with it."""
    node = compile_schema(schema)
    unknown = prune_value(node, value)
    errors: list[FieldError] = []
    if value is None and node.nullable:
        return unknown, errors
    apply_defaults(node, value)
    drop_nulls(node, value)
    check(node, value, "default", errors)
    check_lists(node, value, "default", errors)
    return unknown, errors


def prune_metadata(metadata: Any, path: str) -> list[str]:
    """Drop what is no ObjectMeta; the paths. Raises DecodeError."""
    return built_in.prune({"type": "object", "properties": {path: {"$ref": OBJECT_META}}}, {path: metadata})


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


def _prune_embedded(node: Node, obj: Object, path: str, is_root: bool) -> list[str]:
    unknown = []
    for resource, at in _embedded(node, obj, path, is_root):
        if isinstance(resource.get("metadata"), dict):
            unknown += [f"{at}.{name}" for name in prune_metadata(resource["metadata"], "metadata")]
    return unknown


def _check_embedded(node: Node, obj: Object, path: str, errors: list[FieldError], is_root: bool) -> None:
    for resource, at in _embedded(node, obj, path, is_root):
        missing = (name for name in ("apiVersion", "kind") if not resource.get(name))
        errors += (required(f"{at}.{name}", "must not be empty") for name in missing)
        metadata = resource.get("metadata")
        if isinstance(metadata, dict) and metadata.get("name"):
            named = bool(metadata.get("namespace"))
            errors += validate_metadata(metadata, named, dns1123_subdomain, f"{at}.metadata", any_finalizer=True)
