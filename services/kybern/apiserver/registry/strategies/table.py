"""The strategies of all kinds: one row each for those that differ from the generic registry."""

from dataclasses import replace

from kybern.apiserver.crd.strategy import CUSTOM_RESOURCE_DEFINITIONS
from kybern.apiserver.registry.metadata import name_by_uid
from kybern.apiserver.registry.strategies.admission_policies import ADMISSION_POLICIES
from kybern.apiserver.registry.strategies.api_services import API_SERVICES
from kybern.apiserver.registry.strategies.certificates import CERTIFICATE_SIGNING_REQUESTS
from kybern.apiserver.registry.strategies.devices import DEVICES
from kybern.apiserver.registry.strategies.endpoint_slices import ENDPOINT_SLICES
from kybern.apiserver.registry.strategies.namespaces import NAMESPACES
from kybern.apiserver.registry.strategies.nodes import keep_config, without_config
from kybern.apiserver.registry.strategies.pods import BINDINGS, PODS
from kybern.apiserver.registry.strategies.rbac import RBAC
from kybern.apiserver.registry.strategies.reviews import REVIEWS
from kybern.apiserver.registry.strategies.service_accounts import SERVICE_ACCOUNTS
from kybern.apiserver.registry.strategies.services import SERVICES
from kybern.apiserver.registry.strategies.volumes import CLAIMS, VOLUMES
from kybern.apiserver.registry.strategies.workloads import WORKLOADS
from kybern.apiserver.registry.strategy import PLAIN, Strategy
from kybern.kube.validation.config import secret_warnings
from kybern.kube.validation.node import node_warnings
from kybern.kube.validation.storage import csi_driver_warnings

UPSERT = Strategy(create_on_update=True)
VERSIONED = Strategy(create_on_update=True, unconditional_update=False)
KEPT = Strategy(returns_deleted=True)
KEPT_VERSIONED = Strategy(returns_deleted=True, unconditional_update=False)
EVENT_TTL = 3600.0

STRATEGIES: dict[tuple[str, str], Strategy] = {
    ("", "bindings"): BINDINGS,
    ("", "endpoints"): UPSERT,
    ("", "events"): Strategy(create_on_update=True, ttl=EVENT_TTL),
    ("", "limitranges"): Strategy(create_on_update=True, prepare_create=(name_by_uid,)),
    ("", "namespaces"): NAMESPACES,
    ("", "nodes"): Strategy(
        prepare_create=(without_config,),
        prepare_update=(keep_config,),
        status_update=(keep_config,),
        status_on_create=True,
        warn=node_warnings,
    ),
    ("", "persistentvolumeclaims"): CLAIMS,
    ("", "persistentvolumes"): VOLUMES,
    ("", "pods"): PODS,
    ("", "podtemplates"): KEPT,
    ("", "resourcequotas"): KEPT,
    ("", "serviceaccounts"): SERVICE_ACCOUNTS,
    ("", "secrets"): Strategy(warn=secret_warnings),
    ("", "services"): SERVICES,
    ("apiregistration.k8s.io", "apiservices"): API_SERVICES,
    ("certificates.k8s.io", "certificatesigningrequests"): CERTIFICATE_SIGNING_REQUESTS,
    ("apiextensions.k8s.io", "customresourcedefinitions"): CUSTOM_RESOURCE_DEFINITIONS,
    ("coordination.k8s.io", "leases"): VERSIONED,
    ("discovery.k8s.io", "endpointslices"): ENDPOINT_SLICES,
    ("node.k8s.io", "runtimeclasses"): VERSIONED,
    ("policy", "poddisruptionbudgets"): Strategy(unconditional_update=False),
    ("storage.k8s.io", "csidrivers"): Strategy(
        returns_deleted=True, unconditional_update=False, warn=csi_driver_warnings
    ),
    ("storage.k8s.io", "csinodes"): KEPT_VERSIONED,
    ("storage.k8s.io", "csistoragecapacities"): Strategy(unconditional_update=False),
    ("storage.k8s.io", "storageclasses"): KEPT,
    ("storage.k8s.io", "volumeattachments"): KEPT_VERSIONED,
    ("storage.k8s.io", "volumeattributesclasses"): KEPT,
    **ADMISSION_POLICIES,
    **DEVICES,
    **RBAC,
    **REVIEWS,
    **WORKLOADS,
}


def strategy_of(group: str, resource: str, event_ttl: float = EVENT_TTL) -> Strategy:
    """The row of a resource (by its storage group)."""
    found = STRATEGIES.get((group, resource), PLAIN)
    return replace(found, ttl=event_ttl) if found.ttl else found
