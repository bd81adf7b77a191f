"""Defaulting: golden objects of the common kinds, idempotence for all, and the rules that look around."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.defaults import apply_create_defaults, apply_defaults, apply_definition_defaults
from kybern.kube.defaults.create import INITIAL_STATUS, qos_class
from kybern.kube.defaults.engine import _rules
from kybern.kube.defaults.pod import image_pull_policy

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "kube" / "defaults.json"

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c", "image": "web:1"}]},
}
RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
HOOKS = {"webhooks": [{"name": "a.b.c", "rules": [RULE], "clientConfig": {"service": {"name": "s", "namespace": "n"}}}]}
CLAIM: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}

# kind → the least a user would write.
LEAST: dict[tuple[str, str], dict[str, Any]] = {
    ("v1", "Pod"): {
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "image": "web",
                    "ports": [{"containerPort": 80}],
                    "env": [{"name": "n", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "livenessProbe": {"httpGet": {"port": 80}},
                    "readinessProbe": {"grpc": {"port": 81}},
                    "resources": {"limits": {"cpu": "1"}},
                    "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
                }
            ],
            "initContainers": [{"name": "i", "image": "init:1"}],
            "volumes": [
                {"name": "a"},
                {"name": "b", "configMap": {"name": "x"}},
                {"name": "c", "secret": {"secretName": "x"}},
                {"name": "d", "hostPath": {"path": "/x"}},
                {"name": "e", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
                {"name": "f", "image": {"reference": "data:2"}},
            ],
        }
    },
    ("apps/v1", "Deployment"): {"spec": {"selector": {}, "template": TEMPLATE}},
    ("apps/v1", "ReplicaSet"): {"spec": {"selector": {}, "template": TEMPLATE}},
    ("apps/v1", "DaemonSet"): {"spec": {"selector": {}, "template": TEMPLATE}},
    ("apps/v1", "StatefulSet"): {
        "spec": {"selector": {}, "template": TEMPLATE, "volumeClaimTemplates": [{"spec": CLAIM}]}
    },
    ("v1", "ReplicationController"): {"spec": {"template": TEMPLATE}},
    ("batch/v1", "Job"): {"spec": {"template": TEMPLATE}},
    ("batch/v1", "CronJob"): {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}},
    ("v1", "Service"): {"spec": {"ports": [{"port": 80}, {"port": 81, "targetPort": "x"}]}},
    ("v1", "Namespace"): {},
    ("v1", "Secret"): {"stringData": {"a": "b"}},
    ("v1", "Node"): {"status": {"capacity": {"cpu": "1"}}},
    ("v1", "PersistentVolume"): {"spec": {"hostPath": {"path": "/x"}}},
    ("v1", "PersistentVolumeClaim"): {"spec": CLAIM},
    ("v1", "LimitRange"): {"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}]}},
    ("v1", "Endpoints"): {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
    ("discovery.k8s.io/v1", "EndpointSlice"): {"addressType": "IPv4", "endpoints": [], "ports": [{"port": 80}]},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"spec": {"egress": [{"ports": [{"port": 53}]}]}},
    ("networking.k8s.io/v1", "IngressClass"): {"spec": {"parameters": {"kind": "K", "name": "n"}}},
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {"spec": {"maxReplicas": 3, "behavior": {}}},
    ("autoscaling/v1", "HorizontalPodAutoscaler"): {"spec": {"maxReplicas": 3}},
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): {
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}],
    },
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"): HOOKS,
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"): HOOKS,
    ("storage.k8s.io/v1", "StorageClass"): {"provisioner": "p"},
    ("storage.k8s.io/v1", "CSIDriver"): {"spec": {}},
    ("scheduling.k8s.io/v1", "PriorityClass"): {"value": 1},
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): {"spec": {"names": {"kind": "Foo", "plural": "foos"}}},
    ("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration"): {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}
    },
    ("resource.k8s.io/v1", "ResourceClaim"): {"spec": {"devices": {"requests": [{"name": "r", "exactly": {}}]}}},
}


def info_of(api_version: str, kind: str) -> schema.ResourceInfo:
    group, _, version = api_version.rpartition("/")
    info = schema.kind(group, version, kind)
    assert info is not None
    return info


def defaulted(api_version: str, kind: str) -> dict[str, Any]:
    least = copy.deepcopy(LEAST[api_version, kind])
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **least}
    apply_defaults(info_of(api_version, kind), obj)
    return obj


def test_golden() -> None:
    """What the least object of each kind becomes; `make golden` rewrites the file."""
    found = {f"{kind}.{api_version}": defaulted(api_version, kind) for api_version, kind in LEAST}
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if os.environ.get("KYBERN_GOLDEN") == "write":
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_text(text)
    assert found == json.loads(GOLDEN.read_text())


@pytest.mark.parametrize(("api_version", "kind"), LEAST)
def test_defaulting_twice_changes_nothing_more(api_version: str, kind: str) -> None:
    once = defaulted(api_version, kind)
    again = copy.deepcopy(once)
    apply_defaults(info_of(api_version, kind), again)
    assert again == once


@pytest.mark.parametrize(("api_version", "kind"), LEAST)
def test_defaults_are_known_fields_of_the_right_type(api_version: str, kind: str) -> None:
    info = info_of(api_version, kind)
    assert schema.check(schema.definition(info.gvk) or {}, defaulted(api_version, kind)) == ([], [])


def test_every_rule_names_a_definition_and_its_fields() -> None:
    definitions = schema.load().definitions
    for name, rule in _rules().items():
        assert rule.constants.keys() <= definitions[name]["properties"].keys(), name


def test_constants_are_not_shared_between_objects() -> None:
    first, second = defaulted("storage.k8s.io/v1", "CSIDriver"), defaulted("storage.k8s.io/v1", "CSIDriver")
    first["spec"]["volumeLifecycleModes"].append("Ephemeral")
    assert second["spec"]["volumeLifecycleModes"] == ["Persistent"]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("web", "Always"),
        ("web:latest", "Always"),
        ("web:1", "IfNotPresent"),
        ("registry:5000/web", "Always"),
        ("registry:5000/web:1", "IfNotPresent"),
        ("web@sha256:0", "IfNotPresent"),
        ("", "IfNotPresent"),
    ],
)
def test_image_pull_policy(image: str, policy: str) -> None:
    assert image_pull_policy(image) == policy


def pod(**spec: Any) -> dict[str, Any]:
    obj: dict[str, Any] = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}
    apply_defaults(info_of("v1", "Pod"), obj)
    return obj


def test_requests_follow_limits_only_where_they_are_not_given() -> None:
    resources = {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1"}}
    obj = pod(containers=[{"name": "c", "image": "i", "resources": resources}])
    assert obj["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


def test_pod_level_requests_are_the_sum_of_the_containers() -> None:
    containers = [{"name": name, "image": "i", "resources": {"requests": {"cpu": "500m"}}} for name in "ab"]
    obj = pod(containers=containers, resources={"limits": {"cpu": "4", "memory": "1Gi"}})
    assert obj["spec"]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


def test_host_network_ports_are_host_ports() -> None:
    obj = pod(hostNetwork=True, containers=[{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}])
    assert obj["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]


@pytest.mark.parametrize(("given", "kept"), [(-1, 1), (0, 0), (7, 7)])
def test_a_pod_has_no_negative_grace(given: int, kept: int) -> None:
    assert pod(terminationGracePeriodSeconds=given)["spec"]["terminationGracePeriodSeconds"] == kept


def test_templates_are_not_given_what_only_pods_get() -> None:
    template = copy.deepcopy(TEMPLATE)
    apply_definition_defaults("io.k8s.api.core.v1.PodTemplateSpec", template)
    assert "enableServiceLinks" not in template["spec"]


def test_old_and_new_service_account_names_agree() -> None:
    assert pod(serviceAccount="old")["spec"]["serviceAccountName"] == "old"
    assert pod(serviceAccountName="new")["spec"]["serviceAccount"] == "new"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"type": "NodePort"}, {"externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster"}),
        ({"type": "LoadBalancer"}, {"allocateLoadBalancerNodePorts": True, "externalTrafficPolicy": "Cluster"}),
        ({"sessionAffinity": "ClientIP"}, {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}),
        ({"type": "ExternalName", "externalName": "x"}, {"internalTrafficPolicy": None}),
        ({"externalIPs": ["1.2.3.4"]}, {"externalTrafficPolicy": "Cluster"}),
    ],
)
def test_service(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    obj: dict[str, Any] = {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 1}], **given}}
    apply_defaults(info_of("v1", "Service"), obj)
    assert {key: obj["spec"].get(key) for key in wanted} == wanted


def test_job_with_index_backoff_has_no_total_backoff() -> None:
    obj: dict[str, Any] = {"metadata": {}, "spec": {"template": copy.deepcopy(TEMPLATE), "backoffLimitPerIndex": 1}}
    apply_defaults(info_of("batch/v1", "Job"), obj)
    assert obj["spec"]["backoffLimit"] == 2147483647
    assert obj["metadata"]["labels"] == {"a": "b"}


def test_creation_guards_a_namespace() -> None:
    obj: dict[str, Any] = {"metadata": {"name": "x"}}
    apply_create_defaults(info_of("v1", "Namespace"), obj)
    assert obj["spec"] == {"finalizers": ["kubernetes"]}
    assert obj["status"] == {"phase": "Active"}


@pytest.mark.parametrize(
    ("api_version", "kind", "wanted"),
    [
        ("v1", "PersistentVolumeClaim", {"phase": "Pending"}),
        ("v1", "Service", {"loadBalancer": {}}),
        ("apps/v1", "ReplicaSet", {"replicas": 0}),
        ("apps/v1", "Deployment", {}),
    ],
)
def test_creation_begins_with_the_first_status(api_version: str, kind: str, wanted: dict[str, Any]) -> None:
    obj: dict[str, Any] = {"metadata": {"name": "x"}, "status": {"observedGeneration": 7}}
    apply_create_defaults(info_of(api_version, kind), obj)
    assert obj["status"] == wanted


def test_first_statuses_are_valid() -> None:
    for (group, kind), status in INITIAL_STATUS.items():
        info = next(i for i in schema.load().resources.values() if (i.group, i.kind) == (group, kind))
        assert schema.check(schema.definition(info.gvk) or {}, {"status": status}) == ([], [])
        properties = (schema.definition(info.gvk) or {})["properties"]
        definition = schema.load().resolve(properties["status"])
        assert set(definition.get("required", ())) - {"currentMetrics"} <= status.keys(), kind


def test_creation_starts_a_deployment_at_generation_one() -> None:
    obj: dict[str, Any] = {"metadata": {"name": "x"}}
    apply_create_defaults(info_of("apps/v1", "Deployment"), obj)
    assert obj["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}, "Burstable"),
        ({"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}, "Burstable"),
        ({"requests": {"example.com/gpu": "1"}}, "BestEffort"),
        ({"limits": {"cpu": "500m", "memory": "1M"}, "requests": {"cpu": "0.5", "memory": "1e6"}}, "Guaranteed"),
        ({"limits": {"cpu": "0.0"}, "requests": {"cpu": "0m"}}, "BestEffort"),
    ],
)
def test_qos_class(resources: dict[str, Any], wanted: str) -> None:
    assert qos_class({"spec": {"containers": [{"resources": resources}]}}) == wanted


@pytest.mark.parametrize("manual", [False, True])
def test_a_job_selects_its_own_pods_unless_told_otherwise(manual: bool) -> None:
    obj: dict[str, Any] = {
        "metadata": {"name": "j", "uid": "u-1"},
        "spec": {"template": copy.deepcopy(TEMPLATE), "manualSelector": manual},
    }
    apply_create_defaults(info_of("batch/v1", "Job"), obj)
    if manual:
        assert "selector" not in obj["spec"]
        return
    assert obj["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert obj["spec"]["template"]["metadata"]["labels"] == {
        "a": "b",
        "controller-uid": "u-1",
        "batch.kubernetes.io/controller-uid": "u-1",
        "job-name": "j",
        "batch.kubernetes.io/job-name": "j",
    }


def core(kind: str) -> schema.ResourceInfo:
    found = schema.kind("", "v1", kind)
    assert found is not None
    return found


def test_what_structs_always_write() -> None:
    event = {"metadata": {"name": "e"}, "involvedObject": {}}
    apply_defaults(core("Event"), event)
    always = {"eventTime": None, "firstTimestamp": None, "lastTimestamp": None, "source": {}}
    texts = {"reportingComponent": "", "reportingInstance": ""}
    assert event == {"metadata": {"name": "e"}, "involvedObject": {}, **always, **texts}
    limits = {"spec": {"limits": []}}
    apply_defaults(core("LimitRange"), limits)
    assert limits == {"spec": {"limits": None}}, "stored, an empty list is none"


def test_empty_text_behind_a_pointer_is_a_text() -> None:
    claim = {"spec": {"volumeMode": ""}}
    apply_defaults(core("PersistentVolumeClaim"), claim)
    assert claim["spec"]["volumeMode"] == ""
