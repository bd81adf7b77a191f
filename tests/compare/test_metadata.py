"""Metadata of every kind: broken and right labels, annotations, owners and finalizers; in the object and its status."""

from typing import Any

import pytest
from same import Both

Object = dict[str, Any]
RUN = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": RUN}
SELECTED = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
JOB = {"template": {"spec": {**RUN, "restartPolicy": "Never"}}}
RBAC, STORAGE, DEVICES = "rbac.authorization.k8s.io", "storage.k8s.io/v1", "resource.k8s.io/v1"
NETWORK, FLOW, WEBHOOKS = "networking.k8s.io/v1", "flowcontrol.apiserver.k8s.io/v1", "admissionregistration.k8s.io/v1"
BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}}
VOLUME = {"capacity": {"storage": "1"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
# Path below /api or /apis (N is a namespace) → what the object says beside its metadata, and the status it has.
# Not there are kinds whose statuses a kube-apiserver writes itself.
KINDS: dict[str, tuple[Object, str]] = {
    "v1/N/pods": ({"spec": RUN}, "status"),
    "v1/N/services": ({"spec": {"ports": [{"port": 1}]}}, "status"),
    "v1/N/configmaps": ({}, ""),
    "v1/N/secrets": ({}, ""),
    "v1/N/serviceaccounts": ({}, ""),
    "v1/N/endpoints": ({}, ""),
    "v1/N/limitranges": ({"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}}, ""),
    "v1/N/resourcequotas": ({}, "status"),
    "v1/N/persistentvolumeclaims": ({"spec": CLAIM}, "status"),
    "v1/persistentvolumes": ({"spec": VOLUME}, "status"),
    "v1/nodes": ({}, "status"),
    "v1/namespaces": ({}, "status"),
    "v1/N/podtemplates": ({"template": TEMPLATE}, ""),
    "v1/N/replicationcontrollers": ({"spec": {"template": TEMPLATE}}, "status"),
    "apps/v1/N/deployments": ({"spec": SELECTED}, "status"),
    "apps/v1/N/replicasets": ({"spec": SELECTED}, "status"),
    "apps/v1/N/daemonsets": ({"spec": SELECTED}, "status"),
    "apps/v1/N/statefulsets": ({"spec": {**SELECTED, "serviceName": "x"}}, "status"),
    "batch/v1/N/jobs": ({"spec": JOB}, "status"),
    "batch/v1/N/cronjobs": ({"spec": {"schedule": "@daily", "jobTemplate": {"spec": JOB}}}, "status"),
    "autoscaling/v2/N/horizontalpodautoscalers": (
        {"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "D", "name": "d"}, "maxReplicas": 3}}, "status"),
    f"{RBAC}/v1/N/roles": ({"rules": [{"apiGroups": ["x"], "resources": ["y"], "verbs": ["get"]}]}, ""),
    f"{RBAC}/v1/clusterroles": ({"rules": [{"apiGroups": ["x"], "resources": ["y"], "verbs": ["get"]}]}, ""),
    f"{RBAC}/v1/N/rolebindings": ({"roleRef": {"kind": "Role", "name": "x", "apiGroup": RBAC}}, ""),
    f"{RBAC}/v1/clusterrolebindings": ({"roleRef": {"kind": "ClusterRole", "name": "x", "apiGroup": RBAC}}, ""),
    f"{NETWORK}/N/networkpolicies": ({"spec": {"podSelector": {}}}, ""),
    f"{NETWORK}/N/ingresses": ({"spec": {"defaultBackend": BACKEND}}, "status"),
    f"{NETWORK}/ingressclasses": ({"spec": {"controller": "a.b/c"}}, ""),
    f"{NETWORK}/servicecidrs": ({"spec": {"cidrs": ["10.1.0.0/16"]}}, "status"),
    "policy/v1/N/poddisruptionbudgets": ({"spec": {"minAvailable": 1, "selector": {}}}, "status"),
    "scheduling.k8s.io/v1/priorityclasses": ({"value": 1}, ""),
    "coordination.k8s.io/v1/N/leases": ({}, ""),
    "node.k8s.io/v1/runtimeclasses": ({"handler": "x"}, ""),
    f"{STORAGE}/storageclasses": ({"provisioner": "a/b"}, ""),
    f"{STORAGE}/csidrivers": ({"spec": {}}, ""),
    f"{STORAGE}/csinodes": ({"spec": {"drivers": [{"name": "a", "nodeID": "b"}]}}, ""),
    f"{STORAGE}/volumeattachments": (
        {"spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "x"}}}, "status"),
    f"{STORAGE}/N/csistoragecapacities": ({"storageClassName": "x"}, ""),
    f"{STORAGE}/volumeattributesclasses": ({"driverName": "a.b", "parameters": {"a": "b"}}, ""),
    "discovery.k8s.io/v1/N/endpointslices": ({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]}, ""),
    "events.k8s.io/v1/N/events": (
        {"regarding": {"namespace": "N"}, "eventTime": "2024-01-01T00:00:00.000000Z", "reason": "y", "action": "x",
         "reportingController": "a.b/c", "reportingInstance": "x", "type": "Normal"}, ""),
    "v1/N/events": ({"involvedObject": {"namespace": "N"}}, ""),
    f"{FLOW}/prioritylevelconfigurations": (
        {"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}}, "status"),
    f"{WEBHOOKS}/validatingwebhookconfigurations": ({}, ""),
    f"{WEBHOOKS}/mutatingwebhookconfigurations": ({}, ""),
    f"{WEBHOOKS}/validatingadmissionpolicybindings": (
        {"spec": {"policyName": "z", "validationActions": ["Audit"]}}, ""),
    f"{WEBHOOKS}/mutatingadmissionpolicybindings": ({"spec": {"policyName": "z"}}, ""),
    f"{DEVICES}/N/resourceclaims": ({"spec": {}}, "status"),
    f"{DEVICES}/N/resourceclaimtemplates": ({"spec": {"spec": {}}}, ""),
    f"{DEVICES}/deviceclasses": ({"spec": {}}, ""),
    f"{DEVICES}/resourceslices": (
        {"spec": {"driver": "a.b", "nodeName": "n", "pool": {"name": "p", "resourceSliceCount": 1}}}, ""),
}  # fmt: skip
OWNER = {"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}
METADATA: list[Object] = [
    {"labels": {"-": "x"}, "annotations": {"-": "x"}, "ownerReferences": [{}],
     "finalizers": ["x", "a b", "orphan", "foregroundDeletion"]},
    {"ownerReferences": [{**OWNER, "kind": "Event"}]},
    {"ownerReferences": [{**OWNER, "apiVersion": "a/b/c"}, {**OWNER, "apiVersion": "v1/"}]},
    {"ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "name": "m", "controller": True}]},
    {"finalizers": ["x!"]},
    {"deletionGracePeriodSeconds": 4},
    {"labels": {"l": "m"}, "annotations": {"a": "b"}, "ownerReferences": [OWNER], "finalizers": ["x.y/z"]},
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_metadata(fresh: Both, kind: str) -> None:
    fresh.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "meta"}})
    fresh.ask("POST", "/api/v1/namespaces/meta/serviceaccounts", {"metadata": {"name": "default"}})
    rest, status = KINDS[kind]
    rest = {key: {"namespace": "meta"} if value == {"namespace": "N"} else value for key, value in rest.items()}
    path = ("/api/" if kind.startswith("v1/") else "/apis/") + kind.replace("/N/", "/namespaces/meta/")
    name = "core" if kind == "v1/N/events" else "o"
    for metadata in METADATA:
        fresh.same("POST", f"{path}?dryRun=All", {"metadata": {**metadata, "name": name}, **rest})
    made = fresh.ask("POST", path, {"metadata": {"name": name}, **rest})
    assert made.kube.status == made.kybern.status == 201
    for metadata in METADATA:
        fresh.same("PATCH", f"{path}/{name}?dryRun=All", {"metadata": metadata})
        if status:
            fresh.same("PATCH", f"{path}/{name}/status?dryRun=All", {"metadata": metadata})
