"""The admission plugins, in upstream's order."""

from kybern.apiserver.admission.chain import Chain
from kybern.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from kybern.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from kybern.apiserver.admission.node_restriction import NodeRestriction
from kybern.apiserver.admission.priority import Priority
from kybern.apiserver.admission.service_account import ServiceAccount
from kybern.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition

ORDER = (
    NamespaceLifecycle,
    ServiceAccount,
    NodeRestriction,
    TaintNodesByCondition,
    Priority,
    DefaultTolerationSeconds,
)


def build() -> Chain:
    """All plugins, each once."""
    return Chain([plugin() for plugin in ORDER])
