"""Which rules check which kind: one table, kind by kind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kybern.kube.field import FieldError
from kybern.kube.validation import (
    admission,
    admission_policy,
    autoscaling,
    batch,
    certificates,
    conditions,
    config,
    devices,
    endpoints,
    event,
    extension,
    flow_schema,
    job_status,
    load_balancer,
    namespace,
    network,
    node,
    persistent_volume,
    persistent_volume_claim,
    pod,
    pod_resize,
    pod_status,
    pod_update,
    policy,
    priority_level,
    quota,
    rbac,
    resource_claim,
    resource_slice,
    service,
    stateful_set,
    storage,
    storage_classes,
    workload_status,
    workloads,
)  # fmt: skip
from kybern.kube.validation.fields import Object
from kybern.kube.validation.names import Check, dns1123_label, dns1123_subdomain, long_name, path_segment

Validate = Callable[[Object], Iterator[FieldError]]
ValidateUpdate = Callable[[Object, Object], Iterator[FieldError]]


@dataclass(frozen=True)
class Rules:
    """`create` runs on every write, `new` instead of it on the first; `update` compares, with `update_only` alone."""

    create: Validate | None = None
    update: ValidateUpdate | None = None
    name: Check = dns1123_subdomain
    update_only: bool = False
    new: Validate | None = None


_CSR = "certificates.k8s.io"
_DRA = "resource.k8s.io"
_FLOW = "flowcontrol.apiserver.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"

RULES: dict[tuple[str, str], Rules] = {
    ("", "ConfigMap"): Rules(config.validate_config_map, config.validate_config_map_update, update_only=True),
    ("", "Endpoints"): Rules(endpoints.validate_endpoints),
    ("", "Event"): Rules(event.validate_core_event),
    ("", "LimitRange"): Rules(quota.validate_limit_range),
    ("", "Namespace"): Rules(config.validate_namespace, name=dns1123_label),
    ("", "Node"): Rules(node.validate_node, node.validate_node_update),
    ("", "PersistentVolume"): Rules(persistent_volume.validate_volume, persistent_volume.validate_volume_update),
    ("", "PersistentVolumeClaim"): Rules(
        persistent_volume_claim.validate_claim, persistent_volume_claim.validate_claim_update
    ),
    ("", "Pod"): Rules(pod.validate_pod, pod_update.validate_pod_update, update_only=True),
    ("", "PodTemplate"): Rules(workloads.validate_pod_template),
    ("", "ReplicationController"): Rules(workloads.validate_replication_controller, name=long_name),
    ("", "ResourceQuota"): Rules(quota.validate_resource_quota, quota.validate_resource_quota_update),
    ("", "Secret"): Rules(config.validate_secret, config.validate_secret_update, update_only=True),
    ("", "Service"): Rules(
        service.validate_service, service.validate_service_update, name=dns1123_label, update_only=True
    ),
    (_ADMISSION, "MutatingAdmissionPolicy"): Rules(admission_policy.validate_mutating_policy),
    (_ADMISSION, "MutatingAdmissionPolicyBinding"): Rules(admission_policy.validate_policy_binding),
    (_ADMISSION, "ValidatingAdmissionPolicy"): Rules(admission_policy.validate_admission_policy),
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): Rules(admission_policy.validate_policy_binding),
    (_ADMISSION, "MutatingWebhookConfiguration"): Rules(admission.validate_webhooks),
    (_ADMISSION, "ValidatingWebhookConfiguration"): Rules(admission.validate_webhooks),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Rules(name=lambda _: []),  # its strategy checks it
    ("apiregistration.k8s.io", "APIService"): Rules(extension.validate_api_service, name=path_segment),
    ("apps", "ControllerRevision"): Rules(
        workloads.validate_controller_revision, workloads.validate_controller_revision_update, update_only=True
    ),
    ("apps", "DaemonSet"): Rules(workloads.validate_daemon_set, workloads.validate_daemon_set_update, update_only=True),
    ("apps", "Deployment"): Rules(workloads.validate_deployment, workloads.validate_deployment_update),
    ("apps", "ReplicaSet"): Rules(workloads.validate_replica_set, workloads.validate_deployment_update),
    ("apps", "StatefulSet"): Rules(
        stateful_set.validate_stateful_set,
        stateful_set.validate_stateful_set_update,
        name=dns1123_label,
        new=stateful_set.validate_new_stateful_set,
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): Rules(autoscaling.validate_autoscaler),
    ("batch", "CronJob"): Rules(batch.validate_cron_job),
    ("batch", "Job"): Rules(batch.validate_job, batch.validate_job_update),
    ("certificates.k8s.io", "CertificateSigningRequest"): Rules(
        certificates.validate_signing_request, name=path_segment
    ),
    ("coordination.k8s.io", "Lease"): Rules(policy.validate_lease),
    ("discovery.k8s.io", "EndpointSlice"): Rules(
        endpoints.validate_endpoint_slice, endpoints.validate_endpoint_slice_update, update_only=True
    ),
    ("events.k8s.io", "Event"): Rules(event.validate_event, event.validate_event_update, update_only=True),
    (_FLOW, "FlowSchema"): Rules(flow_schema.validate_flow_schema),
    (_FLOW, "PriorityLevelConfiguration"): Rules(priority_level.validate_priority_level),
    ("networking.k8s.io", "IPAddress"): Rules(
        extension.validate_ip_address, extension.validate_ip_address_update, name=extension.address_name
    ),
    ("networking.k8s.io", "ServiceCIDR"): Rules(
        extension.validate_service_cidr, extension.validate_service_cidr_update, update_only=True
    ),
    ("networking.k8s.io", "Ingress"): Rules(network.validate_ingress),
    ("networking.k8s.io", "IngressClass"): Rules(
        network.validate_ingress_class, network.validate_ingress_class_update, update_only=True
    ),
    ("networking.k8s.io", "NetworkPolicy"): Rules(network.validate_network_policy),
    ("node.k8s.io", "RuntimeClass"): Rules(policy.validate_runtime_class, policy.validate_runtime_class_update),
    ("policy", "PodDisruptionBudget"): Rules(policy.validate_budget),
    (_RBAC, "ClusterRole"): Rules(rbac.validate_cluster_role, name=path_segment),
    (_RBAC, "ClusterRoleBinding"): Rules(
        rbac.validate_cluster_role_binding, rbac.validate_binding_update, name=path_segment
    ),
    (_RBAC, "Role"): Rules(rbac.validate_role, name=path_segment),
    (_RBAC, "RoleBinding"): Rules(rbac.validate_role_binding, rbac.validate_binding_update, name=path_segment),
    (_DRA, "DeviceClass"): Rules(devices.validate_device_class),
    (_DRA, "ResourceSlice"): Rules(
        resource_slice.validate_resource_slice, resource_slice.validate_resource_slice_update, update_only=True
    ),
    (_DRA, "ResourceClaim"): Rules(
        resource_claim.validate_resource_claim, resource_claim.validate_claim_update, update_only=True
    ),
    (_DRA, "ResourceClaimTemplate"): Rules(
        resource_claim.validate_resource_claim_template, resource_claim.validate_claim_template_update
    ),
    ("scheduling.k8s.io", "PriorityClass"): Rules(
        policy.validate_priority_class, policy.validate_priority_class_update, update_only=True
    ),
    ("storage.k8s.io", "CSIStorageCapacity"): Rules(
        storage_classes.validate_storage_capacity, storage_classes.validate_storage_capacity_update
    ),
    ("storage.k8s.io", "VolumeAttributesClass"): Rules(
        storage_classes.validate_attributes_class, storage_classes.validate_attributes_class_update, update_only=True
    ),
    ("storage.k8s.io", "CSIDriver"): Rules(storage.validate_csi_driver, storage.validate_csi_driver_update),
    ("storage.k8s.io", "CSINode"): Rules(storage.validate_csi_node, storage.validate_csi_node_update),
    ("storage.k8s.io", "StorageClass"): Rules(
        storage_classes.validate_storage_class, storage_classes.validate_storage_class_update, update_only=True
    ),
    ("storage.k8s.io", "VolumeAttachment"): Rules(storage.validate_attachment, storage.validate_attachment_update),
}


# Requests that are answered, not kept: no metadata to check.
REVIEWS: dict[tuple[str, str], Validate] = {
    ("authentication.k8s.io", "TokenRequest"): extension.validate_token_request,
    ("authentication.k8s.io", "TokenReview"): extension.validate_token_review,
    ("authorization.k8s.io", "LocalSubjectAccessReview"): extension.validate_access_review,
    ("authorization.k8s.io", "SelfSubjectAccessReview"): extension.validate_access_review,
    ("authorization.k8s.io", "SubjectAccessReview"): extension.validate_access_review,
}

# (group, kind, subresource) → what a write of that subresource may not do.
SUBRESOURCES: dict[tuple[str, str, str], ValidateUpdate] = {
    ("", "Pod", "ephemeralcontainers"): pod_update.validate_ephemeral_containers_update,
    ("", "Pod", "resize"): pod_resize.validate_resize_update,
    ("", "Namespace", "finalize"): namespace.validate_namespace_finalize,
    ("", "Namespace", "status"): namespace.validate_namespace_status,
    ("", "PersistentVolumeClaim", "status"): persistent_volume_claim.validate_claim_status,
    ("", "Pod", "status"): pod_status.validate_pod_status_update,
    ("", "Service", "status"): load_balancer.validate_service_status,
    ("networking.k8s.io", "Ingress", "status"): load_balancer.validate_ingress_status,
    ("batch", "Job", "status"): job_status.validate_job_status_update,
    ("", "Node", "status"): node.validate_node_status,
    ("", "ResourceQuota", "status"): quota.validate_resource_quota_status,
    ("storage.k8s.io", "VolumeAttachment", "status"): storage.validate_attachment_status,
    ("", "ReplicationController", "status"): workload_status.replica_set_status,
    ("apps", "DaemonSet", "status"): workload_status.daemon_set_status,
    ("apps", "Deployment", "status"): workload_status.deployment_status,
    ("apps", "ReplicaSet", "status"): workload_status.replica_set_status,
    ("apps", "StatefulSet", "status"): workload_status.stateful_set_status,
    (_ADMISSION, "ValidatingAdmissionPolicy", "status"): admission_policy.validate_policy_status,
    (_DRA, "ResourceClaim", "status"): resource_claim.validate_claim_status,
    (_FLOW, "FlowSchema", "status"): conditions.validate_condition_types,
    (_FLOW, "PriorityLevelConfiguration", "status"): conditions.validate_condition_types,
    ("policy", "PodDisruptionBudget", "status"): policy.validate_budget_status,
    ("apiregistration.k8s.io", "APIService", "status"): extension.validate_api_service_status,
    (_CSR, "CertificateSigningRequest", "approval"): certificates.validate_approval_update,
    (_CSR, "CertificateSigningRequest", "status"): certificates.validate_status_update,
    ("autoscaling", "HorizontalPodAutoscaler", "status"): autoscaling.validate_autoscaler_status,
}


NO_RULES = Rules()


def rules_for(group: str, kind: str) -> Rules:
    return RULES.get((group, kind), NO_RULES)
