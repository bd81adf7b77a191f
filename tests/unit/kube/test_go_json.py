"""What Go says of documents that are no JSON."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.kube.go_json import END, syntax_error

WRONG = [
    (b"", END),
    (b"  ", END),
    (b"{", END),
    (b"[1", END),
    (b'{"a"', END),
    (b'"a', END),
    (b"\xff", "invalid character 'ÿ' looking for beginning of value"),
    (b"{'a':1}", "invalid character '\\'' looking for beginning of object key string"),
    (b'{"a":}', "invalid character '}' looking for beginning of value"),
    (b'{"a" 1}', "invalid character '1' after object key"),
    (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
    (b"[1 2]", "invalid character '2' after array element"),
    (b'{"a":1}}', "invalid character '}' after top-level value"),
    (b'"a\nb"', "invalid character '\\n' in string literal"),
    (b'"\\x"', "invalid character 'x' in string escape code"),
    (b'"\\u12x"', "invalid character 'x' in \\u hexadecimal character escape"),
    (b"-x", "invalid character 'x' in numeric literal"),
    (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
    (b"1ex", "invalid character 'x' in exponent of numeric literal"),
    (b"01", "invalid character '1' after top-level value"),
    (b"trux", "invalid character 'x' in literal true (expecting 'e')"),
]


@pytest.mark.parametrize(("data", "wanted"), WRONG)
def test_wrong(data: bytes, wanted: str) -> None:
    assert syntax_error(data) == wanted


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_nothing_is_wrong_with_json(value: object) -> None:
    assert syntax_error(orjson.dumps(value)) == ""
