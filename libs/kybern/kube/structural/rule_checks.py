"""What is wrong with the rules of a definition: their form, their types, what they would cost, where they compare.

A rule's cost counts as often as its place can occur in an object; the sum over the definition has a limit too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kybern.kube.field import FieldError, forbidden, invalid, not_supported, required
from kybern.kube.structural.compiled_rules import Place, Rule, compile_rule
from kybern.kube.structural.declared import LARGEST
from kybern.kube.structural.field_path import WrongPath, follow
from kybern.kube.structural.go_form import rule_shown
from kybern.kube.structural.node import Definition

RULE_LIMIT, DEFINITION_LIMIT = 10_000_000, 100_000_000
MOST_NAMED = 4
REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_ADVICE = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)
_TOTAL = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
Errors = Iterator[FieldError]


@dataclass
class Costs:
    """What all rules together may cost."""

    total: int = 0
    by_path: list[tuple[int, str]] = field(default_factory=list)

    def add(self, cost: int, path: str) -> None:
        """Count a rule."""
        self.total += cost
        self.by_path.append((cost, path))


@dataclass(frozen=True)
class Where:
    """A place on the way down: how often it can occur (None: as often as fits), and what cannot be compared."""

    times: int | None = 1
    uncorrelated: str = ""

    def below(self, schema: Definition, most: Any, path: str, is_list: bool) -> "Where":
        """The place of the elements of a list or map."""
        times = None if self.times is None or most is None else self.times * max(int(most), 0)
        if is_list and not self.uncorrelated and schema.get("x-kubernetes-list-type") != "map":
            return Where(times, path)
        return Where(times, self.uncorrelated)


def check_all(schema: Definition, path: str) -> list[FieldError]:
    """Every error of the rules of an openAPIV3Schema."""
    costs = Costs()
    errors = list(_check(schema, path, Where(), costs, True))
    if costs.total > DEFINITION_LIMIT:
        dearest = sorted(costs.by_path, key=lambda one: -one[0])[:MOST_NAMED]
        for _, at in dearest:
            detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
            errors.append(forbidden(at, detail))
        errors.append(forbidden(path, _too_dear(_TOTAL, costs.total, DEFINITION_LIMIT)))
    return errors


def _check(schema: Definition, path: str, where: Where, costs: Costs, is_root: bool = False) -> Errors:
    rules = schema.get("x-kubernetes-validations") or ()
    if rules:
        wrong = [
            error
            for index, rule in enumerate(rules)
            for error in _form(schema, rule, f"{path}.x-kubernetes-validations[{index}]")
        ]
        yield from wrong
        place = Place(schema, is_root)
        for index, rule in enumerate(rules if not wrong else ()):
            yield from _rule(place, rule, f"{path}.x-kubernetes-validations[{index}]", where, costs)
    for name, child in (schema.get("properties") or {}).items():
        yield from _check(child, f"{path}.properties[{name}]", where, costs)
    items, more = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        yield from _check(items, f"{path}.items", where.below(schema, schema.get("maxItems"), path, True), costs)
    if isinstance(more, dict):
        inside = where.below(schema, schema.get("maxProperties"), path, False)
        yield from _check(more, f"{path}.additionalProperties", inside, costs)


def _rule(place: Place, rule: Definition, path: str, where: Where, costs: Costs) -> Errors:
    found = compile_rule(place, rule)
    if found.error:
        yield invalid(f"{path}.rule", rule_shown(rule), found.error)
    if found.message_error:
        yield invalid(f"{path}.messageExpression", rule_shown(rule), found.message_error)
    if found.given.get("optionalOldSelf") is not None and not found.uses_old:
        detail = "may not be set if oldSelf is not used in rule"
        yield invalid(f"{path}.optionalOldSelf", found.optional_old, detail)
    if found.program is None:
        return
    yield from _cost(place, found, path, where, costs)
    if found.uses_old and where.uncorrelated:
        detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {where.uncorrelated}"
        yield invalid(f"{path}.rule", rule["rule"], detail)


def _form(schema: Definition, rule: Definition, path: str) -> Errors:
    if not (rule.get("rule") or "").strip():
        yield required(f"{path}.rule", "rule is not specified")
    message, expression = rule.get("message") or "", rule.get("messageExpression") or ""
    if message and not message.strip():
        yield invalid(f"{path}.message", message, "must be non-empty if specified")
    elif _lines(message):
        yield invalid(f"{path}.message", message, "must not contain line breaks")
    elif _lines(rule.get("rule") or "") and not message.strip():
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    if expression and not expression.strip():
        yield required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    if rule.get("reason") is not None and rule["reason"] not in REASONS:
        yield not_supported(f"{path}.reason", rule["reason"], REASONS)
    at = rule.get("fieldPath") or ""
    if at:
        for problem in _wrong_path(schema, at):
            yield invalid(f"{path}.fieldPath", at, problem)


def _lines(text: str) -> bool:
    return "\n" in text.strip() or "\r" in text.strip()


def _wrong_path(schema: Definition, text: str) -> Iterator[str]:
    """Why a field path does not lead anywhere."""
    if not text.strip():
        yield "must be non-empty if specified"
    elif _lines(text) or "\n" in text:
        yield "must not contain line breaks"
    try:
        follow(text, schema)
    except WrongPath:
        yield "must be a valid path"


def _cost(place: Place, rule: Rule, path: str, where: Where, costs: Costs) -> Errors:
    assert place.declared is not None
    times = where.times if where.times is not None else LARGEST // (place.declared.smallest + 1)
    for member, program, what in (
        ("rule", rule.program, "estimated rule cost"),
        ("messageExpression", rule.message, "estimated messageExpression cost"),
    ):
        if program is None:
            continue
        cost = place.cost(program) * times
        if cost > RULE_LIMIT:
            yield forbidden(f"{path}.{member}", _too_dear(what, cost, RULE_LIMIT))
        costs.add(cost, f"{path}.{member}")


def _too_dear(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = "more than 100x" if factor > 100 else f"{factor:.6f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {shown} {_ADVICE}"
