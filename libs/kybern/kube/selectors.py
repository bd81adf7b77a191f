"""Label and field selectors: parsed once into requirements, then matched against plain string mappings.

Strings ("app=web,tier in (a,b),!old") and LabelSelector objects become the same `Selector`; errors carry upstream's
wording.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kybern.kube.selector_values import check_label_key, check_label_value

_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt")
_TOKEN = re.compile(r"\s*(?:(==|!=|[=!(),<>])|([^\s=!(),<>]+)|$)")
_WORD_OPERATORS = ("in", "notin")
_END = ""


class SelectorError(ValueError):
    """A selector that cannot be read; the message is upstream's."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label. `operator` is one of: in, notin, =, !=, exists, !, gt, lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        bound = int(self.values[0])
        number = _int(value)
        if number is None:
            return False
        return number > bound if self.operator == "gt" else number < bound

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{self.values[0]}"
        return f"{self.key}{self.operator}{self.values[0]}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold. No requirements select everything; `nothing` selects nothing at all."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        return not self.nothing and all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        """True when it selects everything."""
        return not self.nothing and not self.requirements

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def _int(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[+-]?[0-9]{1,63}", text) else None  # as long as a label


def requirement(key: str, operator: str, values: Sequence[str] = ()) -> Requirement:
    """A checked requirement; `operator` as in Requirement, or "==". Values get sorted. Raises SelectorError."""
    operator = "=" if operator == "==" else operator
    check_label_key(key, SelectorError)
    match operator:
        case "in" | "notin" if not values:
            raise SelectorError("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
        case "=" | "!=" if len(values) != 1:
            raise SelectorError(
                f"values: Invalid value: {_list(values)}: exact-match compatibility requires one single value"
            )
        case "exists" | "!" if values:
            raise SelectorError(
                f"values: Invalid value: {_list(values)}: values set must be empty for exists and does not exist"
            )
        case "gt" | "lt" if len(values) != 1:
            raise SelectorError(
                f"values: Invalid value: {_list(values)}: for 'Gt', 'Lt' operators, exactly one value is required"
            )
        case "gt" | "lt" if _int(values[0]) is None:
            raise SelectorError(
                f"values[0]: Invalid value: \"{values[0]}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
    for index, value in enumerate(values):
        check_label_value(key, index, value, SelectorError)
    return Requirement(key, operator, tuple(sorted(set(values))))


def _list(values: Sequence[str]) -> str:
    return "[" + ",".join(f'"{value}"' for value in values) + "]"


@lru_cache(maxsize=1024)
def parse(text: str) -> Selector:
    """A label selector in string form; "" selects everything. Raises SelectorError."""
    return Selector(tuple(sorted(_Parser(text).requirements(), key=lambda found: found.key)))


class _Parser:
    """Recursive descent over tokens; "in" and "notin" are words like any other except right after a key."""

    def __init__(self, text: str) -> None:
        self._tokens = self._split(text)
        self._next = 0

    @staticmethod
    def _split(text: str) -> list[str]:
        return [symbol or word for symbol, word in _TOKEN.findall(text) if symbol or word]

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else _END

    def _take(self) -> str:
        token = self._peek()
        self._next += 1
        return token

    def requirements(self) -> Iterable[Requirement]:
        while (token := self._peek()) != _END:
            if not (_is_word(token) or token == "!"):
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            yield self._requirement()
            match self._take():
                case "":
                    return
                case ",":
                    if not (_is_word(self._peek()) or self._peek() == "!"):
                        raise SelectorError(f"found '{self._peek()}', expected: identifier after ','")
                case other:
                    raise SelectorError(f"found '{other}', expected: ',' or 'end of string'")

    def _requirement(self) -> Requirement:
        try:
            return self._parse_requirement()
        except SelectorError as error:
            raise SelectorError(f"unable to parse requirement: {error}") from None

    def _parse_requirement(self) -> Requirement:
        token = self._take()
        negated = token == "!"
        key = self._take() if negated else token
        if not _is_word(key):
            raise SelectorError(f"found '{key}', expected: identifier")
        check_label_key(key, SelectorError)
        if negated:
            return requirement(key, "!")
        if self._peek() in (_END, ","):
            return requirement(key, "exists")
        operator = self._take()
        match operator:
            case "in" | "notin":
                return requirement(key, operator, self._set())
            case "=" | "==" | "!=":
                return requirement(key, operator, [self._exact()])
            case "<" | ">":
                return requirement(key, "gt" if operator == ">" else "lt", [self._exact()])
        raise SelectorError(f"found '{operator}', expected: {', '.join(_OPERATORS)}")

    def _exact(self) -> str:
        if self._peek() in (_END, ","):
            return ""
        token = self._take()
        if not _is_word(token):
            raise SelectorError(f"found '{token}', expected: identifier")
        return token

    def _set(self) -> list[str]:
        if (token := self._take()) != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        values: list[str] = []
        while True:
            values.append("" if self._peek() in (",", ")") else self._set_member())
            match self._take():
                case ")":
                    return values
                case ",":
                    continue
                case token:
                    raise SelectorError(f"found '{token}', expected: ',' or ')'")

    def _set_member(self) -> str:
        token = self._take()
        if not _is_word(token):
            raise SelectorError(f"found '{token}', expected: ',', ')' or identifier")
        return token


def _is_word(token: str) -> bool:
    return token != _END and token[0] not in "=!(),<>"


_OBJECT_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def from_label_selector(selector: Mapping[str, Any] | None) -> Selector:
    """A Selector from a LabelSelector object: None selects nothing, {} everything. Raises SelectorError."""
    if selector is None:
        return NOTHING
    found = [requirement(key, "=", [value]) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _OBJECT_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f'"{expression.get("operator", "")}" is not a valid label selector operator')
        found.append(requirement(expression.get("key", ""), operator, expression.get("values") or ()))
    return Selector(tuple(sorted(found, key=lambda each: each.key)))


def from_labels(labels: Mapping[str, str] | None) -> Selector:
    """A Selector that asks for exactly these labels, unchecked: a Service's or ReplicationController's selector."""
    return Selector(tuple(Requirement(key, "=", (value,)) for key, value in sorted((labels or {}).items())))


_NODE_OPERATORS = {**_OBJECT_OPERATORS, "Gt": "gt", "Lt": "lt"}


def from_node_selector_term(expressions: Iterable[Mapping[str, Any]] | None) -> Selector:
    """A Selector from a NodeSelectorTerm's matchExpressions (or matchFields), which know Gt and Lt too."""
    found = []
    for expression in expressions or ():
        operator = _NODE_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f'"{expression.get("operator", "")}" is not a valid node selector operator')
        found.append(requirement(expression.get("key", ""), operator, expression.get("values") or ()))
    return Selector(tuple(found))
