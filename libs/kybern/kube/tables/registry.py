"""Which printer makes the rows of which resource. A resource without one shows its name and creation time."""

from __future__ import annotations

from kybern.kube.tables import access, cluster, network, pods, storage, workloads
from kybern.kube.tables.cells import Printer

PRINTERS: dict[tuple[str, str], Printer] = {
    ("", "componentstatuses"): cluster.component_status_cells,
    ("", "configmaps"): access.config_map_cells,
    ("", "endpoints"): network.endpoints_cells,
    ("", "events"): cluster.event_cells,
    ("", "namespaces"): cluster.namespace_cells,
    ("", "nodes"): cluster.node_cells,
    ("", "persistentvolumeclaims"): storage.persistent_volume_claim_cells,
    ("", "persistentvolumes"): storage.persistent_volume_cells,
    ("", "pods"): pods.pod_cells,
    ("", "podtemplates"): workloads.pod_template_cells,
    ("", "replicationcontrollers"): workloads.replication_controller_cells,
    ("", "resourcequotas"): cluster.resource_quota_cells,
    ("", "secrets"): access.secret_cells,
    ("", "serviceaccounts"): access.name_and_age_cells,
    ("", "services"): network.service_cells,
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"): access.admission_policy_cells("mutations"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"): access.admission_policy_binding_cells,
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): access.webhook_configuration_cells,
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"): access.admission_policy_cells("validations"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"): access.admission_policy_binding_cells,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): access.webhook_configuration_cells,
    ("apiregistration.k8s.io", "apiservices"): cluster.api_service_cells,
    ("apps", "controllerrevisions"): workloads.controller_revision_cells,
    ("apps", "daemonsets"): workloads.daemon_set_cells,
    ("apps", "deployments"): workloads.deployment_cells,
    ("apps", "replicasets"): workloads.replica_set_cells,
    ("apps", "statefulsets"): workloads.stateful_set_cells,
    ("autoscaling", "horizontalpodautoscalers"): workloads.horizontal_pod_autoscaler_cells,
    ("batch", "cronjobs"): workloads.cron_job_cells,
    ("batch", "jobs"): workloads.job_cells,
    ("certificates.k8s.io", "certificatesigningrequests"): access.certificate_signing_request_cells,
    ("coordination.k8s.io", "leases"): cluster.lease_cells,
    ("discovery.k8s.io", "endpointslices"): network.endpoint_slice_cells,
    ("events.k8s.io", "events"): cluster.event_cells,
    ("flowcontrol.apiserver.k8s.io", "flowschemas"): cluster.flow_schema_cells,
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"): cluster.priority_level_configuration_cells,
    ("networking.k8s.io", "ingressclasses"): network.ingress_class_cells,
    ("networking.k8s.io", "ingresses"): network.ingress_cells,
    ("networking.k8s.io", "ipaddresses"): network.ip_address_cells,
    ("networking.k8s.io", "networkpolicies"): network.network_policy_cells,
    ("networking.k8s.io", "servicecidrs"): network.service_cidr_cells,
    ("node.k8s.io", "runtimeclasses"): cluster.runtime_class_cells,
    ("policy", "poddisruptionbudgets"): workloads.pod_disruption_budget_cells,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): access.role_binding_cells,
    ("rbac.authorization.k8s.io", "rolebindings"): access.role_binding_cells,
    ("resource.k8s.io", "deviceclasses"): access.name_and_age_cells,
    ("resource.k8s.io", "resourceclaims"): cluster.resource_claim_cells,
    ("resource.k8s.io", "resourceclaimtemplates"): access.name_and_age_cells,
    ("resource.k8s.io", "resourceslices"): cluster.resource_slice_cells,
    ("scheduling.k8s.io", "priorityclasses"): cluster.priority_class_cells,
    ("storage.k8s.io", "csidrivers"): storage.csi_driver_cells,
    ("storage.k8s.io", "csinodes"): storage.csi_node_cells,
    ("storage.k8s.io", "storageclasses"): storage.storage_class_cells,
    ("storage.k8s.io", "volumeattachments"): storage.volume_attachment_cells,
    ("storage.k8s.io", "volumeattributesclasses"): storage.volume_attributes_class_cells,
}


OF_SUBRESOURCES: dict[tuple[str, str], Printer] = {("autoscaling", "scales"): workloads.scale_cells}


def printer(group: str, resource: str) -> Printer:
    key = (group, resource)
    return PRINTERS.get(key) or OF_SUBRESOURCES.get(key, access.name_and_created_cells)
