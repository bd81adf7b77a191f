"""Whether a pod's toleration covers a node's taint."""

from collections.abc import Mapping
from typing import Any


def covers(toleration: Mapping[str, Any], key: str, value: str, effect: str) -> bool:
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
