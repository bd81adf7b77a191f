"""What is told of an object with many things wrong, and in which order: rows that a kube-apiserver answered."""

from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.defaults import apply_defaults
from kybern.kube.field import invalid
from kybern.kube.validation import validate_create, validate_update

Object = dict[str, Any]
CONTAINER = {"name": "c", "image": "i"}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}
CLAIM_TEMPLATE = {"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOncePod", ""]}}
TERM = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}
SOURCES = {
    "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}},
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 5}},
}


def made(group: str, kind: str, obj: Object, version: str = "v1") -> tuple[Any, Object]:
    info = schema.kind(group, version, kind)
    assert info is not None
    found: Object = {"metadata": {"name": "x", "namespace": "n", "uid": "u"}, **obj}
    apply_defaults(info, found)
    return info, found


def fields(errors: list[Any]) -> list[str]:
    return [error.field for error in errors]


@pytest.mark.parametrize(
    ("group", "kind", "version", "obj", "expected"),
    [
        ("apps", "StatefulSet", "v1", {"spec": {
            "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE, "volumeClaimTemplates": [CLAIM_TEMPLATE],
            "podManagementPolicy": "X", "replicas": -1, "serviceName": "A!", "minReadySeconds": -1,
        }}, ["spec.podManagementPolicy", "spec.volumeClaimTemplates[0].spec.accessModes",
             "spec.volumeClaimTemplates[0].spec.resources[storage]", "spec.replicas", "spec.serviceName",
             "spec.minReadySeconds"]),
        ("storage.k8s.io", "CSIDriver", "v1", {"spec": {
            "fsGroupPolicy": "X", "volumeLifecycleModes": ["Y"], "nodeAllocatableUpdatePeriodSeconds": 1,
            "tokenRequests": [{"audience": "a"}, {"audience": "a"}],
        }}, ["spec.fsGroupPolicy", "spec.tokenRequests[1].audience", "spec.volumeLifecycleModes",
             "spec.nodeAllocatableUpdatePeriodSeconds"]),
        ("storage.k8s.io", "StorageClass", "v1", {"provisioner": "a", "allowedTopologies": [{}, {}]},
         [f"allowedTopologies[{index}].matchLabelExpressions" for index in (0, 0, 1, 1, 1)]),
        ("", "LimitRange", "v1", {"spec": {"limits": [{"type": "Pod", "max": {"/a": "1", "requests.x/y": "1"}}]}},
         ["spec.limits[0].max[/a]", "spec.limits[0].max[/a]", "spec.limits[0].max[requests.x/y]"]),
        ("", "Endpoints", "v1", {"subsets": [{"addresses": [{"ip": "010.0.0.1"}]}]}, ["subsets[0].addresses[0].ip"]),
        ("", "PodTemplate", "v1", {"template": {"spec": {"containers": [{"name": "c", "image": " i"}]}}}, []),
        ("", "Pod", "v1", {"spec": {"containers": [{"name": "c", "image": " i"}]}}, ["spec.containers[0].image"]),
        ("", "Pod", "v1", {"spec": {"containers": [{"name": "c", "image": "\x1ci"}]}}, []),
        ("", "Pod", "v1", {"spec": {
            "containers": [CONTAINER], "restartPolicy": "X", "resources": {"claims": [{"name": "r"}]}}},
         ["spec.resources.claims", "spec.resources.claims[0]", "spec.restartPolicy"]),
        ("autoscaling", "HorizontalPodAutoscaler", "v2", {"spec": {
            "maxReplicas": 1, "scaleTargetRef": {"kind": "D", "name": "n", "apiVersion": "a/v1"},
            "metrics": [{"type": "Object", "pods": SOURCES["pods"]}, {"type": "X", **SOURCES}],
        }}, ["spec.metrics[0].object", "spec.metrics[1].type", "spec.metrics[1].type", "spec.metrics[1].pods",
             "spec.metrics[1].resource"]),
        ("networking.k8s.io", "IngressClass", "v1", {"spec": {
            "controller": "a/b", "parameters": {"kind": "k", "name": "n", "scope": "", "namespace": "n"}}},
         ["spec.parameters.scope"]),
        ("", "Service", "v1", {"spec": {
            "type": "X", "ports": [{"port": 1}], "clusterIP": "10.0.0.1", "allocateLoadBalancerNodePorts": False,
            "loadBalancerClass": "a/b", "externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster"}},
         ["spec.type", "spec.allocateLoadBalancerNodePorts", "spec.loadBalancerClass", "spec.externalTrafficPolicy"]),
    ],
    ids=["claims of a StatefulSet", "CSIDriver", "topologies", "names of resources", "leading zeros",
         "spaces in a template", "spaces in a pod", "what is no space in Go", "resources of a pod", "metrics",
         "an empty scope", "a Service of no type"],
)  # fmt: skip
def test_create(group: str, kind: str, version: str, obj: Object, expected: list[str]) -> None:
    info, found = made(group, kind, obj, version)
    if not info.namespaced:
        found["metadata"].pop("namespace")
    assert fields(validate_create(info, found)) == expected


def test_terms_of_nodes_are_shown_as_gos_structs() -> None:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [TERM]}}
    other = {"nodeSelectorTerms": [{"matchFields": [{**TERM["matchFields"][0], "values": ["m"]}]}]}
    spec: Object = {
        "containers": [CONTAINER],
        "affinity": {"nodeAffinity": required},
        "schedulingGates": [{"name": "g"}],
    }
    info, old = made("", "Pod", {"spec": spec})
    changed = {**spec, "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": other}}}
    _, new = made("", "Pod", {"spec": changed})
    errors = [str(error) for error in validate_update(info, new, old)]
    assert any('{"MatchExpressions":null,"MatchFields":[{"Key":"metadata.name"' in error for error in errors), errors


def test_a_claim_that_asks_for_nothing() -> None:
    """A group of no name is not the same as none; requests that are dropped are shown so."""
    source = {"kind": "PersistentVolumeClaim", "name": "s"}
    spec: Object = {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "v",
        "dataSource": source, "dataSourceRef": source,
    }  # fmt: skip
    info, old = made("", "PersistentVolumeClaim", {"spec": spec, "status": {"phase": "Bound"}})
    _, new = made("", "PersistentVolumeClaim", {"spec": {**spec, "dataSourceRef": {**source, "apiGroup": ""}}})
    assert "spec: Invalid value: {}: must match dataSourceRef" in [str(e) for e in validate_update(info, new, old)]
    _, new = made("", "PersistentVolumeClaim", {"spec": {**spec, "resources": {}}})
    assert any('+  "Requests": null' in str(error) for error in validate_update(info, new, old))


def test_values_of_objects_are_written_as_gos_json() -> None:
    assert str(invalid("a", {"x": "<b>&"}, "d")) == 'a: Invalid value: {"x":"\\u003cb\\u003e\\u0026"}: d'
    assert str(invalid("a", "<b>&", "d")) == 'a: Invalid value: "<b>&": d'


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("100u", "1m"), ("5n", "1m"), ("1500u", "2m"), ("1m", "1m"), ("1", "1"), ("100e-6", "1e-3"), ("1Gi", "1Gi")],
)
def test_amounts_are_thousandths(amount: str, expected: str) -> None:
    _, quota = made("", "ResourceQuota", {"spec": {"hard": {"cpu": amount}}})
    assert quota["spec"]["hard"]["cpu"] == expected


def test_a_zero_where_there_was_none_is_a_change() -> None:
    """Of what is a pointer in Go."""
    items = [{"path": "p", "fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}]
    volume = {"name": "v", "downwardAPI": {"items": items, "defaultMode": 420}}
    info, old = made("", "Pod", {"spec": {"containers": [CONTAINER], "volumes": [volume]}})
    changed = {"name": "v", "downwardAPI": {"items": [{**items[0], "mode": 0}], "defaultMode": 420}}
    _, new = made("", "Pod", {"spec": {"containers": [CONTAINER], "volumes": [changed]}})
    assert fields(validate_update(info, old, old)) == []
    assert fields(validate_update(info, new, old)) == ["spec"]


def test_both_sources_of_an_attachment() -> None:
    source = {"inlineVolumeSpec": {}, "persistentVolumeName": "A!"}
    info, obj = made(
        "storage.k8s.io", "VolumeAttachment", {"spec": {"attacher": "a", "nodeName": "n", "source": source}}
    )
    obj["metadata"].pop("namespace")
    assert fields(validate_create(info, obj)) == ["spec.source", "spec.source.persistentVolumeName"]
