"""Counting what a namespace uses of one quota, from the objects that are there."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from kybern.kube.quantity import ZERO
from kybern.kube.quota.amounts import Amounts, add, mask, read
from kybern.kube.quota.evaluators import Evaluator, counted, evaluator, measured
from kybern.kube.quota.scopes import requirements

Object = dict[str, Any]
List = Callable[[str, str], Iterable[Object] | None]  # (group, resource) → objects of the namespace; None: not served


def evaluators_of(hard: Iterable[str]) -> list[Evaluator]:
    """The kinds that these quota names are about."""
    hard = list(hard)
    found = [known for known in measured().values() if known.tracked(hard)]
    for name in hard:
        of = counted(name)
        if of is not None and of not in measured():
            known = evaluator(*of)
            if known not in found:
                found.append(known)
    return found


def total_usage(quota: Object, objects: List, now: datetime) -> Amounts:
    """What the objects that a quota is about use of its spec.hard; names of kinds that are not served are left out."""
    hard = read((quota.get("spec") or {}).get("hard"))
    scopes, total = requirements(quota), Amounts()
    for known in evaluators_of(hard):
        found = objects(known.group, known.resource)
        if found is None:
            continue
        names = set(known.tracked(hard))
        total = add(total, dict.fromkeys(names, ZERO))
        for obj in found:
            if all(known.in_scope(scope, obj) for scope in scopes):
                total = add(total, mask(known.usage(obj, now), names))
    return total
