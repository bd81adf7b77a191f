"""Jobs as the controllers see them that care whether one still runs."""

from kybern.kube.conditions import find_condition
from kybern.kube.meta import Object


def ending(job: Object) -> Object | None:
    """The condition with which a Job ended, `Complete` or `Failed`; None while it runs."""
    conditions = (job.get("status") or {}).get("conditions")
    for type_ in ("Complete", "Failed"):
        condition = find_condition(conditions, type_)
        if condition is not None and condition.get("status") == "True":
            return condition
    return None
