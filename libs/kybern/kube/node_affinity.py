"""Which nodes a pod asks for: its nodeSelector and its required node affinity, whose terms are alternatives."""

from collections.abc import Iterable, Mapping
from typing import Any

from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import Selector, SelectorError, from_labels, from_node_selector_term

Term = tuple[Selector, Selector]  # over labels, over fields (metadata.name)


def parse_term(term: Mapping[str, Any]) -> Term | None:
    """The selectors of a NodeSelectorTerm; None when it is empty or cannot be read, and so matches nothing."""
    expressions, fields = term.get("matchExpressions"), term.get("matchFields")
    if not expressions and not fields:
        return None
    try:
        return from_node_selector_term(expressions), from_node_selector_term(fields)
    except SelectorError:
        return None


def required_terms(spec: Mapping[str, Any]) -> list[Term] | None:
    """The alternatives a pod requires; None when it requires none."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return _parsed(required.get("nodeSelectorTerms") or ()) if required else None


def _parsed(terms: Iterable[Mapping[str, Any]]) -> list[Term]:
    return [parsed for term in terms if (parsed := parse_term(term)) is not None]


def admits(spec: Mapping[str, Any], node: Object) -> bool:
    """Whether a Node meets a pod's node selector and required node affinity."""
    labels, fields = meta.labels(node), {"metadata.name": meta.name(node)}
    if not from_labels(spec.get("nodeSelector")).matches(labels):
        return False
    terms = required_terms(spec)
    return terms is None or any(
        of_labels.matches(labels) and of_fields.matches(fields) for of_labels, of_fields in terms
    )
