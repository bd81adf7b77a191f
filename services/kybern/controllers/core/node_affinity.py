"""Whether a pod's node name, selector and required affinity admit a node."""

from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import SelectorError, from_labels, from_node_selector_term


def admits(spec: Object, node: Object) -> bool:
    """Like the scheduler's NodeName and NodeAffinity filters together."""
    if spec.get("nodeName") and spec["nodeName"] != meta.name(node):
        return False
    labels = meta.labels(node)
    if not from_labels(spec.get("nodeSelector")).matches(labels):
        return False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required is None:
        return True
    return any(_term(term, node) for term in required.get("nodeSelectorTerms") or ())


def _term(term: Object, node: Object) -> bool:
    expressions, fields = term.get("matchExpressions"), term.get("matchFields")
    if not expressions and not fields:
        return False
    try:
        return from_node_selector_term(expressions).matches(meta.labels(node)) and from_node_selector_term(
            fields
        ).matches({"metadata.name": meta.name(node)})
    except SelectorError:
        return False
