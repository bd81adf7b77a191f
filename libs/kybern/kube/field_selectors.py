"""Field selectors: "spec.nodeName=n1,status.phase!=Running" over the few fields a kind makes selectable.

Only equality exists. A backslash escapes itself, a comma and an equals sign in values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kybern.kube.selectors import SelectorError

_TERM = re.compile(r"(?:\\.|[^\\,])*")
_OPERATOR = re.compile(r"((?:\\.|[^\\=!]|!(?!=))*)(!=|==|=)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """`field` equals `value`, or differs from it when `negated`."""

    field: str
    value: str
    negated: bool = False

    def matches(self, fields: Mapping[str, str]) -> bool:
        return (fields.get(self.field, "") == self.value) is not self.negated

    def __str__(self) -> str:
        return f"{self.field}{'!=' if self.negated else '='}{escape(self.value)}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All requirements must hold; none selects everything."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        return all(requirement.matches(fields) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements

    def exact(self, field: str) -> str | None:
        """The value this selector pins `field` to, or None: lets a list by name become a get."""
        return next((r.value for r in self.requirements if r.field == field and not r.negated), None)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERY_FIELD = FieldSelector()


@lru_cache(maxsize=1024)
def parse(text: str) -> FieldSelector:
    """A field selector in string form; "" selects everything. Raises SelectorError."""
    return FieldSelector(
        tuple(_requirement(term, text) for term in sorted(_terms(text)) if term and not _says_nothing(term))
    )


def _terms(text: str) -> list[str]:
    terms, at = [], 0
    while at <= len(text):
        found = _TERM.match(text, at)
        end = found.end() if found else at
        if end < len(text) and text[end] == "\\":
            raise SelectorError("invalid field selector: invalid escape sequence: \\")
        terms.append(text[at:end])
        at = end + 1
    return terms


def _requirement(term: str, whole: str) -> FieldRequirement:
    found = _OPERATOR.fullmatch(term)
    if found is None:
        raise SelectorError(f"invalid selector: '{whole}'; can't understand '{term}'")
    return FieldRequirement(found[1], unescape(found[3]), found[2] == "!=")


def escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def unescape(value: str) -> str:
    """Undo `escape`. Raises SelectorError for an unknown escape or a bare comma or equals sign."""
    if "\\" not in value and "=" not in value:
        return value
    out, escaped = [], False
    for char in value:
        if escaped:
            if char not in "\\,=":
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{char}")
            out.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in ",=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(char)}")
        else:
            out.append(char)
    return "".join(out)


def _says_nothing(term: str) -> bool:
    """Neither a field nor a value."""
    return term in ("=", "==", "!=")
