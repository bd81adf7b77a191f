"""Status conditions: a list keyed by `type` whose lastTransitionTime moves only when `status` changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kybern.kube.meta import Object, format_time


def get_condition(obj: Mapping[str, Any], type_: str) -> Object | None:
    """The condition of this type in status.conditions, or None."""
    return find_condition((obj.get("status") or {}).get("conditions"), type_)


def find_condition(conditions: list[Object] | None, type_: str) -> Object | None:
    return next((c for c in conditions or () if c.get("type") == type_), None)


def is_condition_true(obj: Mapping[str, Any], type_: str) -> bool:
    condition = get_condition(obj, type_)
    return condition is not None and condition.get("status") == "True"


def condition_status(obj: Mapping[str, Any], type_: str) -> str:
    """ "True", "False" or "Unknown"; an absent condition is "Unknown"."""
    condition = get_condition(obj, type_)
    return (condition or {}).get("status") or "Unknown"


def set_condition(
    conditions: list[Object],
    type_: str,
    status: str,
    *,
    now: datetime,
    reason: str = "",
    message: str = "",
    observed_generation: int | None = None,
    **extra: str,
) -> bool:
    """Add or change one condition in place; True when anything but times changed.

    `extra` carries kind-specific members such as lastHeartbeatTime. Order is kept; a new condition goes last.
    """
    wanted: Object = {"type": type_, "status": status, "reason": reason, "message": message}
    if observed_generation is not None:
        wanted["observedGeneration"] = observed_generation
    wanted = {member: value for member, value in wanted.items() if value != ""}
    current = find_condition(conditions, type_)
    if current is None:
        conditions.append({**wanted, **extra, "lastTransitionTime": format_time(now)})
        return True
    changed = any(current.get(m, "") != wanted.get(m, "") for m in ("status", "reason", "message")) or (
        observed_generation is not None and current.get("observedGeneration") != observed_generation
    )
    if current.get("status") != status or "lastTransitionTime" not in current:
        current["lastTransitionTime"] = format_time(now)
    for member in ("reason", "message"):
        if member not in wanted:
            current.pop(member, None)
    current.update(wanted, **extra)
    return changed


def remove_condition(conditions: list[Object], type_: str) -> bool:
    """Remove the condition in place; False when it was not there."""
    kept = [c for c in conditions if c.get("type") != type_]
    removed = len(kept) != len(conditions)
    conditions[:] = kept
    return removed
