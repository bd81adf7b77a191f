"""Nodes, storage kinds, bindings of admission policies: every member odd, on create and update.

Of attachments docs/conformance.md says what differs; of claims only their making is compared. Volumes: test_volumes.py.
"""

import json
from typing import Any

import pytest
from mutations import mutations
from same import ROOT_USER, Both, Pair, differences, readable

from kybern.kube import schema

Object = dict[str, Any]
STORAGE, ADMISSION = "storage.k8s.io", "admissionregistration.k8s.io"
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]}
RULE = {
    "operations": ["CREATE"], "apiGroups": ["x"], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*",
}  # fmt: skip
MATCH = {"namespaceSelector": SELECTOR, "objectSelector": SELECTOR, "resourceRules": [RULE], "matchPolicy": "Exact"}
PARAMETERS = {"selector": SELECTOR, "namespace": "n", "parameterNotFoundAction": "Deny"}
BASES: dict[tuple[str, str, str], Object] = {
    (STORAGE, "v1", "VolumeAttributesClass"): {"driverName": "d", "parameters": {"a": "b"}},
    (STORAGE, "v1", "CSIStorageCapacity"): {
        "storageClassName": "sc", "nodeTopology": SELECTOR, "capacity": "1Gi", "maximumVolumeSize": "1Gi"},
    (STORAGE, "v1", "CSINode"): {
        "spec": {"drivers": [{"name": "d", "nodeID": "n", "topologyKeys": ["a"], "allocatable": {"count": 1}}]}},
    (STORAGE, "v1", "CSIDriver"): {"spec": {
        "attachRequired": True, "podInfoOnMount": True, "volumeLifecycleModes": ["Persistent"], "fsGroupPolicy": "File",
        "tokenRequests": [{"audience": "a", "expirationSeconds": 600}], "serviceAccountTokenInSecrets": True,
        "nodeAllocatableUpdatePeriodSeconds": 10}},
    ("", "v1", "Node"): {"spec": {
        "podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"], "providerID": "p", "unschedulable": True,
        "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]}},
    (ADMISSION, "v1", "ValidatingAdmissionPolicyBinding"): {"spec": {
        "policyName": "p", "validationActions": ["Deny"], "matchResources": MATCH, "paramRef": PARAMETERS}},
    (ADMISSION, "v1", "MutatingAdmissionPolicyBinding"): {"spec": {
        "policyName": "p", "matchResources": MATCH, "paramRef": PARAMETERS}},
}  # fmt: skip


def update(both: Both, at: str, body: Object, made: Pair) -> Pair:
    """A PUT to each of what it has itself."""
    answers = []
    for server, answer in ((both.kube, made.kube), (both.kybern, made.kybern)):
        version = answer.document["metadata"]["resourceVersion"]
        whole = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
        headers = {"Content-Type": "application/json", "User-Agent": "compare"}
        answers.append(server.ask("PUT", f"{at}?dryRun=All", json.dumps(whole).encode(), headers, ROOT_USER))
    return Pair(*answers)


@pytest.mark.parametrize("gvk", BASES, ids=lambda gvk: gvk[2])
def test_odd_members(both: Both, namespace: str, gvk: tuple[str, str, str]) -> None:
    info = schema.kind(*gvk)
    assert info is not None
    group = f"/apis/{info.group}/{info.version}" if info.group else f"/api/{info.version}"
    path = f"{group}/namespaces/{namespace}/{info.resource}" if info.namespaced else f"{group}/{info.resource}"
    base, own, wrong = BASES[gvk], f"x{namespace}", []
    made = both.same("POST", path, {**base, "metadata": {"name": own}})
    both.same("PUT", f"{path}/{own}?dryRun=All", {**base, "metadata": {"name": own}})
    for odd in mutations(gvk, base):
        pairs = {
            "create": both.ask("POST", f"{path}?dryRun=All", {**odd, "metadata": {"name": "new"}}),
            "update": update(both, f"{path}/{own}", {**odd, "metadata": {"name": own}}, made),
        }
        for verb, pair in pairs.items():
            if found := differences(readable(pair.kube), readable(pair.kybern)):
                wrong.append("\n".join([f"{verb} {json.dumps(odd)[:400]}", *found]))
    both.same("DELETE", f"{path}/{own}")
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:10])


STATUSES: list[Object] = [
    {"capacity": {"cpu": "-2"}}, {"capacity": {"a.b/c": "1.5"}}, {"allocatable": {"a.b/c": "1.5"}},
    {"declaredFeatures": ["A", "B"]}, {"declaredFeatures": ["B", "A"]}, {"declaredFeatures": ["A", "A"]},
    {"declaredFeatures": ["a"]}, {"declaredFeatures": ["Aa/bB/C"]}, {"declaredFeatures": ["Aa/"]},
    {"declaredFeatures": ["A" * 300]}, {"config": {"assigned": {}}}, {"addresses": [{}]},
    {"addresses": [{"type": "a", "address": "b"}, {"type": "a", "address": "b"}]},
]  # fmt: skip


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: json.dumps(status)[:50])
def test_status_of_nodes(both: Both, namespace: str, status: Object) -> None:
    at = f"/api/v1/nodes/s{namespace}"
    both.same("POST", "/api/v1/nodes", {"metadata": {"name": f"s{namespace}"}})
    both.same("PATCH", f"{at}/status", {"status": status})
    both.same("DELETE", at)


SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}
CLAIM = {"kind": "PersistentVolumeClaim", "name": "s"}
OTHER = {"apiGroup": "x.y", "kind": "Z", "name": "s"}
CLAIMS: list[Object] = [
    {"dataSource": SNAPSHOT}, {"dataSource": CLAIM}, {"dataSource": OTHER}, {"dataSource": {}},
    {"dataSource": {**SNAPSHOT, "apiGroup": ""}}, {"dataSourceRef": SNAPSHOT}, {"dataSourceRef": OTHER},
    {"dataSourceRef": {}}, {"dataSourceRef": {**CLAIM, "namespace": "n"}},
    {"dataSourceRef": {**OTHER, "apiGroup": "!"}},
    {"dataSource": SNAPSHOT, "dataSourceRef": CLAIM}, {"dataSource": CLAIM, "dataSourceRef": CLAIM},
    {"resources": {"requests": {"storage": "1.5"}}}, {"resources": {"requests": {}}}, {"volumeMode": ""},
    {"resources": {"requests": {"storage": "1"}, "limits": {"storage": "1.5"}}},
]  # fmt: skip


@pytest.mark.parametrize("spec", CLAIMS, ids=lambda spec: json.dumps(spec)[:60])
def test_claims(both: Both, namespace: str, spec: Object) -> None:
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    at = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    both.same("POST", at, {"metadata": {"name": "c"}, "spec": whole})
