"""A pod affinity term: which pods it speaks of, and over which domains."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kybern.kube.selectors import NOTHING, Requirement, Selector, SelectorError, from_label_selector
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True)
class Term:
    """Pods that match `selector` in `namespaces`, or in namespaces whose labels match; `weight` when preferred."""

    selector: Selector
    namespaces: frozenset[str]
    namespace_selector: Selector
    key: str
    weight: int = 1

    def matches(self, pod: Facts, nodes: Snapshot) -> bool:
        """Whether such pods are meant."""
        if pod.namespace not in self.namespaces:
            selector = self.namespace_selector
            if not selector.empty and not selector.matches(nodes.namespaces.get(pod.namespace, {})):
                return False
        return self.selector.matches(pod.labels)


@lru_cache(maxsize=4096)
def terms(pod: Facts, kind: str, when: str) -> tuple[Term, ...]:
    """The pod's terms of one kind (podAffinity, podAntiAffinity), required or preferred."""
    listed = (pod.affinity.get(kind) or {}).get(when) or ()
    if when == REQUIRED:
        return tuple(_read(pod, each, 1) for each in listed)
    return tuple(_read(pod, each.get("podAffinityTerm") or {}, int(each.get("weight") or 0)) for each in listed)


def _read(pod: Facts, term: Mapping[str, Any], weight: int) -> Term:
    named = frozenset(term.get("namespaces") or ())
    everywhere = term.get("namespaceSelector")
    if not named and everywhere is None:
        named = frozenset({pod.namespace})
    try:
        selector, namespace_selector = from_label_selector(term.get("labelSelector")), from_label_selector(everywhere)
    except SelectorError:
        selector, namespace_selector = NOTHING, NOTHING
    own = [Requirement(key, "in", (pod.labels[key],)) for key in term.get("matchLabelKeys") or () if key in pod.labels]
    own += [
        Requirement(key, "notin", (pod.labels[key],))
        for key in term.get("mismatchLabelKeys") or ()
        if key in pod.labels
    ]
    selector = Selector(selector.requirements + tuple(own), selector.nothing)
    return Term(selector, named, namespace_selector, term.get("topologyKey") or "", weight)
