"""A topology spread constraint of a pod, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kybern.kube.selectors import NOTHING, Requirement, Selector, SelectorError, from_label_selector
from kybern.scheduler.core.pod import Facts

HARD, SOFT = "DoNotSchedule", "ScheduleAnyway"


@dataclass(frozen=True, slots=True)
class Constraint:
    """Pods that match `selector` are to be spread over the values of the node label `key`."""

    key: str
    max_skew: int
    selector: Selector
    namespace: str
    min_domains: int
    honor_affinity: bool
    honor_taints: bool
    hard: bool

    def counts(self, facts: Facts) -> bool:
        """Whether such pods count."""
        return facts.namespace == self.namespace and not facts.deleting and self.selector.matches(facts.labels)


@lru_cache(maxsize=1024)
def constraints(pod: Facts, hard: bool) -> tuple[Constraint, ...]:
    """The pod's constraints that filter (hard) or score."""
    wanted = HARD if hard else SOFT
    listed = pod.spec.get("topologySpreadConstraints") or ()
    return tuple(_read(pod, each) for each in listed if each.get("whenUnsatisfiable") == wanted)


def _read(pod: Facts, constraint: Mapping[str, Any]) -> Constraint:
    return Constraint(
        key=constraint.get("topologyKey") or "",
        max_skew=int(constraint.get("maxSkew") or 1),
        selector=selector_with_keys(constraint.get("labelSelector"), constraint.get("matchLabelKeys"), pod.labels),
        namespace=pod.namespace,
        min_domains=int(constraint.get("minDomains") or 1),
        honor_affinity=constraint.get("nodeAffinityPolicy") != "Ignore",
        honor_taints=constraint.get("nodeTaintsPolicy") == "Honor",
        hard=constraint.get("whenUnsatisfiable") == HARD,
    )


def selector_with_keys(selector: Any, keys: Any, labels: Mapping[str, str]) -> Selector:
    """The selector, narrowed to the pod's own values of some labels; one that cannot be read matches nothing."""
    try:
        parsed = from_label_selector(selector)
    except SelectorError:
        return NOTHING
    own = tuple(Requirement(key, "in", (labels[key],)) for key in keys or () if key in labels)
    return Selector(parsed.requirements + own, parsed.nothing) if own else parsed
