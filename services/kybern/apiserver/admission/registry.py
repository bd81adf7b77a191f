"""The admission plugins that 1.36 enables by default, and NodeRestriction, in upstream's order.

Each phase runs through the whole list: first all that mutate, later all that validate. Plugins that look at what
others have made of an object come after them; webhooks and policies see the outcome of all that are built in; and
ResourceQuota is last, because it counts what nobody else refuses.
"""

from prometheus_client import CollectorRegistry

from kybern.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
)
from kybern.apiserver.admission.chain import Chain
from kybern.apiserver.admission.configuration import AdmissionConfiguration
from kybern.apiserver.admission.default_ingress_class import DefaultIngressClass
from kybern.apiserver.admission.default_storage_class import DefaultStorageClass
from kybern.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from kybern.apiserver.admission.limit_ranger import LimitRanger
from kybern.apiserver.admission.mutating_policy import MutatingAdmissionPolicy
from kybern.apiserver.admission.mutating_webhook import MutatingAdmissionWebhook
from kybern.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from kybern.apiserver.admission.node_declared_feature_validator import NodeDeclaredFeatureValidator
from kybern.apiserver.admission.node_restriction import NodeRestriction
from kybern.apiserver.admission.persistent_volume_claim_resize import PersistentVolumeClaimResize
from kybern.apiserver.admission.plugin import CONNECT, CREATE, DELETE, UPDATE, Plugin
from kybern.apiserver.admission.pod_resize_validator import PodResizeValidator
from kybern.apiserver.admission.pod_security import PodSecurity
from kybern.apiserver.admission.pod_security_metrics import PodSecurityMetrics
from kybern.apiserver.admission.pod_topology_labels import PodTopologyLabels
from kybern.apiserver.admission.priority import Priority
from kybern.apiserver.admission.resource_quota import ResourceQuota
from kybern.apiserver.admission.runtime_class import RuntimeClass
from kybern.apiserver.admission.service_account import ServiceAccount
from kybern.apiserver.admission.storage_object_in_use_protection import StorageObjectInUseProtection
from kybern.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition
from kybern.apiserver.admission.times import AdmissionTimes
from kybern.apiserver.admission.validating_policy import ValidatingAdmissionPolicy
from kybern.apiserver.admission.validating_webhook import ValidatingAdmissionWebhook

ORDER: tuple[type[Plugin], ...] = (
    NamespaceLifecycle,
    LimitRanger,
    ServiceAccount,
    NodeRestriction,
    TaintNodesByCondition,
    PodSecurity,
    Priority,
    DefaultTolerationSeconds,
    DefaultStorageClass,
    StorageObjectInUseProtection,
    PersistentVolumeClaimResize,
    RuntimeClass,
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    DefaultIngressClass,
    PodTopologyLabels,
    NodeDeclaredFeatureValidator,
    PodResizeValidator,
    MutatingAdmissionPolicy,
    MutatingAdmissionWebhook,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionWebhook,
    ResourceQuota,
)


WRITES, CHANGES = frozenset({CREATE, UPDATE, DELETE}), frozenset({CREATE, UPDATE})
# What plugins are asked about; the others about everything.
OPERATIONS: dict[type[Plugin], frozenset[str]] = {
    NamespaceLifecycle: WRITES,
    LimitRanger: CHANGES,
    ServiceAccount: CHANGES,
    NodeRestriction: WRITES,
    TaintNodesByCondition: frozenset({CREATE}),
    PodSecurity: CHANGES,
    Priority: WRITES,
    DefaultTolerationSeconds: CHANGES,
    DefaultStorageClass: frozenset({CREATE}),
    StorageObjectInUseProtection: frozenset({CREATE}),
    PersistentVolumeClaimResize: frozenset({UPDATE}),
    RuntimeClass: frozenset({CREATE}),
    CertificateApproval: frozenset({UPDATE}),
    CertificateSigning: frozenset({UPDATE}),
    CertificateSubjectRestriction: frozenset({CREATE}),
    DefaultIngressClass: frozenset({CREATE}),
    PodTopologyLabels: frozenset({CREATE}),
    NodeDeclaredFeatureValidator: frozenset({UPDATE}),
    PodResizeValidator: frozenset({UPDATE}),
    MutatingAdmissionPolicy: frozenset({CREATE, UPDATE, CONNECT}),
    ResourceQuota: CHANGES,
}
NAMES = frozenset(plugin.name for plugin in ORDER)


def build(
    configuration: AdmissionConfiguration | None = None,
    times: AdmissionTimes | None = None,
    registry: CollectorRegistry | None = None,
) -> Chain:
    """All plugins, each once, but for those that are disabled."""
    given = configuration or AdmissionConfiguration()
    configured: dict[type[Plugin], Plugin] = {
        PodSecurity: PodSecurity(
            given.pod_security_defaults, given.pod_security_exemptions, PodSecurityMetrics(registry)
        ),
        DefaultTolerationSeconds: DefaultTolerationSeconds(given.toleration_seconds),
        ResourceQuota: ResourceQuota(given.limited_resources),
        MutatingAdmissionWebhook: MutatingAdmissionWebhook(given.webhook_users.get(MutatingAdmissionWebhook.name)),
        ValidatingAdmissionWebhook: ValidatingAdmissionWebhook(
            given.webhook_users.get(ValidatingAdmissionWebhook.name)
        ),
    }
    enabled = [plugin for plugin in ORDER if plugin.name not in given.disabled]
    return Chain([configured.get(plugin) or plugin() for plugin in enabled], times, OPERATIONS)
