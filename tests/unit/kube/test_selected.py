"""Selectors as authorization sees them."""

from typing import Any

import pytest

from kybern.kube import selected
from kybern.kube.selectors import SelectorError


def test_field_selectors() -> None:
    found = selected.fields("spec.nodeName=a,status.phase!=Running")
    assert found == (("spec.nodeName", "In", ("a",)), ("status.phase", "NotIn", ("Running",)))
    with pytest.raises(SelectorError):
        selected.fields("nonsense")
    assert selected.forgiving(selected.fields, "nonsense") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", [{"key": "a", "operator": "In", "values": ["b"]}]),
        ("a in (b,c)", [{"key": "a", "operator": "In", "values": ["b", "c"]}]),
        ("a!=b", [{"key": "a", "operator": "NotIn", "values": ["b"]}]),
        ("a", [{"key": "a", "operator": "Exists"}]),
        ("!a,b>3", [{"key": "a", "operator": "DoesNotExist"}]),
    ],
)
def test_label_selectors(text: str, expected: Any) -> None:
    assert selected.shown(selected.labels(text)) == {"requirements": expected}


def one(operator: str, *values: str, key: str = "a") -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": [*values]} if values else {})}


@pytest.mark.parametrize(
    ("given", "found", "whole"),
    [
        (None, (), True),
        ({"rawSelector": "a=b"}, (("a", "In", ("b",)),), True),
        ({"rawSelector": "nonsense"}, (), False),
        ({"requirements": [one("In", "b"), one("NotIn", "c")]}, (("a", "In", ("b",)), ("a", "NotIn", ("c",))), True),
        ({"requirements": [one("In", "b", "c")]}, (), False),
        ({"requirements": [one("In", "b"), one("Exists")]}, (("a", "In", ("b",)),), False),
        ({"requirements": [one("Like", "b")]}, (), False),
    ],
)
def test_fields_of_a_review(given: Any, found: Any, whole: bool) -> None:
    assert selected.reviewed_fields(given) == (found, whole)


@pytest.mark.parametrize(
    ("given", "found", "whole"),
    [
        ({"rawSelector": "a,b=c"}, (("a", "Exists", ()), ("b", "In", ("c",))), True),
        ({"rawSelector": "a in"}, (), False),
        ({"requirements": [one("In", "b", "c"), one("Exists")]}, (("a", "In", ("b", "c")), ("a", "Exists", ())), True),
        ({"requirements": [one("In", "b"), one("Like", "b")]}, (("a", "In", ("b",)),), False),
        ({"requirements": [one("In", "b", key="not/a/key")]}, (), False),
    ],
)
def test_labels_of_a_review(given: Any, found: Any, whole: bool) -> None:
    assert selected.reviewed_labels(given) == (found, whole)


def test_words() -> None:
    words = "spec.resourceAttributes.fieldSelector ignored due to parse error"
    assert selected.ignored("fieldSelector", ()) == words
    assert "labelSelector partially ignored" in selected.ignored("labelSelector", (("a", "In", ("b",)),))
