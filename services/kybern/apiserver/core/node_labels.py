"""Which labels a node agent may give its own node: any of its own making, and of Kubernetes' those that describe it.

Labels below `node-restriction.kubernetes.io` are the administrator's, so that workloads can be kept apart by them.
"""

from collections.abc import Mapping

RESTRICTED = "node-restriction.kubernetes.io"
KUBERNETES = ("kubernetes.io", "k8s.io")
DESCRIBING = frozenset(
    {
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    }
)
AGENTS_OWN = ("kubelet.kubernetes.io", "node.kubernetes.io")


def forbidden_labels(new: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    """The labels that an agent may neither set, change nor remove, among those that it does."""
    changed = {label for label in {*new, *old} if new.get(label) != old.get(label)}
    return sorted(label for label in changed if _is_forbidden(label))


def _is_forbidden(label: str) -> bool:
    domain, slash, _ = label.partition("/")
    if not slash:
        return False
    if _is_below(domain, RESTRICTED):
        return True
    known = label in DESCRIBING or any(_is_below(domain, own) for own in AGENTS_OWN)
    return not known and any(_is_below(domain, root) for root in KUBERNETES)


def _is_below(domain: str, root: str) -> bool:
    return domain == root or domain.endswith(f".{root}")
