"""Numbers of JSON that remember how they were written, as errors show them."""

from typing import Self


class Written:
    """What both kinds of numbers have."""

    written: str

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, text)  # type: ignore[call-arg]  # the number's own, which reads a text
        made.written = text
        return made


class Whole(Written, int):
    """An integer."""


class Real(Written, float):
    """What has a point or an exponent."""
