"""backoffLimitPerIndex: each index of a Job has failures, a limit and a back-off of its own.

The count travels in an annotation from a failed pod to the one that replaces it, so that a failed pod keeps its
finalizer until there is a replacement.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kybern.controllers.job.core.indexes import index_of
from kybern.controllers.job.core.policy import FAIL_INDEX, IGNORE, judge
from kybern.kube import meta
from kybern.kube.meta import Object

FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


@dataclass(frozen=True)
class IndexFailures:
    """What is known of the failures of one index, as of its last failed pod."""

    count: int
    ignored: int
    failed: bool
    last: Object


def index_failures(job: Object, failed: Iterable[Object]) -> dict[int, IndexFailures]:
    """By index; empty for a Job without the limit."""
    limit = job["spec"].get("backoffLimitPerIndex")
    found: dict[int, IndexFailures] = {}
    if limit is None:
        return found
    for pod in failed:
        index = index_of(pod)
        if index is None:
            continue
        action, _ = judge(job, pod)
        count, ignored = _number(pod, FAILURES), _number(pod, IGNORED)
        if action == IGNORE:
            ignored += 1
        else:
            count += 1
        known = found.get(index)
        over = action == FAIL_INDEX or count > limit or (known is not None and known.failed)
        if known is None or count + ignored > known.count + known.ignored:
            found[index] = IndexFailures(count, ignored, over, pod)
        elif over and not known.failed:
            found[index] = IndexFailures(known.count, known.ignored, over, known.last)
    return found


def annotations(job: Object, failures: IndexFailures | None) -> dict[str, str]:
    """What a new pod of an index takes over from the one before."""
    if job["spec"].get("backoffLimitPerIndex") is None:
        return {}
    count, ignored = (failures.count, failures.ignored) if failures is not None else (0, 0)
    return {FAILURES: str(count)} | ({IGNORED: str(ignored)} if ignored else {})


def _number(pod: Object, name: str) -> int:
    try:
        return max(int(meta.annotations(pod).get(name, "0")), 0)
    except ValueError:  # written by a user
        return 0
