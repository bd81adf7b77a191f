"""Which pods a ReplicaSet deletes first when it has too many.

In this order, the first difference decides: not assigned to a node, pending before unknown before running, not ready,
lower pod-deletion-cost, more related pods on the same node, ready for less time, more restarts, younger. Times are
compared on a logarithmic scale (powers of two of the age), ties by uid, so that not always the youngest is hit.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cmp_to_key

from kybern.controllers.core import pods
from kybern.kube import meta
from kybern.kube.meta import Object

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def pods_to_delete(
    candidates: Sequence[Object], related: Iterable[Object], count: int, now: datetime
) -> tuple[Object, ...]:
    """`count` of the candidates; `related` are the pods that share their purpose, of all sibling ReplicaSets."""
    if count >= len(candidates):
        return tuple(candidates)
    crowd = Counter(pods.node_name(pod) for pod in related if pods.is_active(pod))

    def compare(a: Object, b: Object) -> int:
        return _compare(a, b, crowd, now)

    return tuple(sorted(candidates, key=cmp_to_key(compare))[:count])


def _compare(a: Object, b: Object, crowd: "Counter[str]", now: datetime) -> int:
    key_a, key_b = _key(a, crowd), _key(b, crowd)
    if key_a != key_b:
        return -1 if key_a < key_b else 1
    ready_a, ready_b = pods.ready_since(a), pods.ready_since(b)
    if ready_a != ready_b:
        return _younger_first(a, b, ready_a, ready_b, now)
    if pods.restarts(a) != pods.restarts(b):
        return pods.restarts(b) - pods.restarts(a)
    born_a, born_b = meta.creation_timestamp(a), meta.creation_timestamp(b)
    if born_a != born_b:
        return _younger_first(a, b, born_a, born_b, now)
    return 0


def _key(pod: Object, crowd: "Counter[str]") -> tuple[bool, int, bool, int, int]:
    node = pods.node_name(pod)
    return (bool(node), _PHASES.get(pods.phase(pod), 2), pods.is_ready(pod), deletion_cost(pod), -crowd[node])


def deletion_cost(pod: Object) -> int:
    """The pod-deletion-cost annotation; 0 when absent or not a number."""
    try:
        return int(meta.annotations(pod).get(pods.POD_DELETION_COST, "0"))
    except ValueError:
        return 0


def _younger_first(a: Object, b: Object, time_a: datetime | None, time_b: datetime | None, now: datetime) -> int:
    if time_a is None or time_b is None:  # no time counts as the youngest
        return -1 if time_a is None else 1
    difference = _magnitude(now, time_a) - _magnitude(now, time_b)
    if difference:
        return difference
    return -1 if meta.uid(a) < meta.uid(b) else 1


def _magnitude(now: datetime, then: datetime) -> int:
    nanoseconds = (now - then).total_seconds() * 1e9
    return math.floor(math.log2(nanoseconds)) if nanoseconds >= 1 else -1
