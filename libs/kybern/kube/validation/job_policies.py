"""Policies of a Job: which failures of pods count, and which indexes make it a success."""

import re

from kybern.kube.field import (
    OMITTED,
    ErrorType,
    FieldError,
    Struct,
    duplicate,
    invalid,
    not_supported,
    required,
    too_many,
)
from kybern.kube.go_values import quoted
from kybern.kube.validation.fields import Errors, Object, child, items, text
from kybern.kube.validation.names import label_key, min_error

MAX_RULES, MAX_CODES, MAX_PATTERNS, MAX_INDEXES_SIZE = 20, 255, 20, 65536
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")


_INTEGER, _BEYOND = re.compile(r"[+-]?[0-9]+", re.ASCII), 1 << 63


class IndexesError(ValueError):
    """Why a list of indexes cannot be read."""


def validate_failure_policy(spec: Object, path: str) -> Errors:
    rules = items(child(spec, "podFailurePolicy"), "rules")
    if len(rules) > MAX_RULES:
        yield too_many(f"{path}.rules", len(rules), MAX_RULES)
    pod = child(child(spec, "template"), "spec")
    names = {one.get("name") for group in ("containers", "initContainers") for one in items(pod, group)}
    for index, rule in enumerate(rules):
        yield from _failure_rule(rule, names, spec, f"{path}.rules[{index}]")


def _failure_rule(rule: Object, names: set[str | None], spec: Object, path: str) -> Errors:
    action = rule.get("action") or ""
    if not action:
        yield required(f"{path}.action", _valid(_ACTIONS))
    elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        detail = "requires the backoffLimitPerIndex to be set"
        yield invalid(f"{path}.action", action, detail)
    elif action not in _ACTIONS:
        yield not_supported(f"{path}.action", action, _ACTIONS)
    codes, conditions = rule.get("onExitCodes"), items(rule, "onPodConditions")
    if codes is not None:
        yield from _exit_codes(codes, names, f"{path}.onExitCodes")
    if conditions:
        yield from _patterns(conditions, f"{path}.onPodConditions")
    if codes is not None and conditions:
        detail = "specifying both OnExitCodes and OnPodConditions is not supported"
        yield FieldError(ErrorType.INVALID, path, OMITTED, detail)
    elif codes is None and not conditions:
        detail = "specifying one of OnExitCodes and OnPodConditions is required"
        yield FieldError(ErrorType.INVALID, path, OMITTED, detail)


def _valid(values: tuple[str, ...]) -> str:
    listed = " ".join(f'"{one}"' for one in values)
    return f"valid values: [{listed}]"


def _exit_codes(codes: Object, names: set[str | None], path: str) -> Errors:
    operator, values = codes.get("operator") or "", items(codes, "values")
    if not operator:
        yield required(f"{path}.operator", _valid(_OPERATORS))
    elif operator not in _OPERATORS:
        yield not_supported(f"{path}.operator", operator, _OPERATORS)
    container = codes.get("containerName")
    if container is not None and container not in names:
        detail = "must be one of the container or initContainer names in the pod template"
        yield invalid(f"{path}.containerName", container, detail)
    at = f"{path}.values"
    values = [value or 0 for value in codes.get("values") or ()]
    if not values:
        yield invalid(at, codes.get("values"), "at least one value is required")
    elif len(values) > MAX_CODES:
        yield too_many(at, len(values), MAX_CODES)
    ordered = True
    for index, value in enumerate(values):
        if index and values[index - 1] > value:
            ordered = False
        if operator == "In" and value == 0:
            yield invalid(f"{at}[{index}]", value, "must not be 0 for the In operator")
        if value in values[:index]:
            yield duplicate(f"{at}[{index}]", value)
    if not ordered:
        yield invalid(at, values, "must be ordered")


def _patterns(conditions: list[Object], path: str) -> Errors:
    if len(conditions) > MAX_PATTERNS:
        yield too_many(path, len(conditions), MAX_PATTERNS)
    for index, pattern in enumerate(conditions):
        at = f"{path}[{index}]"
        yield from text(pattern.get("type") or "", f"{at}.type", label_key)
        status = pattern.get("status") or ""
        if not status:
            yield required(f"{at}.status", _valid(_STATUSES))
        elif status not in _STATUSES:
            yield not_supported(f"{at}.status", status, _STATUSES)


def validate_success_policy(spec: Object, path: str) -> Errors:
    rules = items(child(spec, "successPolicy"), "rules")
    if not rules:
        yield required(f"{path}.rules", "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > MAX_RULES:
        yield too_many(f"{path}.rules", len(rules), MAX_RULES)
    for index, rule in enumerate(rules):
        yield from _success_rule(rule, spec.get("completions") or 0, f"{path}.rules[{index}]")


def shown_success_policy(policy: Object) -> Object:
    """As messages show it."""
    rules = [
        Struct(SucceededIndexes=rule.get("succeededIndexes"), SucceededCount=rule.get("succeededCount"))
        for rule in items(policy, "rules")
    ]
    return Struct(Rules=rules or None)


def _success_rule(rule: Object, completions: int, path: str) -> Errors:
    indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    if indexes is None and count is None:
        yield required(path, "at least one of succeededCount or succeededIndexes must be specified")
    total = 0
    if indexes is not None:
        if len(indexes) > MAX_INDEXES_SIZE:
            yield FieldError(
                ErrorType.TOO_LONG, f"{path}.succeededIndexes", "", f"may not be more than {MAX_INDEXES_SIZE} bytes"
            )
        try:
            total = count_indexes(indexes, completions)
        except IndexesError as error:
            yield invalid(f"{path}.succeededIndexes", indexes, f"error parsing succeededIndexes: {error}")
    if count is not None:
        at = f"{path}.succeededCount"
        if count < 0:
            yield invalid(at, count, min_error(0))
        if count > completions:
            detail = f"must be less than or equal to {completions} (the number of specified completions)"
            yield invalid(at, count, detail)
        if indexes is not None and count > total:
            of = "the number of indexes in the specified succeededIndexes field"
            yield invalid(at, count, f"must be less than or equal to {total} ({of})")


def count_indexes(listed: str, completions: int) -> int:
    """How many indexes a list such as `0,2-4` names. Raises IndexesError."""
    return sum(high - low + 1 for low, high in _intervals(listed, completions))


def read_indexes(listed: str, completions: int) -> set[int]:
    """The indexes themselves. Raises IndexesError."""
    return {index for low, high in _intervals(listed, completions) for index in range(low, high + 1)}


def _intervals(listed: str, completions: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for interval in listed.split(",") if listed else ():
        ends = interval.split("-")
        if len(ends) > 2:
            detail = "violates the requirement that an index interval can have at most two parts separated by '-'"
            raise IndexesError(f"the fragment {quoted(interval)} {detail}")
        low = _index(ends[0], completions)
        if found and found[-1][1] >= low:
            raise IndexesError(f"non-increasing order, previous: {found[-1][1]}, current: {low}")
        high = low if len(ends) == 1 else _index(ends[1], completions)
        if len(ends) > 1 and low >= high:
            raise IndexesError(f"non-increasing order, previous: {low}, current: {high}")
        found.append((low, high))
    return found


def _index(value: str, completions: int) -> int:
    number = int(value) if _INTEGER.fullmatch(value) else _BEYOND
    if not -_BEYOND <= number < _BEYOND:
        raise IndexesError(f"cannot convert string to integer for index: {quoted(value)}")
    if number >= completions:
        raise IndexesError(f"too large index: {quoted(value)}")
    return number
