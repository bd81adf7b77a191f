"""The admission plugins, in upstream's order."""

from kybern.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
)
from kybern.apiserver.admission.chain import Chain
from kybern.apiserver.admission.default_ingress_class import DefaultIngressClass
from kybern.apiserver.admission.default_storage_class import DefaultStorageClass
from kybern.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from kybern.apiserver.admission.limit_ranger import LimitRanger
from kybern.apiserver.admission.mutating_webhook import MutatingAdmissionWebhook
from kybern.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from kybern.apiserver.admission.node_restriction import NodeRestriction
from kybern.apiserver.admission.priority import Priority
from kybern.apiserver.admission.resource_quota import ResourceQuota
from kybern.apiserver.admission.runtime_class import RuntimeClass
from kybern.apiserver.admission.service_account import ServiceAccount
from kybern.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition
from kybern.apiserver.admission.validating_webhook import ValidatingAdmissionWebhook

ORDER = (
    NamespaceLifecycle,
    LimitRanger,
    ServiceAccount,
    NodeRestriction,
    TaintNodesByCondition,
    Priority,
    DefaultTolerationSeconds,
    DefaultStorageClass,
    RuntimeClass,
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    DefaultIngressClass,
    MutatingAdmissionWebhook,
    ValidatingAdmissionWebhook,
    ResourceQuota,  # last: it counts what nobody else refuses
)


def build() -> Chain:
    """All plugins, each once."""
    return Chain([plugin() for plugin in ORDER])
