"""What a Job makes of a pod that failed (podFailurePolicy) and of indexes that succeeded (successPolicy)."""

from collections.abc import Iterable
from typing import Any

from kybern.controllers.job.core.indexes import parse_indexes
from kybern.kube import meta
from kybern.kube.conditions import find_condition
from kybern.kube.meta import Object

COUNT, IGNORE, FAIL_JOB, FAIL_INDEX = "Count", "Ignore", "FailJob", "FailIndex"


def judge(job: Object, pod: Object) -> tuple[str, str]:
    """(action, message) of the first rule that a failed pod matches; without one it counts."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules):
        if rule["action"] == FAIL_INDEX and job["spec"].get("backoffLimitPerIndex") is None:
            continue
        why = _exit_code(rule.get("onExitCodes"), pod) or _condition(rule.get("onPodConditions") or (), pod)
        if why:
            return rule["action"], f"{why} matching {rule['action']} rule at index {number}"
    return COUNT, ""


def _exit_code(wanted: Object | None, pod: Object) -> str:
    if wanted is None:
        return ""
    status: Object = pod.get("status") or {}
    for container in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
        code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode", 0)
        named = wanted.get("containerName") in (None, "", container["name"])
        if code and named and (code in wanted["values"]) == (wanted["operator"] == "In"):
            where = f"{meta.namespace(pod)}/{meta.name(pod)}"
            return f"Container {container['name']} for pod {where} failed with exit code {code}"
    return ""


def _condition(wanted: Iterable[Object], pod: Object) -> str:
    conditions = (pod.get("status") or {}).get("conditions")
    for pattern in wanted:
        found: Any = find_condition(conditions, pattern["type"])
        if found is not None and found.get("status") == pattern.get("status", "True"):
            return f"Pod {meta.namespace(pod)}/{meta.name(pod)} has condition {pattern['type']}"
    return ""


def matched_success_rule(job: Object, completed: set[int]) -> int | None:
    """The number of the first rule of the successPolicy that the completed indexes meet."""
    rules = (job["spec"].get("successPolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules):
        indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        wanted = parse_indexes(indexes) if indexes is not None else None
        met = completed if wanted is None else completed & wanted
        if len(met) >= (count if count is not None else len(wanted or ())):
            return number
    return None
