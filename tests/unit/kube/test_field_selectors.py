"""Field selectors: terms, escapes, errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.kube import field_selectors
from kybern.kube.selectors import SelectorError


def test_terms() -> None:
    selector = field_selectors.parse("spec.nodeName=n1,status.phase!=Running,metadata.name==x")
    assert selector.matches({"spec.nodeName": "n1", "status.phase": "Pending", "metadata.name": "x"})
    assert not selector.matches({"spec.nodeName": "n1", "status.phase": "Running", "metadata.name": "x"})
    assert selector.exact("metadata.name") == "x"
    assert selector.exact("status.phase") is None
    assert field_selectors.parse("").matches({"a": "b"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        (r"a=\x", "invalid field selector: invalid escape sequence: \\x"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_errors(text: str, wanted: str) -> None:
    with pytest.raises(SelectorError) as caught:
        field_selectors.parse(text)
    assert str(caught.value) == wanted


@given(st.text(alphabet="ab\\,=! ", max_size=12))
def test_any_value_survives_escaping(value: str) -> None:
    selector = field_selectors.parse(f"f={field_selectors.escape(value)}")
    assert selector.exact("f") == value
