"""Validation: one valid object per kind, and what a single change to it is answered with."""

import base64
import copy
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kybern.kube import schema
from kybern.kube.defaults import apply_defaults
from kybern.kube.schema import ResourceInfo
from kybern.kube.validation import validate_create, validate_review, validate_update
from kybern.kube.validation.metadata import finalizer_warnings
from kybern.kube.validation.service import service_warnings

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
POD = {
    "containers": [{"name": "c", "image": "web:1", "ports": [{"containerPort": 80, "name": "http"}]}],
    "initContainers": [{"name": "i", "image": "init:1"}],
    "volumes": [{"name": "v"}],
}
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c", "image": "web:1"}]},
}
WORKLOAD = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
ONCE = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
KEY = ec.generate_private_key(ec.SECP256R1())
CSR = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(KEY, hashes.SHA256())
REQUEST = base64.b64encode(CSR.public_bytes(serialization.Encoding.PEM)).decode()
RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
HOOK = {
    "name": "a.b.c", "rules": [RULE], "clientConfig": {"service": {"name": "s", "namespace": "n"}},
    "sideEffects": "None", "admissionReviewVersions": ["v1"],
}  # fmt: skip
VERSION = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
RBAC = "rbac.authorization.k8s.io"

VALID: dict[str, tuple[str, dict[str, Any]]] = {
    "Pod": ("v1", {"spec": POD}),
    "PodTemplate": ("v1", {"template": TEMPLATE}),
    "Deployment": ("apps/v1", {"spec": WORKLOAD}),
    "ReplicaSet": ("apps/v1", {"spec": WORKLOAD}),
    "DaemonSet": ("apps/v1", {"spec": WORKLOAD}),
    "StatefulSet": ("apps/v1", {"spec": WORKLOAD}),
    "ControllerRevision": ("apps/v1", {"data": {}, "revision": 1}),
    "ReplicationController": ("v1", {"spec": {"template": TEMPLATE}}),
    "Job": ("batch/v1", {"spec": {"template": ONCE}}),
    "CronJob": ("batch/v1", {"spec": {"schedule": "*/5 1-3 * jan mon", "jobTemplate": {"spec": {"template": ONCE}}}}),
    "Service": ("v1", {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}),
    "Endpoints": ("v1", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}),
    "EndpointSlice": (
        "discovery.k8s.io/v1",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
    ),
    "Ingress": (
        "networking.k8s.io/v1",
        {"spec": {"rules": [{"host": "a.b", "http": {"paths": [
            {"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}]}},
    ),
    "IngressClass": ("networking.k8s.io/v1", {"spec": {"controller": "example.com/c"}}),
    "NetworkPolicy": (
        "networking.k8s.io/v1",
        {"spec": {"podSelector": {}, "ingress": [
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 1}]}]}},
    ),
    "ConfigMap": ("v1", {"data": {"a": "b"}}),
    "Secret": ("v1", {"data": {"a": "Yg=="}}),
    "Namespace": ("v1", {}),
    "ServiceAccount": ("v1", {}),
    "Node": ("v1", {"spec": {"podCIDRs": ["10.0.0.0/24"], "podCIDR": "10.0.0.0/24"}}),
    "LimitRange": ("v1", {"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]}}),
    "ResourceQuota": ("v1", {"spec": {"hard": {"pods": "2", "requests.cpu": "1"}}}),
    "Event": ("v1", {"involvedObject": {"kind": "Pod", "namespace": "ns"}}),
    "PersistentVolume": (
        "v1", {"spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}}),
    "PersistentVolumeClaim": ("v1", {"spec": CLAIM}),
    "StorageClass": ("storage.k8s.io/v1", {"provisioner": "example.com/p"}),
    "VolumeAttachment": (
        "storage.k8s.io/v1", {"spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "v"}}}),
    "CSIDriver": ("storage.k8s.io/v1", {"spec": {}}),
    "CSINode": ("storage.k8s.io/v1", {"spec": {"drivers": [{"name": "d", "nodeID": "n"}]}}),
    "Role": (f"{RBAC}/v1", {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
    "ClusterRole": (f"{RBAC}/v1", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz"]}]}),
    "RoleBinding": (
        f"{RBAC}/v1", {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]}),
    "ClusterRoleBinding": (
        f"{RBAC}/v1",
        {"roleRef": {"kind": "ClusterRole", "name": "system:x"},
         "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": "n"}]},
    ),
    "PodDisruptionBudget": ("policy/v1", {"spec": {"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}}}),
    "PriorityClass": ("scheduling.k8s.io/v1", {"value": 1}),
    "Lease": ("coordination.k8s.io/v1", {"spec": {"holderIdentity": "h", "leaseDurationSeconds": 1}}),
    "RuntimeClass": ("node.k8s.io/v1", {"handler": "runc"}),
    "HorizontalPodAutoscaler": (
        "autoscaling/v2",
        {"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}},
    ),
    "CertificateSigningRequest": (
        "certificates.k8s.io/v1",
        {"spec": {"request": REQUEST, "signerName": "example.com/s", "usages": ["client auth"]}},
    ),
    "ValidatingAdmissionPolicy": (
        "admissionregistration.k8s.io/v1",
        {"spec": {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}]}},
    ),
    "ValidatingAdmissionPolicyBinding": (
        "admissionregistration.k8s.io/v1", {"spec": {"policyName": "p", "validationActions": ["Deny"]}}),
    "MutatingAdmissionPolicy": (
        "admissionregistration.k8s.io/v1",
        {"spec": {"matchConstraints": {"resourceRules": [RULE]}, "reinvocationPolicy": "Never", "mutations": [
            {"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}]}},
    ),
    "APIService": (
        "apiregistration.k8s.io/v1",
        {"metadata": {"name": "v1.a.b"}, "spec": {"group": "a.b", "version": "v1", "groupPriorityMinimum": 1,
         "versionPriority": 1, "service": {"name": "s", "namespace": "n"}}},
    ),
    "FlowSchema": (
        "flowcontrol.apiserver.k8s.io/v1",
        {"spec": {"priorityLevelConfiguration": {"name": "p"}, "rules": [{
            "subjects": [{"kind": "User", "user": {"name": "u"}}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}]}},
    ),
    "PriorityLevelConfiguration": (
        "flowcontrol.apiserver.k8s.io/v1",
        {"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}},
    ),
    "IPAddress": (
        "networking.k8s.io/v1",
        {"metadata": {"name": "10.0.0.1"}, "spec": {"parentRef": {"resource": "services", "name": "s"}}},
    ),
    "ServiceCIDR": ("networking.k8s.io/v1", {"spec": {"cidrs": ["10.0.0.0/24"]}}),
    "VolumeAttributesClass": ("storage.k8s.io/v1", {"driverName": "d", "parameters": {"a": "b"}}),
    "CSIStorageCapacity": ("storage.k8s.io/v1", {"storageClassName": "s"}),
    "ResourceClaim": (
        "resource.k8s.io/v1",
        {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "d"}}]}}},
    ),
    "MutatingWebhookConfiguration": ("admissionregistration.k8s.io/v1", {"webhooks": [HOOK]}),
    "CustomResourceDefinition": (
        "apiextensions.k8s.io/v1",
        {"metadata": {"name": "foos.a.b"},
         "spec": {"group": "a.b", "scope": "Cluster", "names": {"plural": "foos", "kind": "Foo"},
                  "versions": [VERSION]}},
    ),
}  # fmt: skip


def build(kind: str) -> tuple[schema.ResourceInfo, dict[str, Any]]:
    """The valid object of a kind, defaulted, and its resource."""
    api_version, rest = VALID[kind]
    group, _, version = api_version.rpartition("/")
    info = schema.kind(group, version, kind)
    assert info is not None
    metadata = {"name": "x", **({"namespace": "ns"} if info.namespaced else {})}
    obj: dict[str, Any] = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **copy.deepcopy(rest)}
    apply_defaults(info, obj)
    return info, obj


REMOVE = object()


def change(obj: dict[str, Any], path: str, value: Any) -> None:
    """Set or remove the value at a dotted path with list indexes as numbers."""
    *parents, last = path.split(".")
    here: Any = obj
    for part in parents:
        here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
    if value is REMOVE:
        del here[last]
    elif isinstance(here, list):
        here[int(last) :] = [value]
    else:
        here[last] = value


@pytest.mark.parametrize("kind", VALID)
def test_valid(kind: str) -> None:
    info, obj = build(kind)
    assert schema.check(schema.definition(info.gvk) or {}, obj) == ([], [])
    assert [str(error) for error in validate_create(info, obj)] == []


@pytest.mark.parametrize("kind", VALID)
def test_an_update_that_changes_nothing_is_valid(kind: str) -> None:
    info, obj = build(kind)
    assert [str(error) for error in validate_update(info, copy.deepcopy(obj), obj)] == []


C = "spec.containers.0"
CREATE: list[tuple[str, str, Any, list[str]]] = [
    ("Pod", "metadata.name", REMOVE, ["metadata.name: Required value: name or generateName is required"]),
    ("Pod", "metadata.name", "A", [f'metadata.name: Invalid value: "A": {SUBDOMAIN}']),
    ("Pod", "metadata.namespace", REMOVE, ["metadata.namespace: Required value"]),
    ("Namespace", "metadata.namespace", "x", ["metadata.namespace: Forbidden: not allowed on this type"]),
    ("Namespace", "metadata.name", "a.b", ['metadata.name: Invalid value: "a.b": must not contain dots']),
    ("Namespace", "metadata.name", "a" * 64,
     [f'metadata.name: Invalid value: "{"a" * 64}": must be no more than 63 characters']),
    ("ConfigMap", "metadata.labels", {"a/": "b"}, [
        'metadata.labels: Invalid value: "a/": name part must be non-empty',
        'metadata.labels: Invalid value: "a/": name part must consist of alphanumeric characters, '
        "'-', '_' or '.', "
        "and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
        "'123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"]),
    ("ConfigMap", "metadata.annotations", {"a": "x" * 300_000},
     ["metadata.annotations: Too long: may not be more than 262144 bytes"]),
    ("ConfigMap", "metadata.finalizers", ["mine"], [
        'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully '
        "qualified"]),
    ("CronJob", "spec.timeZone", "Asia/Tokyo", []),
    ("CronJob", "spec.timeZone", "bad-time-zone",
     ['spec.timeZone: Invalid value: "bad-time-zone": unknown time zone bad-time-zone']),
    ("CronJob", "spec.timeZone", "../etc/passwd",
     ['spec.timeZone: Invalid value: "../etc/passwd": unknown time zone ../etc/passwd']),
    ("CronJob", "spec.timeZone", "Local",
     ['spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in '
      "https://www.iana.org/time-zones"]),
    ("Service", "metadata.name", "1a", []),
    ("Service", "metadata.name", "A", [f'metadata.name: Invalid value: "A": {LABEL}']),
    ("Pod", "spec.hostnameOverride", "a.b", []),
    ("Pod", "spec.hostnameOverride", "A", [f'spec.hostnameOverride: Invalid value: "A": {SUBDOMAIN}']),
    ("Pod", "spec.hostnameOverride", "a" * 65,
     ["spec.hostnameOverride: Too long: may not be more than 64 bytes"]),
    ("Pod", "spec.containers", [], ["spec.containers: Required value"]),
    ("Pod", f"{C}.name", "", ["spec.containers[0].name: Required value"]),
    ("Pod", f"{C}.name", "A", [f'spec.containers[0].name: Invalid value: "A": {LABEL}']),
    ("Pod", f"{C}.name", "i", ['spec.initContainers[0].name: Duplicate value: "i"']),
    ("Pod", f"{C}.restartPolicy", "Sometimes", [
        'spec.containers[0].restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", '
        '"OnFailure"']),
    ("Pod", f"{C}.restartPolicyRules", [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}],
     ["spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used"]),
    ("Pod", f"{C}.image", "", ["spec.containers[0].image: Required value"]),
    ("Pod", f"{C}.image", " x",
     ['spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace']),
    ("Pod", f"{C}.ports.0.containerPort", 70000,
     ["spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive"]),
    ("Pod", f"{C}.ports.0.protocol", "tcp",
     ['spec.containers[0].ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"']),
    ("Pod", f"{C}.ports.1", {"containerPort": 81, "name": "http", "protocol": "TCP"},
     ['spec.containers[0].ports[1].name: Duplicate value: "http"']),
    ("Pod", f"{C}.env", [{"name": ""}], ["spec.containers[0].env[0].name: Required value"]),
    ("Pod", f"{C}.env", [{"name": "a", "valueFrom": {}}],
     ['spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, '
      "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"]),
    ("Pod", f"{C}.volumeMounts", [{"name": "z", "mountPath": "/z"}],
     ['spec.containers[0].volumeMounts[0].name: Not found: "z"']),
    ("Pod", f"{C}.volumeMounts", [{"name": "v", "mountPath": "/z"}, {"name": "v", "mountPath": "/z"}],
     ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/z": must be unique']),
    ("Pod", f"{C}.resources", {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
     ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1']),
    ("Pod", f"{C}.resources", {"requests": {"cpu": "-1"}},
     ['spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0']),
    ("Pod", f"{C}.resources", {"requests": {"hugepages-2Mi": "3Mi"}, "limits": {"hugepages-2Mi": "3Mi"}},
     ['spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple '
      'of hugepages-2Mi',
      'spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer '
      'multiple of hugepages-2Mi',
      "spec.containers[0].resources: Forbidden: HugePages require cpu or memory"]),
    ("Pod", "spec.resources", {"requests": {"foo": "1", "x.y/z": "1"}, "limits": {"x.y/z": "1"}},
     ['spec.resources.limits[x.y/z]: Unsupported value: "x.y/z": supported values: "cpu", "hugepages-", "memory"',
      'spec.resources.requests[foo]: Invalid value: "foo": must be a standard resource type or fully qualified',
      'spec.resources.requests[x.y/z]: Unsupported value: "x.y/z": supported values: "cpu", "hugepages-", "memory"']),
    ("Pod", f"{C}.resources", {"requests": {"gpu": "1"}},
     ['spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": '
      "must be a standard resource type or fully qualified",
      'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers']),
    ("Pod", f"{C}.livenessProbe", {},
     ["spec.containers[0].livenessProbe: Required value: must specify a handler type"]),
    ("Pod", f"{C}.livenessProbe", {"tcpSocket": {"port": 1}, "successThreshold": 2},
     ["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"]),
    ("Pod", "spec.initContainers.0.livenessProbe", {"tcpSocket": {"port": 1}},
     ["spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
      "restartPolicy=Always"]),
    ("Pod", "spec.restartPolicy", "Sometimes",
     ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"']),
    ("Pod", "spec.dnsPolicy", "None",
     ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
    ("Pod", "spec.volumes.1", {"name": "v", "emptyDir": {}}, ['spec.volumes[1].name: Duplicate value: "v"']),
    ("Pod", "spec.volumes.0", {"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}},
     ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"]),
    ("Pod", "spec.volumes.0", {"name": "v", "secret": {}}, ["spec.volumes[0].secret.secretName: Required value"]),
    ("Pod", "spec.activeDeadlineSeconds", 0,
     ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"]),
    ("Pod", "spec.tolerations", [{"key": "a", "operator": "Exists", "value": "b"}],
     ['spec.tolerations[0].operator: Invalid value: "b": value must be empty when `operator` is \'Exists\'']),
    ("Pod", "spec.ephemeralContainers", [{"name": "e", "image": "x", "imagePullPolicy": "Always",
                                          "terminationMessagePolicy": "File"}],
     ["spec.ephemeralContainers: Forbidden: cannot be set on create"]),
    ("Deployment", "spec.selector", REMOVE, [
        "spec.selector: Required value",
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`']),
    ("Deployment", "spec.selector", {},
     ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"]),
    ("Deployment", "spec.selector.matchLabels", {"a": "c"},
     ['spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`']),
    ("Deployment", "spec.replicas", -1,
     ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
    ("Deployment", "spec.strategy.rollingUpdate", {"maxSurge": 0, "maxUnavailable": 0},
     ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"]),
    ("Deployment", "spec.strategy.type", "Recreate",
     ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"]),
    ("Deployment", "spec.template.spec.restartPolicy", "Never",
     ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"']),
    ("StatefulSet", "spec.podManagementPolicy", "Odd",
     ['spec.podManagementPolicy: Invalid value: "Odd": must be \'OrderedReady\' or \'Parallel\'']),
    ("Deployment", "spec.strategy.rollingUpdate", {"maxSurge": "00%", "maxUnavailable": "0%"},
     ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0']),
    ("Deployment", "spec.strategy.rollingUpdate", {"maxSurge": 0, "maxUnavailable": "1" + "0" * 5000 + "%"},
     ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"1" + "0" * 5000 + "%\": must not be greater than "
      "100%"]),
    ("DaemonSet", "spec.updateStrategy.rollingUpdate", {"maxSurge": 1, "maxUnavailable": 1},
     ["spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"]),
    ("Job", "spec.template.spec.restartPolicy", "Always",
     ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']),
    ("Job", "spec.parallelism", -1, ["spec.parallelism: Invalid value: -1: must be greater than or equal to 0"]),
    ("CronJob", "spec.schedule", "* * *",
     ['spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]']),
    ("CronJob", "spec.schedule", "99 * * * *",
     ['spec.schedule: Invalid value: "99 * * * *": end of range (99) above maximum (59): 99']),
    ("CronJob", "spec.schedule", "*/² * * * *",
     ['spec.schedule: Invalid value: "*/² * * * *": failed to parse int from ²: strconv.Atoi: parsing "²": '
      "invalid syntax"]),
    ("CronJob", "spec.schedule", "*/00 * * * *",
     ['spec.schedule: Invalid value: "*/00 * * * *": step of range should be a positive number: */00']),
    ("CronJob", "metadata.name", "a" * 53,
     [f'metadata.name: Invalid value: "{"a" * 53}": must be no more than 52 characters']),
    ("Service", "spec.ports", [], ["spec.ports: Required value"]),
    ("Service", "spec.ports.0.port", 0,
     ["spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"]),
    ("Service", "spec.ports.1", {"port": 81, "targetPort": 81, "protocol": "TCP"},
     ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"]),
    ("Service", "spec.type", "Odd",
     ['spec.type: Unsupported value: "Odd": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
      '"NodePort"']),
    ("Service", "spec.ports.0.nodePort", 30000,
     ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]),
    ("Service", "spec.clusterIP", "nonsense",
     ['spec.clusterIPs[0]: Invalid value: "nonsense": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']),
    ("EndpointSlice", "endpoints.0.addresses", ["::1"],
     ['endpoints[0].addresses: Invalid value: "::1": must be an IPv4 address',
      'endpoints[0].addresses[0]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)']),
    ("Ingress", "spec.rules.0.http.paths.0.path", "x",
     ['spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path']),
    ("Ingress", "spec.rules.0.host", "10.0.0.1",
     ['spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address']),
    ("NetworkPolicy", "spec.policyTypes", ["Odd"],
     ['spec.policyTypes[0]: Unsupported value: "Odd": supported values: "Ingress", "Egress"']),
    ("NetworkPolicy", "spec.ingress.0.from.0.ipBlock.except", ["11.0.0.0/8"],
     ['spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/8": must be a strict subset of `cidr`']),
    ("ConfigMap", "data", {"a b": ""}, [
        'data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '
        "'-', '_' or '.' "
        "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"]),
    ("ConfigMap", "data", {"a": "x" * (1024 * 1024 + 1)}, ["[]: Too long: may not be more than 1048576 bytes"]),
    ("Secret", "type", "kubernetes.io/tls", ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
    ("Node", "spec.taints", [{"key": "a", "effect": "Odd"}],
     ['metadata.taints[0].effect: Unsupported value: "Odd": supported values: "NoSchedule", '
      '"PreferNoSchedule", "NoExecute"']),
    ("LimitRange", "spec.limits.0.min", {"cpu": "3"},
     ['spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 2',
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": min value 3 is greater than default request value 2',
      'spec.limits[0].default[cpu]: Invalid value: "3": min value 3 is greater than default value 2']),
    ("ResourceQuota", "spec.hard", {"unicorns": "1"},
     ['spec.hard[unicorns]: Invalid value: "unicorns": must be a standard resource type or fully qualified',
      'spec.hard[unicorns]: Invalid value: "unicorns": must be a standard resource for quota']),
    ("ResourceQuota", "spec.scopes", ["Odd"], ['spec.scopes: Invalid value: ["Odd"]: unsupported scope']),
    ("Service", "spec.clusterIP", "010.96.0.9",
     ['spec.clusterIPs[0]: Invalid value: "010.96.0.9": must not have leading 0s']),
    ("Service", "spec.trafficDistribution", "x",
     ['spec.trafficDistribution: Unsupported value: "x": supported values: "PreferClose", "PreferSameZone", '
      '"PreferSameNode"']),
    ("Service", "spec.ipFamilies", ["IPv4", "IPv4"], ['spec.ipFamilies[1]: Duplicate value: "IPv4"']),
    ("Event", "involvedObject.namespace", "other",
     ['involvedObject.namespace: Invalid value: "other": does not match event.namespace']),
    ("PersistentVolumeClaim", "spec.accessModes", [],
     ["spec.accessModes: Required value: at least 1 access mode is required"]),
    ("PersistentVolumeClaim", "spec.resources", {}, ["spec.resources[storage]: Required value"]),
    ("PersistentVolume", "spec.hostPath", REMOVE, ["spec: Required value: must specify a volume type"]),
    ("StorageClass", "reclaimPolicy", "Odd",
     ['reclaimPolicy: Unsupported value: "Odd": supported values: "Delete", "Retain"']),
    ("Role", "rules.0.verbs", [], ["rules[0].verbs: Required value: verbs must contain at least one value"]),
    ("Role", "rules.0.nonResourceURLs", ["/x"],
     ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
      'rules[0].nonResourceURLs: Invalid value: ["/x"]: '
      "rules cannot apply to both regular resources and non-resource URLs"]),
    ("RoleBinding", "roleRef.kind", "Odd",
     ['roleRef.kind: Unsupported value: "Odd": supported values: "Role", "ClusterRole"']),
    ("ClusterRoleBinding", "subjects.0.namespace", REMOVE, ["subjects[0].namespace: Required value"]),
    ("PriorityClass", "value", 2_000_000_000,
     ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"]),
    ("PodDisruptionBudget", "spec.maxUnavailable", 1,
     ['spec: Invalid value: {"MinAvailable":"50%","Selector":{"matchLabels":{"a":"b"}},"MaxUnavailable":1,'
      '"UnhealthyPodEvictionPolicy":null}: '
      "minAvailable and maxUnavailable cannot be both set"]),
    ("Lease", "spec.leaseDurationSeconds", 0,
     ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]),
    ("HorizontalPodAutoscaler", "spec.maxReplicas", 0,
     ["spec.maxReplicas: Required value: must be set and greater than 0",
      "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`"]),
    ("MutatingWebhookConfiguration", "webhooks.0.name", "x",
     ['webhooks[0].name: Invalid value: "x": should be a domain with at least three segments separated by dots']),
    ("ValidatingAdmissionPolicy", "spec.matchConstraints", REMOVE, ["spec.matchConstraints: Required value"]),
    ("ValidatingAdmissionPolicy", "spec.validations", [{"expression": " "}],
     ["spec.validations[0].expression: Required value: expression is not specified"]),
    ("APIService", "spec.version", "v2",
     ['metadata.name: Invalid value: "v1.a.b": must be `spec.version+"."+spec.group`: "v2.a.b"']),
    ("FlowSchema", "spec.rules.0.subjects", [],
     ["spec.rules[0].subjects: Required value: subjects must contain at least one value"]),
    ("PriorityLevelConfiguration", "spec.type", "Odd",
     ['spec.type: Unsupported value: "Odd": supported values: "Exempt", "Limited"']),
    ("IPAddress", "metadata.name", "10.0.0.256",
     ['metadata.name: Invalid value: "10.0.0.256": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']),
    ("ServiceCIDR", "spec.cidrs", ["x"],
     ['spec.cidrs[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value", "wanted"), CREATE)
def test_create(kind: str, path: str, value: Any, wanted: list[str]) -> None:
    info, obj = build(kind)
    change(obj, path, value)
    assert [str(error) for error in validate_create(info, obj)] == wanted


UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
UPDATE: list[tuple[str, str, Any, list[str]]] = [
    ("Pod", "metadata.name", "y", ['metadata.name: Invalid value: "y": field is immutable'] * 2),
    ("Pod", "metadata.labels", {"new": "label"}, []),
    ("Pod", f"{C}.image", "web:2", []),
    ("Pod", f"{C}.image", "", ["spec.containers[0].image: Required value"] * 2),
    ("Pod", f"{C}.command", ["x"], [f"spec: Forbidden: {UPDATABLE}"]),
    ("Pod", "spec.nodeName", "n", [f"spec: Forbidden: {UPDATABLE}"]),
    ("Pod", "spec.tolerations", [{"key": "a", "operator": "Exists"}], []),
    ("Pod", "spec.containers.1", {"name": "d", "image": "x", "imagePullPolicy": "Always",
                                  "terminationMessagePolicy": "File"},
     ["spec.containers: Forbidden: pod updates may not add or remove containers"]),
    ("Deployment", "spec.replicas", 5, []),
    ("Deployment", "spec.template.spec.containers.0.image", "web:2", []),
    ("Deployment", "spec.selector.matchExpressions", [{"key": "a", "operator": "Exists"}], [
        'spec.selector: Invalid value: {"matchLabels":{"a":"b"},"matchExpressions":[{"key":"a","operator":"Exists"}]}: '
        "field is immutable"]),
    ("StatefulSet", "spec.serviceName", "y", [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
        "forbidden"]),
    ("Job", "spec.parallelism", 3, []),
    ("Job", "spec.completions", 3, ["spec.completions: Invalid value: 3: field is immutable"]),
    ("Secret", "type", "other", ['type: Invalid value: "other": field is immutable']),
    ("RoleBinding", "roleRef.name", "other", [
        'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"other"}: '
        "cannot change roleRef"]),
    ("PersistentVolumeClaim", "spec.volumeName", "v", []),
    ("PersistentVolumeClaim", "spec.accessModes", ["ReadWriteMany"], [
        "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for "
        'bound claims\n@@ -1,6 +1,6 @@\n {\n  "AccessModes": [\n-  "ReadWriteOnce"\n+  "ReadWriteMany"\n  ],\n'
        '  "Selector": null,\n  "Resources": {\n']),
    ("StorageClass", "provisioner", "example.com/q",
     ['provisioner: Invalid value: "example.com/q": field is immutable']),
    ("PriorityClass", "value", 2, ["value: Forbidden: may not be changed in an update."]),
    ("Node", "spec.podCIDRs", ["10.1.0.0/24"],
     ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid']),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "value", "wanted"), UPDATE)
def test_update(kind: str, path: str, value: Any, wanted: list[str]) -> None:
    info, old = build(kind)
    new = copy.deepcopy(old)
    change(new, path, value)
    found = [str(error) for error in validate_update(info, new, old)]
    if kind == "Pod":  # what follows shows how the specs differ
        found = [error.partition("\n@@")[0] for error in found]
    assert found == wanted


def test_a_changed_pod_is_shown_as_the_internal_type() -> None:
    info, old = build("Pod")
    new = copy.deepcopy(old)
    change(new, "spec.hostNetwork", True)
    (error,) = [str(error) for error in validate_update(info, new, old)]
    assert error.partition("@@")[2].split("\n")[1:] == [
        '  "AutomountServiceAccountToken": null,', '  "NodeName": "",', '  "SecurityContext": {',
        '-  "HostNetwork": false,', '+  "HostNetwork": true,', '   "HostPID": false,', '   "HostIPC": false,',
        '   "ShareProcessNamespace": null,', "",
    ]  # fmt: skip


def test_immutable_data_stays() -> None:
    info, old = build("ConfigMap")
    old["immutable"] = True
    new = copy.deepcopy(old)
    new["data"]["a"], new["immutable"] = "c", False
    assert [str(error) for error in validate_update(info, new, old)] == [
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    ]


def test_cluster_ip_stays() -> None:
    info, old = build("Service")
    old["spec"] |= {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}
    new = copy.deepcopy(old)
    new["spec"] |= {"clusterIP": "10.0.0.2", "clusterIPs": ["10.0.0.2"]}
    assert [str(error) for error in validate_update(info, new, old)] == [
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'
    ]


def test_no_finalizer_is_added_to_what_is_being_deleted() -> None:
    info, old = build("ConfigMap")
    old["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    new = copy.deepcopy(old)
    new["metadata"]["finalizers"] = ["a.b/c"]
    assert [str(error) for error in validate_update(info, new, old)] == [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new "
        'finalizers []string{"a.b/c"}'
    ] * 2


SUSPENDED = {"conditions": [{"type": "Suspended", "status": "True"}]}
LASTS = "field is immutable"


@pytest.mark.parametrize(
    ("status", "change", "refused"),
    [
        (SUSPENDED, {"nodeSelector": {"a": "b"}}, ""),
        (SUSPENDED, {"affinity": {"nodeAffinity": {}}}, ""),
        (SUSPENDED, {"affinity": {"podAntiAffinity": {"x": ["y"]}}}, "spec.template.spec"),
        (SUSPENDED, {"containers": {"resources": {"limits": {"cpu": "2"}}}}, ""),
        (SUSPENDED, {"containers": {"image": "web:2"}}, "spec.template.spec"),
        ({**SUSPENDED, "active": 1}, {"nodeSelector": {"a": "b"}}, "spec.template"),
        ({}, {"nodeSelector": {"a": "b"}}, "spec.template"),
    ],
)
def test_what_may_change_while_a_job_is_suspended(status: dict[str, Any], change: dict[str, Any], refused: str) -> None:
    info, old = build("Job")
    old["spec"]["suspend"], old["status"] = True, status
    new = copy.deepcopy(old)
    spec = new["spec"]["template"]["spec"]
    spec["containers"][0] |= change.pop("containers", {})
    spec |= change
    found = {error.field: error.detail for error in validate_update(info, new, old)}
    assert {at: why for at, why in found.items() if at in ("spec.template", "spec.template.spec")} == (
        {refused: LASTS} if refused else {}
    )


def test_completions_change_with_parallelism_only() -> None:
    info, old = build("Job")
    old["spec"] |= {"completionMode": "Indexed", "completions": 2, "parallelism": 2}
    new = copy.deepcopy(old)
    new["spec"] |= {"completions": 3, "parallelism": 3}
    assert validate_update(info, new, old) == []
    new["spec"]["parallelism"] = 2
    assert [str(error) for error in validate_update(info, new, old)] == [
        "spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"
    ]


@pytest.mark.parametrize(
    ("group", "version", "resource", "kind", "taken"),
    [
        ("", "v1", "configmaps", "ConfigMap", False),
        ("apps", "v1", "deployments", "Deployment", False),
        ("coordination.k8s.io", "v1", "leases", "Lease", True),
        ("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", True),
        ("example.com", "v1", "widgets", "Widget", True),
    ],
)
def test_who_takes_finalizers_without_a_domain(group: str, version: str, resource: str, kind: str, taken: bool) -> None:
    info = ResourceInfo(group, version, resource, kind, "one", False, frozenset())
    errors = validate_create(info, {"metadata": {"name": "one", "finalizers": ["mine"]}, "handler": "h", "spec": {}})
    assert ("metadata.finalizers[0]" not in {error.field for error in errors}) == taken
    errors = validate_create(info, {"metadata": {"name": "one", "finalizers": ["not one"]}, "handler": "h"})
    assert any(error.field.startswith("metadata.finalizers") for error in errors)


def test_warnings_of_finalizers() -> None:
    words = "to avoid accidental conflicts with other finalizer writers"
    old = {"finalizers": ["kept"]}
    assert finalizer_warnings({"finalizers": ["kept", "mine", "a.b", "a.b/c", "orphan"]}, old) == [
        f'metadata.finalizers: "a.b": prefer a domain-qualified finalizer name including a path (/) {words}',
        f'metadata.finalizers: "mine": prefer a domain-qualified finalizer name {words}',
    ]


def test_enumerations_are_checked_where_no_rule_speaks() -> None:
    info, obj = build("ResourceClaim")
    obj["spec"]["devices"]["requests"][0]["exactly"]["tolerations"] = [{"operator": "Odd"}]
    path = "spec.devices.requests[0].exactly.tolerations[0].operator"
    assert [str(error) for error in validate_create(info, obj)] == [
        f'{path}: Unsupported value: "Odd": supported values: "Equal", "Exists"'
    ]


@pytest.mark.parametrize(
    ("kind", "spec", "wanted"),
    [
        ("TokenReview", {}, ["spec.token: Required value"]),
        ("SelfSubjectAccessReview", {"resourceAttributes": {"verb": "get"}}, []),
        (
            "SubjectAccessReview",
            {"resourceAttributes": {"verb": "get"}},
            ['spec.user: Invalid value: "": at least one of user or group must be specified'],
        ),
        (
            "TokenRequest",
            {"expirationSeconds": 60},
            ["spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes"],
        ),
    ],
)
def test_reviews(kind: str, spec: dict[str, Any], wanted: list[str]) -> None:
    group = "authentication.k8s.io" if kind.startswith("Token") else "authorization.k8s.io"
    assert [str(error) for error in validate_review(group, kind, {"kind": kind, "spec": spec})] == wanted


@pytest.mark.parametrize(
    ("name", "good"),
    [("kernel.shm_rmid_forced", True), ("a/b.c_d", True), ("foo-", False), ("bar..", False), ("A", False), ("", False)],
)
def test_names_of_sysctls(name: str, good: bool) -> None:
    info, obj = build("Pod")
    obj["spec"]["securityContext"] = {"sysctls": [{"name": name, "value": "1"}]}
    assert [error.field for error in validate_create(info, obj)] == (
        [] if good else ["spec.securityContext.sysctls[0].name"]
    )


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"type": "ClusterIP"}, []),
        ({"externalName": "a.b"}, ['spec.externalName is ignored when spec.type is not "ExternalName"']),
        ({"clusterIP": "None", "sessionAffinity": "ClientIP"},
         ["spec.SessionAffinity is ignored for headless services"]),
        ({"loadBalancerIP": "01.2.3.4"},
         ['spec.loadBalancerIP: non-standard IP address "01.2.3.4" is invalid: use "1.2.3.4"']),
        ({"trafficDistribution": "PreferClose"},
         ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']),
        ({"externalIPs": ["fd00::0001"]},
         ['spec.externalIPs[0]: IPv6 address "fd00::0001" should be in RFC 5952 canonical format ("fd00::1")',
          "spec.externalIPs is deprecated and may no longer be implemented in some clusters"]),
    ],
)  # fmt: skip
def test_service_warnings(spec: dict[str, Any], wanted: list[str]) -> None:
    assert service_warnings({"spec": spec}, None) == wanted
