"""Quantity against named cases and against Fraction arithmetic."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.kube import quantity

CANONICAL = {
    "0": "0",
    "0Gi": "0",
    "0.5": "500m",
    "1024Mi": "1Gi",
    "1.5Gi": "1536Mi",
    "512": "512",
    ".5Mi": "512Ki",
    "0.5Ki": "512",
    "1000k": "1M",
    "1e3": "1e3",
    "1E6": "1e6",
    "100e-2": "1",
    "1E": "1E",
    "0.1n": "1n",
    "-0.1n": "-1n",
    "-1.5": "-1500m",
    "+3": "3",
    "1.0001Ki": "1024102400u",
    "12345678901234567890": "12345678901234567890",
    "100Ei": "9223372036854775807",
}


@pytest.mark.parametrize(("text", "wanted"), CANONICAL.items())
def test_canonical(text: str, wanted: str) -> None:
    assert quantity.canonical(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "Gi", "1.2.3", "1 Gi", " 1", "1Gi ", "1K", "1mi", "1e", "0x1", "--1", "1ee3", ".", "1_000"]
)
def test_not_a_quantity(text: str) -> None:
    with pytest.raises(quantity.QuantityError):
        quantity.parse(text)


@pytest.mark.parametrize("text", ["9" * 5000, "1e" + "9" * 5000, "." + "9" * 5000, "9" * 5000 + "Ki", "1e401"])
def test_a_quantity_beyond_any_use(text: str) -> None:
    with pytest.raises(quantity.QuantityError):
        quantity.parse(text)


@pytest.mark.parametrize("value", [None, True, [], {}])
def test_json_value_not_a_quantity(value: object) -> None:
    with pytest.raises(quantity.QuantityError):
        quantity.parse(value)


@pytest.mark.parametrize(
    ("text", "value", "milli"),
    [("100m", 1, 100), ("1500m", 2, 1500), ("-1.5", -2, -1500), ("1Ki", 1024, 1024000), ("1u", 1, 1), ("0", 0, 0)],
)
def test_whole_values_round_away_from_zero(text: str, value: int, milli: int) -> None:
    assert (quantity.parse(text).value(), quantity.parse(text).milli_value()) == (value, milli)


def test_sum_keeps_left_notation() -> None:
    assert str(quantity.parse("1Gi") + quantity.parse("1024")) == "1048577Ki"
    assert str(quantity.ZERO + quantity.parse("1Gi")) == "1Gi"
    assert quantity.parse(2) == quantity.parse("2000m")


SUFFIXES = {
    "n": Fraction(1, 10**9),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(1000),
    "G": Fraction(10**9),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "e3": Fraction(1000),
    "E-2": Fraction(1, 100),
}
texts = st.tuples(st.decimals(-(10**9), 10**9, places=3).map(lambda d: f"{d:f}"), st.sampled_from(sorted(SUFFIXES)))


@given(texts)
def test_value_is_exact_or_rounded_up_to_a_nano(parts: tuple[str, str]) -> None:
    number, suffix = parts
    exact = Fraction(number) * SUFFIXES[suffix]
    got = Fraction(quantity.parse(number + suffix).nanos, 10**9)
    assert abs(got) >= abs(exact)
    assert abs(got - exact) < Fraction(1, 10**9)


@given(texts, texts)
def test_canonical_form_is_stable_and_ordered(left: tuple[str, str], right: tuple[str, str]) -> None:
    a, b = quantity.parse("".join(left)), quantity.parse("".join(right))
    assert quantity.parse(str(a)) == a
    assert str(quantity.parse(str(a))) == str(a)
    assert (a < b) == (Fraction(a.nanos) < Fraction(b.nanos))
    assert (a + b) - b == a
