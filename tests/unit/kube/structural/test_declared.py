# ruff: noqa: E501 (tables of schemas)
"""Declared types: any structural schema can be declared to the compiler, whatever its fields are called."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kybern.kube.cel import CompileError
from kybern.kube.structural.compiled_rules import Place
from kybern.kube.structural.declared import declare
from kybern.kube.structural.names import escape

NAMES = st.sampled_from(
    ["a", "aEntry", "AEntry", "fooBar", "foo_bar", "foo-bar", "FooBarEntry", "in", "namespace", "package", "x.y/z", "a__b",
     "1a", "metadata", "kind", "é", "message", "optional", "_", "T1", "spec", "Spec", "self", ""]
)  # fmt: skip
scalars = st.sampled_from(
    [
        {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"x-kubernetes-int-or-string": True},
        {"type": "string", "format": "date-time"}, {"type": "string", "format": "duration"}, {"type": "string", "enum": ["a"]},
        {"type": "string", "format": "byte", "maxLength": 5}, {"x-kubernetes-preserve-unknown-fields": True},
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
    ]
)  # fmt: skip


def _more(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda more: {"type": "object", "additionalProperties": more}, inner),
        st.builds(
            lambda properties: {"type": "object", "properties": properties, "required": list(properties)},
            st.dictionaries(NAMES, inner, max_size=6),
        ),
    )


@settings(max_examples=120, deadline=None)
@given(st.recursive(scalars, _more, max_leaves=12), st.booleans())
def test_every_schema_can_be_declared(schema: dict[str, Any], is_root: bool) -> None:
    place = Place(schema, is_root)
    if place.declared is None:
        return
    for optional_old in (False, True):
        program = place.compile("self == oldSelf" if not optional_old else "oldSelf.hasValue()", optional_old, "bool")
        assert place.cost(program) >= 0
    for name, field in place.declared.fields.items():
        if name.isascii() and name.isidentifier():
            assert str(place.compile(f"has(self.{name})", False, "bool").result_type) == "bool"
            assert field.smallest >= 0


def test_what_is_not_declared_cannot_be_ruled() -> None:
    place = Place({"x-kubernetes-preserve-unknown-fields": True}, False)
    with pytest.raises(CompileError, match="rules are not supported on values without a declared type"):
        place.compile("true", False, "bool")


def test_sizes() -> None:
    text = declare({"type": "string", "maxLength": 5})
    assert text is not None
    assert text.elements == 20
    listed = declare({"type": "array", "items": {"type": "string"}})
    assert listed is not None
    assert listed.elements == ((3 << 20) - 2) // 3
    required = {
        "type": "object",
        "required": ["ab"],
        "properties": {"ab": {"type": "boolean"}, "c": {"type": "integer"}},
    }
    found = declare(required)
    assert found is not None
    assert found.smallest == 2 + 2 + 4 + 4
    assert found.at(("ab",)) is found.fields["ab"]
    assert found.at(("nothing", "@items")) is None


def test_escaped_names_are_told_apart() -> None:
    names = ("a.b", "a-b", "a/b", "a__b", "in", "__in__")
    assert len({escape(name) for name in names}) == len(names)
