"""Node: one place of a structural schema, compiled so that walking an object costs little."""

from typing import Any

from kybern.kube.structural.names import escape

Definition = dict[str, Any]
MISSING: Any = object()
CEL_FORMATS = ("byte", "date", "date-time", "duration")
INT_OR_STRING = ("integer", "string")


class Node:
    """What the schema says of one value; attributes are upstream's members."""

    __slots__ = (
        "additional", "all_of", "any_of", "closed", "compiled", "default", "embedded", "enum", "format", "has_defaults",
        "has_rules", "has_uniqueness", "items", "limits", "list_keys", "list_type", "metadata", "negated", "nullable",
        "one_of", "open", "pattern", "plain", "preserve", "properties", "required", "rules", "schema", "types",
    )  # fmt: skip

    def __init__(self, schema: Definition) -> None:
        self.schema = schema
        given = schema.get("type") or ""
        self.types: tuple[str, ...] = (given,) if given else ()
        if schema.get("x-kubernetes-int-or-string"):
            self.types = INT_OR_STRING
        self.nullable = bool(schema.get("nullable"))
        self.preserve = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        self.embedded = bool(schema.get("x-kubernetes-embedded-resource"))
        self.list_type: str = schema.get("x-kubernetes-list-type") or ""
        self.list_keys: tuple[str, ...] = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        self.default: Any = schema.get("default", MISSING)
        self.format: str = schema.get("format") or ""
        self.enum: tuple[Any, ...] = tuple(schema.get("enum") or ())
        self.required: tuple[str, ...] = tuple(schema.get("required") or ())
        self.pattern: str = schema.get("pattern") or ""
        self.limits = {name: schema[name] for name in LIMITS if schema.get(name) is not None}
        self.rules: tuple[Definition, ...] = tuple(schema.get("x-kubernetes-validations") or ())
        self.properties = {name: Node(child) for name, child in (schema.get("properties") or {}).items()}
        more = schema.get("additionalProperties")
        self.additional = Node(more) if isinstance(more, dict) else None
        self.open = more is True
        self.closed = more is False
        items = schema.get("items")
        self.items = Node(items) if isinstance(items, dict) else None
        self.all_of = tuple(map(Node, schema.get("allOf") or ()))
        self.any_of = tuple(map(Node, schema.get("anyOf") or ()))
        self.one_of = tuple(map(Node, schema.get("oneOf") or ()))
        negated = schema.get("not")
        self.negated = Node(negated) if isinstance(negated, dict) else None
        children = self.children()
        self.has_defaults: bool = self.default is not MISSING or any(child.has_defaults for child in children)
        self.has_uniqueness: bool = self.list_type in ("set", "map") or any(child.has_uniqueness for child in children)
        self.has_rules: bool = bool(self.rules) or any(child.has_rules for child in children)
        self.compiled: Any = None  # the rules, once they are
        self.plain: bool = self._is_plain() and all(child.plain for child in children)  # CEL sees it as it is
        self.metadata: bool = self.embedded or any(
            child.metadata for child in children
        )  # an embedded resource is below

    def _is_plain(self) -> bool:
        if self.types in (("number",), ("integer",)) or self.list_type in ("set", "map"):
            return False
        if self.types == ("string",) and self.format in CEL_FORMATS:
            return False
        return all(escape(name) == name for name in self.properties)

    def children(self) -> list["Node"]:
        """The schemas of the parts of a value."""
        return [*self.properties.values(), *(node for node in (self.additional, self.items) if node is not None)]

    def member(self, name: str) -> "Node | None":
        """The schema of one member of an object; None if there is none."""
        return self.properties.get(name) or self.additional


LIMITS = (
    "exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf",
    "maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties",
)  # fmt: skip


def compile_schema(schema: Definition) -> Node:
    """The compiled form of an openAPIV3Schema."""
    return Node(schema)
