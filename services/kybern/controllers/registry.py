"""Every controller, by the name that --controllers knows it by, in Kubernetes' words."""

from collections.abc import Sequence

from kybern.controllers.bootstrap_signer.reconcile import BootstrapSigner, TokenCleaner
from kybern.controllers.certificates.approving import Approver
from kybern.controllers.certificates.cleaner import Cleaner
from kybern.controllers.certificates.signing import Signer
from kybern.controllers.clusterrole_aggregation.reconcile import ClusterRoleAggregationController
from kybern.controllers.context import Starter
from kybern.controllers.cronjob.reconcile import CronJobController
from kybern.controllers.daemonset.reconcile import DaemonSetController
from kybern.controllers.deployment.reconcile import DeploymentController
from kybern.controllers.disruption.reconcile import DisruptionController
from kybern.controllers.endpoints.reconcile import EndpointsController
from kybern.controllers.endpointslice.reconcile import EndpointSliceController
from kybern.controllers.endpointslice_mirroring.reconcile import EndpointSliceMirroring
from kybern.controllers.ephemeral_volume.reconcile import EphemeralVolumes
from kybern.controllers.garbage_collector.reconcile import GarbageCollector
from kybern.controllers.job.reconcile import JobController
from kybern.controllers.namespace.reconcile import NamespaceController
from kybern.controllers.node_ipam.reconcile import NodeIpamController
from kybern.controllers.node_lifecycle.reconcile import NodeLifecycleController
from kybern.controllers.persistentvolume_binder.reconcile import PersistentVolumeBinder
from kybern.controllers.pod_gc.reconcile import PodGarbageCollector
from kybern.controllers.podautoscaler.reconcile import HorizontalPodAutoscaling
from kybern.controllers.pv_protection.reconcile import VolumeProtection
from kybern.controllers.pvc_protection.reconcile import ClaimProtection
from kybern.controllers.replicaset.reconcile import replica_set_controller, replication_controller
from kybern.controllers.resourcequota.reconcile import ResourceQuotaController
from kybern.controllers.root_ca.reconcile import RootCAPublisher
from kybern.controllers.service_cidrs.reconcile import ServiceCIDRController
from kybern.controllers.serviceaccount.reconcile import ServiceAccountController
from kybern.controllers.serviceaccount_tokens.reconcile import LegacyTokenCleaner, ServiceAccountTokens
from kybern.controllers.statefulset.reconcile import StatefulSetController
from kybern.controllers.taint_eviction.reconcile import TaintEvictionController
from kybern.controllers.ttl.reconcile import TTLController
from kybern.controllers.ttl_after_finished.reconcile import TTLAfterFinishedController
from kybern.controllers.volumeattributesclass_protection.reconcile import VolumeAttributesClassProtection

CONTROLLERS: dict[str, Starter] = {
    "serviceaccount-controller": ServiceAccountController,
    "serviceaccount-token-controller": ServiceAccountTokens,
    "legacy-serviceaccount-token-cleaner-controller": LegacyTokenCleaner,
    "root-ca-certificate-publisher-controller": RootCAPublisher,
    "namespace-controller": NamespaceController,
    "endpoints-controller": EndpointsController,
    "endpointslice-controller": EndpointSliceController,
    "endpointslice-mirroring-controller": EndpointSliceMirroring,
    "deployment-controller": DeploymentController,
    "replicaset-controller": replica_set_controller,
    "replicationcontroller-controller": replication_controller,
    "daemonset-controller": DaemonSetController,
    "statefulset-controller": StatefulSetController,
    "job-controller": JobController,
    "ttl-after-finished-controller": TTLAfterFinishedController,
    "cronjob-controller": CronJobController,
    "certificatesigningrequest-signing-controller": Signer,
    "certificatesigningrequest-approving-controller": Approver,
    "certificatesigningrequest-cleaner-controller": Cleaner,
    "bootstrap-signer-controller": BootstrapSigner,
    "token-cleaner-controller": TokenCleaner,
    "service-cidr-controller": ServiceCIDRController,
    "ttl-controller": TTLController,
    "resourcequota-controller": ResourceQuotaController,
    "ephemeral-volume-controller": EphemeralVolumes,
    "persistentvolume-binder-controller": PersistentVolumeBinder,
    "persistentvolumeclaim-protection-controller": ClaimProtection,
    "persistentvolume-protection-controller": VolumeProtection,
    "horizontal-pod-autoscaler-controller": HorizontalPodAutoscaling,
    "volumeattributesclass-protection-controller": VolumeAttributesClassProtection,
    "disruption-controller": DisruptionController,
    "clusterrole-aggregation-controller": ClusterRoleAggregationController,
    "node-ipam-controller": NodeIpamController,
    "node-lifecycle-controller": NodeLifecycleController,
    "taint-eviction-controller": TaintEvictionController,
    "pod-garbage-collector-controller": PodGarbageCollector,
    "garbage-collector-controller": GarbageCollector,  # last: it listens to the informers of all others
}


class UnknownController(ValueError):
    """--controllers names something that is not there."""


def select_controllers(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names that a --controllers value enables: `*` is all, `name` adds, `-name` leaves out and wins."""
    for entry in wanted:
        if entry != "*" and entry.removeprefix("-") not in known:
            raise UnknownController(f'"{entry}" is not in the list of known controllers: {", ".join(known)}')
    return [name for name in known if f"-{name}" not in wanted and (name in wanted or "*" in wanted)]
