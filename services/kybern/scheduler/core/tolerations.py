"""Tolerations: whether a pod puts up with a node's taints."""

from collections.abc import Iterable, Mapping
from typing import Any

from kybern.kube.tolerations import covers

Taint = tuple[str, str, str]  # key, value, effect
REPELLING = ("NoSchedule", "NoExecute")


def tolerates(tolerations: Iterable[Mapping[str, Any]], taint: Taint) -> bool:
    """Whether any of the tolerations covers the taint."""
    return any(covers(toleration, *taint) for toleration in tolerations)


def untolerated(tolerations: Iterable[Mapping[str, Any]], taints: Iterable[Taint]) -> Taint | None:
    """The first taint that keeps the pod away."""
    kept = list(tolerations)
    return next((taint for taint in taints if taint[2] in REPELLING and not tolerates(kept, taint)), None)


def disliked(tolerations: Iterable[Mapping[str, Any]], taints: Iterable[Taint]) -> int:
    """How many PreferNoSchedule taints the pod does not tolerate."""
    fitting = [toleration for toleration in tolerations if toleration.get("effect") in (None, "", "PreferNoSchedule")]
    return sum(taint[2] == "PreferNoSchedule" and not tolerates(fitting, taint) for taint in taints)
