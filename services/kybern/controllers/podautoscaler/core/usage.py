"""From measured pods to a number of replicas: measured / wanted × ready pods, rounded up.

Pods that are not ready, or of which nothing is known, count against the direction of scaling: as using nothing when
more pods are asked for, as using all they should when fewer are. A ratio within the tolerance changes nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kybern.kube import meta
from kybern.kube.conditions import get_condition, is_condition_true
from kybern.kube.meta import Object
from kybern.kube.quantity import parse

CPU_INITIALIZATION = timedelta(minutes=5)
INITIAL_READINESS_DELAY = timedelta(seconds=30)


class MetricsError(Exception):
    """Why a metric says nothing."""


@dataclass(frozen=True)
class Measured:
    """One pod's metric, in thousandths; when it was taken, and over how long."""

    value: int
    timestamp: datetime | None = None
    window: timedelta = timedelta(minutes=1)


@dataclass(frozen=True)
class Tolerance:
    """How far a ratio may be off 1 before anything happens."""

    down: float = 0.1
    up: float = 0.1

    def covers(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True)
class Proposal:
    """How many replicas, and the averages that say so."""

    replicas: int
    utilization: int | None = None  # percent of what is requested
    average: int | None = None  # thousandths, for each pod


@dataclass
class _Groups:
    ready: int = 0
    ignored: set[str] = field(default_factory=set)  # no pods any more
    unready: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)


def replicas_for_utilization(
    current: int,
    percent: int,
    pods: Sequence[Object],
    measured: Mapping[str, Measured],
    requests: Mapping[str, int],
    resource: str,
    now: datetime,
    tolerance: Tolerance,
) -> Proposal:
    """Replicas for an average utilization of what pods request. Raises MetricsError."""

    def ratio(values: Mapping[str, int]) -> tuple[float, int, int]:
        known = {name: value for name, value in values.items() if name in requests}
        asked = sum(requests[name] for name in known)
        if asked == 0:
            raise MetricsError("no metrics returned matched known pods")
        used = sum(known.values()) * 100 // asked
        return used / percent, used, sum(known.values()) // len(known)

    return _replicas(current, pods, measured, ratio, lambda name: requests.get(name, 0), resource, now, tolerance)


def replicas_for_average(
    current: int,
    target: int,
    pods: Sequence[Object],
    measured: Mapping[str, Measured],
    resource: str,
    now: datetime,
    tolerance: Tolerance,
) -> Proposal:
    """Replicas for an average value for each pod, in thousandths. Raises MetricsError."""

    def ratio(values: Mapping[str, int]) -> tuple[float, int, int]:
        average = sum(values.values()) // len(values)
        return average / target, 0, average

    found = _replicas(current, pods, measured, ratio, lambda name: target, resource, now, tolerance)
    return Proposal(found.replicas, None, found.average)


def _replicas(
    current: int,
    pods: Sequence[Object],
    measured: Mapping[str, Measured],
    ratio: Callable[[Mapping[str, int]], tuple[float, int, int]],
    full: Callable[[str], int],
    resource: str,
    now: datetime,
    tolerance: Tolerance,
) -> Proposal:
    """`ratio`: of measured to wanted, with utilization and average; `full`: what a pod uses that does as it should."""
    if not pods:
        raise MetricsError("no pods returned by selector while calculating replica count")
    groups = _group(pods, measured, resource, now)
    values = {name: metric.value for name, metric in measured.items() if name not in groups.unready | groups.ignored}
    if not values:
        raise MetricsError("did not receive metrics for targeted pods (pods might be unready)")
    first, utilization, average = ratio(values)
    unchanged = Proposal(current, utilization, average)
    scale_up_with_unready = bool(groups.unready) and first > 1.0
    if not scale_up_with_unready and not groups.missing:
        if tolerance.covers(first):
            return unchanged
        return Proposal(math.ceil(first * groups.ready), utilization, average)
    if first < 1.0:
        values |= {name: full(name) for name in groups.missing}
    elif first > 1.0:
        values |= dict.fromkeys(groups.missing, 0)
    if scale_up_with_unready:
        values |= dict.fromkeys(groups.unready, 0)
    second = ratio(values)[0]
    if tolerance.covers(second) or (first < 1.0 < second) or (second < 1.0 < first):
        return unchanged
    replicas = math.ceil(second * len(values))
    if (second < 1.0 and replicas > current) or (second > 1.0 and replicas < current):
        return unchanged
    return Proposal(replicas, utilization, average)


def replicas_for_value(current: int, value: int, target: int, pods: Sequence[Object], tolerance: Tolerance) -> Proposal:
    """Replicas for one value that describes all pods together. Raises MetricsError."""
    ratio = value / target
    if current == 0:
        return Proposal(math.ceil(ratio), None, value)
    if tolerance.covers(ratio):
        return Proposal(current, None, value)
    if not pods:
        raise MetricsError(
            "unable to calculate ready pods: no pods returned by selector while calculating replica count"
        )
    ready = sum((p.get("status") or {}).get("phase") == "Running" and is_condition_true(p, "Ready") for p in pods)
    return Proposal(math.ceil(ratio * ready), None, value)


def replicas_for_value_per_pod(current: int, value: int, target: int, tolerance: Tolerance) -> Proposal:
    """Replicas for one value that pods share evenly."""
    replicas = current
    if current == 0 or not tolerance.covers(value / (target * current)):
        replicas = math.ceil(value / target)
    return Proposal(replicas, None, math.ceil(value / current) if current else value)


def _group(pods: Sequence[Object], measured: Mapping[str, Measured], resource: str, now: datetime) -> _Groups:
    groups = _Groups()
    for pod in pods:
        name, phase = meta.name(pod), (pod.get("status") or {}).get("phase")
        if meta.is_deleting(pod) or phase == "Failed":
            groups.ignored.add(name)
        elif phase == "Pending":
            groups.unready.add(name)
        elif name not in measured:
            groups.missing.add(name)
        elif resource == "cpu" and _is_starting(pod, measured[name], now):
            groups.unready.add(name)
        else:
            groups.ready += 1
    return groups


def _is_starting(pod: Object, metric: Measured, now: datetime) -> bool:
    """Whether the CPU that a pod uses says nothing yet: it is not ready, or has been for too short a time."""
    condition = get_condition(pod, "Ready")
    started = meta.parse_time((pod.get("status") or {}).get("startTime"))
    if condition is None or started is None:
        return True
    changed = meta.parse_time(condition.get("lastTransitionTime")) or started
    unready = condition.get("status") == "False"
    if started + CPU_INITIALIZATION > now:
        too_early = metric.timestamp is not None and metric.timestamp < changed + metric.window
        return unready or too_early
    return unready and started + INITIAL_READINESS_DELAY > changed


def pod_requests(pods: Sequence[Object], resource: str, container: str = "") -> dict[str, int]:
    """What each pod requests of a resource, in thousandths. Raises MetricsError if a container does not say."""
    found: dict[str, int] = {}
    for pod in pods:
        spec = pod.get("spec") or {}
        stated = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
        if stated is not None and not container:
            found[meta.name(pod)] = parse(stated).milli_value()
            continue
        sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
        total, seen = 0, False
        for entry in [*(spec.get("containers") or ()), *sidecars]:
            if container and entry["name"] != container:
                continue
            asked = ((entry.get("resources") or {}).get("requests") or {}).get(resource)
            if asked is None:
                pod_name = meta.name(pod)
                raise MetricsError(f"missing request for {resource} in container {entry['name']} of Pod {pod_name}")
            total, seen = total + parse(asked).milli_value(), True
        if container and not seen:
            raise MetricsError(f"container {container} not found in Pod {meta.name(pod)}")
        found[meta.name(pod)] = total
    return found
