"""What a Pod uses of a quota: the most that it can ask for at once.

Containers and sidecars run together, init containers one after another beside the sidecars started before them; the
larger of both counts, and the overhead with it. Resources stated for the pod as a whole replace its containers'. A pod
that has ended, or should have been gone by now, counts as an object and uses nothing else.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from kybern.kube import meta
from kybern.kube.quantity import ZERO, from_int
from kybern.kube.quota.amounts import Amounts, add, largest, read
from kybern.kube.validation.resources import is_extended, is_native

Object = dict[str, Any]
COUNT = "count/pods"
HUGE_PAGES = "hugepages-"
_MEASURED = ("cpu", "memory", "ephemeral-storage")
_NAMES = frozenset(
    {COUNT, "pods", *_MEASURED} | {f"{side}.{name}" for side in ("requests", "limits") for name in _MEASURED}
)
_MUST_BE_SAID = frozenset({"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})


def tracks(name: str) -> bool:
    """Whether a quota of this name is about pods."""
    if name in _NAMES or name.startswith((HUGE_PAGES, f"requests.{HUGE_PAGES}")):
        return True
    return name.startswith("requests.") and not is_native(name)


def usage(pod: Object, now: datetime) -> Amounts:
    """What the pod counts for."""
    counted: Amounts = {COUNT: from_int(1)}
    if not is_charged(pod, now):
        return counted
    return {**counted, "pods": from_int(1), **_named(pod_amounts(pod, "requests"), pod_amounts(pod, "limits"))}


def is_charged(pod: Object, now: datetime) -> bool:
    """Not ended, and not past its time to end."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    deleted, grace = meta.deletion_timestamp(pod), meta.deletion_grace_period(pod)
    return deleted is None or grace is None or now <= deleted + timedelta(seconds=grace)


def missing(pod: Object, required: Iterable[str]) -> str:
    """Which containers do not say how much cpu or memory they want, though a quota asks for it; "" if none.

    A pod that says anything for itself speaks for its containers.
    """
    spec = pod.get("spec") or {}
    if _said(spec):
        return ""
    wanted = _MUST_BE_SAID.intersection(required)
    lacking: dict[str, set[str]] = {}
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        for name in wanted - _said(container):
            lacking.setdefault(name, set()).add(container.get("name") or "")
    if not lacking:
        return ""
    parts = [f"{name} for: {','.join(sorted(lacking[name]))}" for name in sorted(lacking)]
    return "must specify " + "; ".join(parts)


def _said(owner: Object) -> set[str]:
    resources = owner.get("resources") or {}
    return {*_named(read(resources.get("requests")), read(resources.get("limits")))}


def _named(requests: Amounts, limits: Amounts) -> Amounts:
    """Amounts under the names that quotas know them by."""
    found: Amounts = {}
    for name, amount in requests.items():
        if name in _MEASURED or name.startswith(HUGE_PAGES):
            found[name] = found[f"requests.{name}"] = amount
        elif is_extended(name):
            found[f"requests.{name}"] = amount
    for name in _MEASURED:
        if name in limits:
            found[f"limits.{name}"] = limits[name]
    return found


def pod_amounts(pod: Object, side: str, *, of_spec_alone: bool = False, overhead: bool = True) -> Amounts:
    """The pod's `requests` or `limits` in all; what its node has set aside counts too, but for the spec alone."""
    spec, actual = pod.get("spec") or {}, {} if of_spec_alone else _actual(pod)
    together: Amounts = {}
    for container in spec.get("containers") or ():
        together = add(together, _amounts(container, side, actual))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        amounts = _amounts(container, side, actual)
        if container.get("restartPolicy") == "Always":
            together, sidecars = add(together, amounts), add(sidecars, amounts)
            peak = largest(peak, sidecars)
        else:
            peak = largest(peak, add(sidecars, amounts))
    total = largest(together, peak)
    stated = read((spec.get("resources") or {}).get(side))
    total |= {name: amount for name, amount in stated.items() if name in _MEASURED[:2] or name.startswith(HUGE_PAGES)}
    for name, amount in read(spec.get("overhead") if overhead else None).items():
        if side == "requests" or total.get(name, ZERO):
            total[name] = total.get(name, ZERO) + amount
    return total


def _actual(pod: Object) -> dict[str, Object]:
    """The statuses of containers, by name: what a node has set aside counts until a resize is done."""
    status = pod.get("status") or {}
    found = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return {container["name"]: container for container in found}


def _amounts(container: Object, side: str, actual: dict[str, Object]) -> Amounts:
    asked = read((container.get("resources") or {}).get(side))
    status = actual.get(container.get("name") or "")
    if status is None:
        return asked
    given = read((status.get("resources") or {}).get(side))
    if side == "requests":
        given = largest(given, read(status.get("allocatedResources")))
    return largest(asked, {name: amount for name, amount in given.items() if name in asked})
