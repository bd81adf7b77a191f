"""Whether a pod's toleration covers a node's taint, and tolerations from two places as one list."""

from collections.abc import Mapping, Sequence
from typing import Any

Toleration = Mapping[str, Any]


def covers(toleration: Toleration, key: str, value: str, effect: str) -> bool:
    """An empty effect stands for every effect; an empty key, with Exists, for every key."""
    if toleration.get("effect") and toleration["effect"] != effect:
        return False
    if toleration.get("key") and toleration["key"] != key:
        return False
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.get("key")) and (toleration.get("value") or "") == value
    return False


def merged(first: Sequence[Toleration], second: Sequence[Toleration]) -> list[Toleration]:
    """Both, without those that another one includes; of equal ones the first stays."""
    every, kept = [*first, *second], list[Toleration]()
    for index, one in enumerate(every):
        later = (other for other in every[index + 1 :] if other != one)
        if not any(_includes(other, one) for other in (*kept, *later)):
            kept.append(one)
    return kept


def _includes(wide: Toleration, one: Toleration) -> bool:
    """Whether whatever a toleration tolerates is tolerated by the wide one, for as long."""
    if wide == one:
        return True
    key, effect = wide.get("key") or "", wide.get("effect") or ""
    exists = wide.get("operator") == "Exists"
    if (one.get("key") or "") != key and not (exists and not key):
        return False
    if effect and (one.get("effect") or "") != effect:
        return False
    if effect == "NoExecute" and wide.get("tolerationSeconds") is not None:
        seconds = one.get("tolerationSeconds")
        if seconds is None or seconds > wide["tolerationSeconds"]:
            return False
    if exists:
        return True
    equal = (wide.get("operator") or "Equal") == (one.get("operator") or "Equal") == "Equal"
    return equal and (one.get("value") or "") == (wide.get("value") or "")
