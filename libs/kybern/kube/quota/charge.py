"""Charging a write to the quotas of its namespace: what they count after it, or why it is refused.

A quota says what it limits in `status.hard`, which its controller copies from the spec; so a new quota limits nothing
until the controller has counted what is there. An update is charged for what it adds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kybern.kube.quantity import ZERO
from kybern.kube.quota.amounts import Amounts, add, exceeding, increase, mask, names, read, text
from kybern.kube.quota.evaluators import Evaluator
from kybern.kube.quota.scopes import requirements

Object = dict[str, Any]


class QuotaRefusal(Exception):
    """A write that the quotas do not allow; the message is upstream's."""


@dataclass(frozen=True)
class Write:
    """A write that may use more: `old` is None for a creation."""

    evaluator: Evaluator
    new: Object
    old: Object | None = None
    subresource: str = ""


@dataclass(frozen=True)
class LimitedResource:
    """Consumption that is refused where no quota covers it: amounts whose name contains one of `contains`."""

    group: str
    resource: str
    contains: tuple[str, ...] = ()
    scopes: tuple[Object, ...] = ()


def matches(quota: Object, hard: Iterable[str], evaluator: Evaluator, obj: Object) -> bool:
    """Whether a quota with these hard limits is about an object."""
    if not evaluator.tracked(hard):
        return False
    return all(evaluator.in_scope(requirement, obj) for requirement in requirements(quota))


def decide_charge(
    quotas: Sequence[Object], write: Write, now: datetime, limited: Sequence[LimitedResource] = ()
) -> dict[str, Amounts]:
    """`status.used` after the write, by name of the quotas that it changes. Raises QuotaRefusal."""
    evaluator = write.evaluator
    usage = evaluator.usage(write.new, now)
    interesting = [quota for quota in quotas if _concerns(quota, write)]
    negative = [name for name, amount in usage.items() if amount < ZERO]
    if negative:
        raise QuotaRefusal(f"quota usage is negative for resource(s): {names(negative)}")
    grown = usage if write.old is None else increase(usage, evaluator.usage(write.old, now))
    if limited and any(amount > ZERO for amount in grown.values()):
        _check_covered(quotas, interesting, write, usage, limited)
    charged: dict[str, Amounts] = {}
    for quota in interesting:
        hard, used = _status(quota)
        was_counted = write.old is not None and matches(quota, hard, evaluator, write.old)
        delta = mask(grown if was_counted else usage, hard)
        delta = {name: amount for name, amount in delta.items() if amount}
        if not delta:
            continue
        after = add(used, delta)
        over = exceeding(mask(after, delta), hard) if write.subresource != "status" else set()
        if over:
            requested, counted, bounds = (text(mask(amounts, over)) for amounts in (delta, used, hard))
            name = quota["metadata"]["name"]
            raise QuotaRefusal(f"exceeded quota: {name}, requested: {requested}, used: {counted}, limited: {bounds}")
        charged[quota["metadata"]["name"]] = after
    return charged


def _concerns(quota: Object, write: Write) -> bool:
    """Whether the quota is about the object, which then has to say what the quota wants to know."""
    hard, used = _status(quota)
    if not matches(quota, hard, write.evaluator, write.new):
        return False
    name, tracked = quota["metadata"]["name"], write.evaluator.tracked(hard)
    lacking = write.evaluator.missing(write.new, tracked)
    if lacking:
        raise QuotaRefusal(f"failed quota: {name}: {lacking}")
    if any(resource not in used for resource in tracked):
        raise QuotaRefusal(f"status unknown for quota: {name}, resources: {names(tracked)}")
    return True


def _check_covered(
    quotas: Sequence[Object], interesting: Sequence[Object], write: Write, usage: Amounts,
    limited: Sequence[LimitedResource],
) -> None:  # fmt: skip
    """What an administrator has limited needs a quota that allows it."""
    evaluator = write.evaluator
    covered = {name for quota in interesting for name in evaluator.tracked(_status(quota)[0])}
    mine = [item for item in limited if (item.group, item.resource) == (evaluator.group, evaluator.resource)]
    consumed = [name for name, amount in usage.items() if amount > ZERO]
    needed = {name for item in mine for name in consumed if any(part in name for part in item.contains)}
    if needed - covered:
        raise QuotaRefusal(f"insufficient quota to consume: {names(needed - covered)}")
    allowed = {
        requirement.get("scopeName")
        for quota in quotas
        for requirement in requirements(quota)
        if evaluator.in_scope(requirement, write.new)
    }
    scopes = [scope for item in mine for scope in item.scopes if evaluator.in_scope(scope, write.new)]
    uncovered = [scope for scope in scopes if scope.get("scopeName") not in allowed]
    if uncovered:
        listed = " ".join(
            f"{{{s.get('scopeName')} {s.get('operator')} [{' '.join(s.get('values') or ())}]}}" for s in uncovered
        )
        raise QuotaRefusal(f"insufficient quota to match these scopes: [{listed}]")


def _status(quota: Object) -> tuple[Amounts, Amounts]:
    status = quota.get("status") or {}
    return read(status.get("hard")), read(status.get("used"))
