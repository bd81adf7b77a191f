"""Kinds that say who may do what, how much and how fast: every field of a good object made bad, on create and update.

What a struct of Go cannot tell from nothing (zero values that stay or go) is compared by the tests of other kinds.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from same import Both, Pair, differences, readable

from kybern.kube.schema import load

Object = dict[str, Any]
GONE: Any = object()
LONG = "a" * 300
WORDS = ("", "x y!", "UPPER", "a/b", LONG)
NUMBERS = (-1, 0, 2**31 - 1)
RBAC, ADMISSION, FLOW = "rbac.authorization.k8s.io", "admissionregistration.k8s.io", "flowcontrol.apiserver.k8s.io"
CONDITION = {"type": "T", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]}
POLICY = {
    "periodSeconds": 10, "type": "Pods", "value": 1,
}  # fmt: skip
SCALING = {"stabilizationWindowSeconds": 10, "selectPolicy": "Max", "policies": [POLICY], "tolerance": "0.1"}
METRIC, AVERAGE, VALUE = {"name": "m"}, {"type": "AverageValue", "averageValue": "1"}, {"type": "Value", "value": "1"}
THING = {"kind": "K", "name": "n", "apiVersion": "v1"}
METRICS = [
    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
    {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": AVERAGE}},
    {"type": "Pods", "pods": {"metric": METRIC, "target": AVERAGE}},
    {"type": "Object", "object": {"describedObject": THING, "metric": METRIC, "target": VALUE}},
    {"type": "External", "external": {"metric": METRIC, "target": VALUE}},
]
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
RULE = {"operations": ["CREATE"], "apiGroups": ["x"], "apiVersions": ["v1"], "resources": ["pods"], "scope": "*"}
HOOK = {
    "name": "a.b.c",
    "clientConfig": {"service": {"name": "s", "namespace": "n", "path": "/x", "port": 443}, "caBundle": "YWJj"},
    "rules": [RULE], "failurePolicy": "Fail", "matchPolicy": "Exact", "objectSelector": SELECTOR,
    "sideEffects": "None", "timeoutSeconds": 5, "admissionReviewVersions": ["v1"],
}  # fmt: skip
MATCHES = {"namespaceSelector": SELECTOR, "resourceRules": [{**RULE, "resourceNames": ["a"]}], "matchPolicy": "Exact"}
SUBJECTS = [
    {"kind": "User", "user": {"name": "u"}}, {"kind": "Group", "group": {"name": "u"}},
    {"kind": "ServiceAccount", "serviceAccount": {"name": "u", "namespace": "n"}},
]  # fmt: skip
FLOW_RULE = {
    "subjects": SUBJECTS,
    "resourceRules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["n"]}],
    "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}],
}
QUEUING = {"type": "Queue", "queuing": {"queues": 10, "handSize": 2, "queueLengthLimit": 4}}
LIMITED = {"nominalConcurrencyShares": 1, "lendablePercent": 10, "borrowingLimitPercent": 10, "limitResponse": QUEUING}
ROLE_REF = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}
BOUND = [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]
POD_RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}
POD = {"kind": "Pod", "namespace": "default", "name": "p"}
MOMENT = "2026-01-01T00:00:00.000000Z"
# (API version, plural, kind, namespaced, body, status)
KINDS: dict[str, tuple[str, str, str, bool, Object, Object | None]] = {
    "cluster role": (f"{RBAC}/v1", "clusterroles", "ClusterRole", False, {
        "rules": [POD_RULE, {"verbs": ["get"], "nonResourceURLs": ["/x"]}],
        "aggregationRule": {"clusterRoleSelectors": [SELECTOR]}}, None),
    "role": (f"{RBAC}/v1", "roles", "Role", True, {"rules": [POD_RULE]}, None),
    "cluster role binding": (f"{RBAC}/v1", "clusterrolebindings", "ClusterRoleBinding", False,
                             {"roleRef": ROLE_REF, "subjects": BOUND}, None),
    "role binding": (f"{RBAC}/v1", "rolebindings", "RoleBinding", True, {"roleRef": ROLE_REF, "subjects": BOUND}, None),
    "budget": ("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", True,
               {"spec": {"minAvailable": 1, "selector": SELECTOR, "unhealthyPodEvictionPolicy": "AlwaysAllow"}},
               {"disruptionsAllowed": 1, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1,
                "conditions": [CONDITION]}),
    "autoscaler": ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True,
                   {"spec": {"scaleTargetRef": TARGET, "minReplicas": 1, "maxReplicas": 3, "metrics": METRICS,
                             "behavior": {"scaleUp": SCALING}}}, {"currentReplicas": 1, "desiredReplicas": 1}),
    "old autoscaler": ("autoscaling/v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True,
                       {"spec": {"scaleTargetRef": TARGET, "minReplicas": 1, "maxReplicas": 3,
                                 "targetCPUUtilizationPercentage": 50}}, {"currentReplicas": 1, "desiredReplicas": 1}),
    "flow schema": (f"{FLOW}/v1", "flowschemas", "FlowSchema", False,
                    {"spec": {"priorityLevelConfiguration": {"name": "p"}, "matchingPrecedence": 10,
                              "distinguisherMethod": {"type": "ByUser"}, "rules": [FLOW_RULE]}}, None),
    "priority level": (f"{FLOW}/v1", "prioritylevelconfigurations", "PriorityLevelConfiguration", False,
                       {"spec": {"type": "Limited", "limited": LIMITED}}, None),
    "webhooks": (f"{ADMISSION}/v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False,
                 {"webhooks": [HOOK]}, None),
    "policy binding": (f"{ADMISSION}/v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding",
                       False, {"spec": {"policyName": "p", "validationActions": ["Deny", "Audit"],
                                        "matchResources": MATCHES,
                                 "paramRef": {"name": "a", "parameterNotFoundAction": "Deny"}}}, None),
    "lease": ("coordination.k8s.io/v1", "leases", "Lease", True,
              {"spec": {"holderIdentity": "h", "leaseDurationSeconds": 10, "leaseTransitions": 1}}, None),
    "runtime class": ("node.k8s.io/v1", "runtimeclasses", "RuntimeClass", False,
                      {"handler": "h", "overhead": {"podFixed": {"cpu": "1"}},
                       "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "l", "operator": "Exists"}]}},
                      None),
    "priority class": ("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", False,
                       {"value": 10, "preemptionPolicy": "Never"}, None),
    "event": ("events.k8s.io/v1", "events", "Event", True,
              {"regarding": POD, "related": POD, "reason": "R", "note": "m", "type": "Normal", "eventTime": MOMENT,
               "reportingController": "a.b/c", "reportingInstance": "i", "action": "A",
               "series": {"count": 2, "lastObservedTime": MOMENT}}, None),
}  # fmt: skip


def values(prop: Object) -> list[Any]:
    """What is tried for a member."""
    if "enum" in prop:
        return ["", "bogus", prop["enum"][0]]
    target = load().definitions.get(prop.get("$ref", ""), {})
    match target.get("type", prop.get("type")):
        case "string" if target.get("format", prop.get("format")) is None:
            return list(WORDS)
        case "integer":
            return list(NUMBERS)
        case "boolean":
            return [True, False]
        case "array":
            return [[], [None]]
        case "object":
            return [{}]
    return []


def changes(value: Any, prop: Object, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, new value) for everything at and below a value: gone, null, and what its type may hold."""
    prop = load().definitions.get(prop.get("$ref", ""), prop)
    if isinstance(value, dict) and "properties" in prop:
        for name in value.keys() & prop["properties"].keys() - {"metadata", "kind", "apiVersion"}:
            yield (*path, name), GONE
            yield from (((*path, name), one) for one in [None, *values(prop["properties"][name])])
            yield from changes(value[name], prop["properties"][name], (*path, name))
    elif isinstance(value, list) and value:
        yield (*path, len(value)), copy.deepcopy(value[-1])
        for index, item in enumerate(value):
            yield from changes(item, prop.get("items", {}), (*path, index))


def changed(obj: Object, path: tuple[Any, ...], value: Any) -> Object:
    made = copy.deepcopy(obj)
    at: Any = made
    for step in path[:-1]:
        at = at[step]
    if value is GONE:
        at.pop(path[-1], None)
    elif isinstance(at, list) and path[-1] == len(at):
        at.append(value)
    else:
        at[path[-1]] = value
    return made


def told(pair: Pair) -> list[str]:
    """How errors differ, and whether there is one; what is kept is compared by other tests."""
    if pair.kube.status < 400 and pair.kybern.status < 400:
        return []
    return differences(readable(pair.kube), readable(pair.kybern))


@pytest.mark.parametrize("kind", KINDS)
def test_fields(both: Both, namespace: str, kind: str) -> None:
    api_version, plural, name, namespaced, body, status = KINDS[kind]
    group, _, version = api_version.rpartition("/")
    body = json.loads(json.dumps(body).replace('"default"', f'"{namespace}"'))
    where = f"/apis/{api_version}/" + (f"namespaces/{namespace}/{plural}" if namespaced else plural)
    obj = {"apiVersion": api_version, "kind": name, "metadata": {"name": f"x{namespace}"}, **body}
    schema = {"$ref": load().names[(group, version, name)]}
    found = []
    both.same("POST", f"{where}?dryRun=All", obj)
    both.ask("POST", where, obj)
    own = f"{where}/x{namespace}"
    for path, value in changes(obj, schema):
        if path[-1] == "policies" and value == []:
            continue  # decoding takes an empty list for none, and so it is filled in
        bad, what = changed(obj, path, value), f"{path} = {value!r:.60}"
        new = both.ask("POST", f"{where}?dryRun=All", {**bad, "metadata": {"name": "y"}})
        found += [f"create {what}: {line}" for line in told(new)]
        found += [f"update {what}: {line}" for line in told(both.ask("PATCH", f"{own}?dryRun=All", bad))]
    for path, value in changes({"status": status or {}}, schema):
        bad = {"status": changed({"status": status}, path, value).get("status")}
        pair = both.ask("PATCH", f"{own}/status?dryRun=All", bad)
        found += [f"status {path} = {value!r:.60}: {line}" for line in told(pair)] if status else []
    both.ask("DELETE", f"{where}/x{namespace}")
    assert not found, "\n".join(found[:60])


@pytest.mark.parametrize("name", ["exempt", "catch-all"])
@pytest.mark.parametrize("plural", ["flowschemas", "prioritylevelconfigurations"])
def test_what_is_fixed(both: Both, plural: str, name: str) -> None:
    at = f"/apis/{FLOW}/v1/{plural}/{name}"
    found = []
    for patch in (
        {"spec": {"matchingPrecedence": 5, "type": "Limited"}},
        {"spec": {"matchingPrecedence": 7, "limited": None}},
    ):
        found += told(both.ask("PATCH", f"{at}?dryRun=All", patch))
    assert not found, "\n".join(found)
