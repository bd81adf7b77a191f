"""x-kubernetes-validations: rules in CEL that a value keeps, and transition rules that its changes keep.

A rule that speaks of `oldSelf` is judged only where there is a value before the change to compare with, unless it says
`optionalOldSelf`. What other rules say of a value that an update leaves alone is a warning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kybern.kube.cel import Budget, CostExceeded, EvaluationError
from kybern.kube.cel.values import NONE, some
from kybern.kube.field import OMITTED, ErrorType, FieldError, duplicate, forbidden, invalid, required
from kybern.kube.structural import field_path as field_paths
from kybern.kube.structural.cel_values import to_cel
from kybern.kube.structural.compiled_rules import Rule, compile_rules
from kybern.kube.structural.lists import identity
from kybern.kube.structural.node import MISSING, Node
from kybern.kube.structural.values import NOWHERE, unchanged

LONGEST_MESSAGE = 5 << 10
BLOCKING = frozenset(
    {ErrorType.NOT_SUPPORTED, ErrorType.REQUIRED, ErrorType.TOO_LONG, ErrorType.TOO_MANY, ErrorType.TYPE_INVALID}
)
NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class _Stop(Exception):
    """Nothing more is judged: it costs too much."""


@dataclass(frozen=True, slots=True)
class _Judge:
    """What is the same for all values of an object."""

    errors: list[FieldError]
    budget: Budget
    ratchet: bool
    warnings: list[FieldError] | None = None

    def check(self, node: Node, value: Any, path: str, old: Any, is_root: bool, same: bool) -> None:
        """Every rule that a value, its parts, or their changes break. `same`: all around it is as it was."""
        if not node.has_rules or value is None:
            return
        same = same or (self.ratchet and old is not MISSING and unchanged(node, value, old))
        if node.rules:
            self._judge(node, value, path, old, is_root, same)
        for inner, part, at, before in _parts(node, value, path, old):
            self.check(inner, part, at, before, False, same)

    def _judge(self, node: Node, value: Any, path: str, old: Any, is_root: bool, same: bool) -> None:
        values: dict[str, Any] | None = None
        for rule in compile_rules(node, is_root):
            if rule.uses_old:
                if old is MISSING and not rule.optional_old:
                    continue
            elif same and self.warnings is None:
                continue
            if values is None:
                values = {"self": to_cel(node, value)}
                before = None if old is MISSING else to_cel(node, old)
            if rule.optional_old:
                values["oldSelf"] = NONE if old is MISSING else some(before)
            else:
                values["oldSelf"] = before
            told = self.warnings if same and not rule.uses_old and self.warnings is not None else self.errors
            self._apply(node, rule, value, values, path, told)

    def _apply(
        self, node: Node, rule: Rule, value: Any, values: dict[str, Any], path: str, told: list[FieldError]
    ) -> None:
        shown, where = node.schema.get("type") or "", path or NOWHERE
        if rule.program is None:
            self.errors.append(invalid(where, shown, f"rule compile error: {rule.error}"))
            return
        try:
            good = rule.program.evaluate(values, self.budget)
        except CostExceeded as error:
            if self.budget.left < 0:
                self.errors.append(invalid(where, shown, OUT_OF_BUDGET))
            else:
                why = "no further validation rules will be run due to call cost exceeds limit for rule"
                self.errors.append(invalid(where, shown, f"'{error}': {why}: {rule.name}"))
            raise _Stop from None
        except EvaluationError as error:
            self.errors.append(invalid(where, shown, _failed(rule, str(error))))
            return
        if good is not True:
            bad = OMITTED if type(value) in (dict, list) else value
            field_path = rule.given.get("fieldPath") or ""
            if field_path:
                part = field_paths.told(field_path, node.schema)
                where = f"{path}.{part}" if path else part
            told.append(_broken(rule, values, where, bad, self.budget))


def _failed(rule: Rule, error: str) -> str:
    if error.startswith("no such overload"):
        why = "call arguments did not match a supported operator, function or macro signature for rule"
        return f"'{error}': {why}: {rule.name}"
    return f"{error} evaluating rule: {rule.name}"


def _broken(rule: Rule, values: dict[str, Any], path: str, bad: Any, budget: Budget) -> FieldError:
    given = rule.given
    message = (given.get("message") or "").strip() or f"failed rule: {given['rule'].strip()}"
    if rule.message is not None:
        try:
            said = rule.message.evaluate(values, budget)
        except EvaluationError:
            said = ""
        if isinstance(said, str) and said.strip() and "\n" not in said.strip() and len(said) <= LONGEST_MESSAGE:
            message = said.strip()
    match given.get("reason"):
        case "FieldValueForbidden":
            return forbidden(path, message)
        case "FieldValueRequired":
            return required(path, message)
        case "FieldValueDuplicate":
            return duplicate(path, bad)
    return invalid(path, bad, message)


def check_rules(
    node: Node,
    value: Any,
    path: str,
    errors: list[FieldError],
    old: Any = MISSING,
    budget: Budget | None = None,
    is_root: bool | None = None,
    ratchet: bool = True,
    warnings: list[FieldError] | None = None,
) -> None:
    """Every rule that an object, or its change, breaks; together they may cost as much as the budget, and no more."""
    if not node.has_rules:
        return
    try:
        _Judge(errors, budget or Budget(), ratchet, warnings).check(
            node, value, path, old, not path if is_root is None else is_root, False
        )
    except _Stop:
        return


def _parts(node: Node, value: Any, path: str, old: Any) -> Iterator[tuple[Node, Any, str, Any]]:
    if type(value) is dict:
        before = old if type(old) is dict else {}
        for name, part in value.items():
            inner = node.member(name)
            if inner is not None and inner.has_rules:
                at = f"{path}.{name}" if path else name
                yield inner, part, at if name in node.properties else f"{path}[{name}]", before.get(name, MISSING)
    elif type(value) is list and node.items is not None and node.items.has_rules:
        known: dict[bytes, Any] = {}
        if node.list_type == "map" and type(old) is list:
            known = {identity(item, node.list_keys): item for item in old}
        for index, item in enumerate(value):
            before = known.get(identity(item, node.list_keys), MISSING) if known else MISSING
            yield node.items, item, f"{path}[{index}]", before
