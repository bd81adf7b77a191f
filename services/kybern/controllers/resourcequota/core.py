"""The status that a ResourceQuota should have."""

from datetime import datetime

from kybern.kube.meta import Object
from kybern.kube.quota.amounts import mask, read, write
from kybern.kube.quota.total import List, total_usage


def compute_status(quota: Object, objects: List, now: datetime) -> Object | None:
    """The new status; None if it is as it should be.

    What was known of kinds that cannot be counted now is kept; names that the spec no longer has are dropped.
    """
    hard, status = read((quota.get("spec") or {}).get("hard")), quota.get("status") or {}
    before = read(status.get("used"))
    used = mask({**before, **total_usage(quota, objects, now)}, hard)
    if status.get("hard") is not None and read(status["hard"]) == hard and before == used and "used" in status:
        return None
    return {**status, "hard": write(hard), "used": write(used)}
