"""LimitRange arithmetic: defaults for containers, and what of a usage lies outside a range's bounds."""

from dataclasses import dataclass, field
from typing import Any

from kybern.kube.quantity import Quantity, parse
from kybern.kube.quota.pods import pod_amounts

ANNOTATION = "kubernetes.io/limit-ranger"
Object = dict[str, Any]


@dataclass
class Usage:
    """What one container, or a whole pod, asks for."""

    requests: dict[str, Quantity] = field(default_factory=dict)
    limits: dict[str, Quantity] = field(default_factory=dict)


def set_defaults(pod: Object, item: Object) -> None:
    """Fill what containers leave out from one item of a LimitRange, and note it in an annotation."""
    notes = []
    for group, what in (("containers", "container"), ("initContainers", "init container")):
        for container in (pod.get("spec") or {}).get(group) or ():
            for member, given in (("requests", item.get("defaultRequest")), ("limits", item.get("default"))):
                resources = container.get("resources") or {}
                missing = {
                    name: amount for name, amount in (given or {}).items() if name not in (resources.get(member) or {})
                }
                if missing:
                    container["resources"] = {**resources, member: {**(resources.get(member) or {}), **missing}}
                    listed = ", ".join(sorted(missing))
                    notes.append(f"{listed} {member[:-1]} for {what} {container.get('name')}")
    if notes:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(notes)


def usage_of(owner: Object) -> Usage:
    """Requests and limits of a container, or of a claim's spec."""
    resources = owner.get("resources") or {}
    read = {m: {n: parse(a) for n, a in (resources.get(m) or {}).items()} for m in ("requests", "limits")}
    return Usage(read["requests"], read["limits"])


def total_of(pod: Object) -> Usage:
    """What a pod asks for in all, its overhead aside."""
    sides = (pod_amounts(pod, side, of_spec_alone=True, overhead=False) for side in ("requests", "limits"))
    return Usage(*sides)


def check_claim(item: Object, requests: dict[str, Quantity]) -> list[str]:
    """What of a claim's requests is outside one item of a LimitRange: claims have no limits."""
    kind, problems = item["type"], check({**item, "max": None, "maxLimitRequestRatio": None}, Usage(requests))
    for name, bound in (item.get("max") or {}).items():
        what, request = f"maximum {name} usage per {kind} is {bound}", requests.get(name)
        if request is None:
            problems.append(f"{what}.  No request is specified")
        elif request > parse(bound):
            problems.append(f"{what}, but request is {request!s}")
    return problems


def check(item: Object, usage: Usage) -> list[str]:
    """What of the usage is outside one item of a LimitRange, in upstream's words."""
    kind, problems = item["type"], []
    for name, bound in (item.get("min") or {}).items():
        what, least = f"minimum {name} usage per {kind} is {bound}", parse(bound)
        request, limit = usage.requests.get(name), usage.limits.get(name)
        if request is None:
            problems.append(f"{what}.  No request is specified")
        elif request < least:
            problems.append(f"{what}, but request is {request!s}")
        elif limit is not None and limit < least:
            problems.append(f"{what}, but limit is {limit!s}")
    for name, bound in (item.get("max") or {}).items():
        what, most = f"maximum {name} usage per {kind} is {bound}", parse(bound)
        request, limit = usage.requests.get(name), usage.limits.get(name)
        if limit is None:
            problems.append(f"{what}.  No limit is specified")
        elif limit > most:
            problems.append(f"{what}, but limit is {limit!s}")
        elif request is not None and request > most:
            problems.append(f"{what}, but request is {request!s}")
    for name, bound in (item.get("maxLimitRequestRatio") or {}).items():
        problems += _ratio(kind, name, bound, usage)
    return problems


def _ratio(kind: str, name: str, bound: str, usage: Usage) -> list[str]:
    what = f"{name} max limit to request ratio per {kind} is {bound}"
    request, limit = usage.requests.get(name), usage.limits.get(name)
    if not request:
        return [f"{what}, but no request is specified or request is 0"]
    if not limit:
        return [f"{what}, but no limit is specified or limit is 0"]
    ratio = limit.nanos / request.nanos
    return [f"{what}, but provided ratio is {ratio:f}"] if ratio > float(parse(bound)) else []
