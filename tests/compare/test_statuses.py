"""The status subresource: every member of a kind's status odd; Namespaces' finalizers; what tables show of statuses."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from mutations import Path, odd_values
from same import Both, Pair, differences, readable

from kybern.kube import schema

Object = dict[str, Any]
T = "2024-01-01T00:00:00Z"
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
CONDITION = {"type": "A", "status": "True", "reason": "R", "message": "m", "lastTransitionTime": T}
RUN = {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": RUN}
STATEFUL = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
STATUS_OF_CONTAINER = {
    "name": "c", "image": "i", "imageID": "x", "ready": True, "started": True, "restartCount": 1,
    "containerID": "a://b",
    "state": {"running": {"startedAt": T}}, "resources": {"requests": {"cpu": "1"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "R", "finishedAt": T, "startedAt": T}},
    "user": {"linux": {"uid": 0, "gid": 0, "supplementalGroups": [1]}},
    "allocatedResourcesStatus": [{"name": "cpu", "resources": [{"resourceID": "a", "health": "Healthy"}]}],
}  # fmt: skip
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
BACKEND = {"defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}}
POINT = {"ip": "1.2.3.4", "hostname": "h.x", "ports": [{"port": 80, "protocol": "TCP", "error": "a/b"}]}
CURRENT = {"name": "cpu", "current": {"averageUtilization": 1, "averageValue": "1"}}
# spec and status of each
KINDS: dict[tuple[str, str, str], tuple[Object, Object]] = {
    ("", "v1", "Pod"): (
        {**RUN, "resourceClaims": [{"name": "a", "resourceClaimName": "b"}]},
        {"phase": "Running", "conditions": [{**CONDITION, "lastProbeTime": T, "observedGeneration": 1}], "reason": "R",
         "message": "m", "nominatedNodeName": "n",
         "hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}],
         "podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.2"}, {"ip": "fd00::1"}], "startTime": T,
         "qosClass": "Burstable",
         "containerStatuses": [STATUS_OF_CONTAINER], "resourceClaimStatuses": [{"name": "a", "resourceClaimName": "b"}],
         "extendedResourceClaimStatus": {"resourceClaimName": "a", "requestMappings": [
             {"containerName": "c", "resourceName": "cpu", "requestName": "r"}]}, "observedGeneration": 1}),
    ("", "v1", "PersistentVolumeClaim"): (CLAIM, {
        "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
        "conditions": [{**CONDITION, "lastProbeTime": T}], "allocatedResources": {"storage": "1Gi"},
        "allocatedResourceStatuses": {"storage": "NodeResizePending"}, "currentVolumeAttributesClassName": "a",
        "modifyVolumeStatus": {"targetVolumeAttributesClassName": "a", "status": "Pending"}}),
    ("", "v1", "PersistentVolume"): (VOLUME, {"phase": "Bound", "message": "m", "reason": "r"}),
    ("", "v1", "Namespace"): ({}, {"phase": "Active", "conditions": [CONDITION]}),
    ("", "v1", "Service"): (
        {"type": "LoadBalancer", "ports": [{"port": 80}]},
        {"loadBalancer": {"ingress": [{**POINT, "ipMode": "VIP"}]},
         "conditions": [{**CONDITION, "observedGeneration": 1}]}),
    ("networking.k8s.io", "v1", "Ingress"): (BACKEND, {"loadBalancer": {"ingress": [POINT]}}),
    ("", "v1", "Node"): ({}, {
        "capacity": {"cpu": "1"}, "allocatable": {"cpu": "1"}, "phase": "Running", "images": [{"names": ["a"]}],
        "conditions": [{**CONDITION, "lastHeartbeatTime": T}],
        "addresses": [{"type": "InternalIP", "address": "1.2.3.4"}],
        "volumesInUse": ["a"], "volumesAttached": [{"name": "a", "devicePath": "b"}],
        "runtimeHandlers": [{"name": "a", "features": {"recursiveReadOnlyMounts": True}}]}),
    ("", "v1", "ReplicationController"): (
        {"template": TEMPLATE},
        {"replicas": 3, "fullyLabeledReplicas": 2, "readyReplicas": 2, "availableReplicas": 1,
         "conditions": [CONDITION]}),
    ("apps", "v1", "DaemonSet"): (STATEFUL, {
        "currentNumberScheduled": 3, "numberMisscheduled": 1, "desiredNumberScheduled": 2, "numberReady": 1,
        "updatedNumberScheduled": 1, "numberAvailable": 1, "numberUnavailable": 1, "conditions": [CONDITION]}),
    ("batch", "v1", "CronJob"): (
        {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {**RUN, "restartPolicy": "Never"}}}}},
        {"active": [{"kind": "Job", "name": "a", "namespace": "n", "uid": "u"}], "lastScheduleTime": T}),
    ("batch", "v1", "Job"): (
        {"suspend": True, "template": {"spec": {**RUN, "restartPolicy": "Never"}}},
        {"active": 1, "ready": 1, "startTime": T, "conditions": [{**CONDITION, "lastProbeTime": T}],
         "uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["b"]}}),
    ("autoscaling", "v2", "HorizontalPodAutoscaler"): (
        {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "D", "name": "d"}, "maxReplicas": 3},
        {"currentReplicas": 1, "desiredReplicas": 1, "lastScaleTime": T, "conditions": [CONDITION],
         "currentMetrics": [{"type": "Resource", "resource": CURRENT}]}),
}  # fmt: skip


def members(of: Object, value: Any, path: Path) -> Iterator[tuple[Path, Object]]:
    """Every member of a status, with its schema."""
    for name, member in (schema.load().resolve(of).get("properties") or {}).items():
        inner, found, at = schema.load().resolve(member), (value or {}).get(name), (*path, name)
        yield at, member
        if inner.get("type") == "array" and found:
            yield (*at, 0), inner["items"]
            yield from members(inner["items"], found[0], (*at, 0))
        elif "properties" in inner and found is not None:
            yield from members(inner, found, at)
        elif inner.get("additionalProperties") and found:
            yield (*at, next(iter(found))), inner["additionalProperties"]


def changed(status: Object, path: Path, value: Any) -> Object:
    made: Any = json.loads(json.dumps(status))
    at = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return dict(made)


def make(both: Both, namespace: str, gvk: tuple[str, str, str]) -> tuple[str, Object]:
    """A new object of a kind; its path, and what was sent."""
    info = schema.kind(*gvk)
    assert info is not None
    group = f"/apis/{info.api_version}" if info.group else "/api/v1"
    path = f"{group}/namespaces/{namespace}/{info.resource}" if info.namespaced else f"{group}/{info.resource}"
    obj = {"metadata": {"name": f"x{namespace}"}, "spec": KINDS[gvk][0]}
    both.same("POST", path, obj)
    return f"{path}/x{namespace}", obj


@pytest.mark.timeout(300)
@pytest.mark.parametrize("gvk", KINDS, ids=lambda gvk: gvk[2])
def test_every_member(both: Both, namespace: str, gvk: tuple[str, str, str]) -> None:
    path, obj = make(both, namespace, gvk)
    status, wrong = KINDS[gvk][1], []
    definition = schema.definition(gvk)
    assert definition is not None
    assert both.same("PUT", f"{path}/status", {**obj, "status": status}).kube.status == 200
    for at, member in members(definition["properties"]["status"], status, ()):
        for value in odd_values(member):
            pair = both.ask("PUT", f"{path}/status?dryRun=All", {**obj, "status": changed(status, at, value)})
            if found := differences(readable(pair.kube), readable(pair.kybern)):
                wrong.append("\n".join([f"{at} = {json.dumps(value)[:100]}", *found]))
    both.ask("DELETE", f"{path}?gracePeriodSeconds=0")
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:10])


def cells(pair: Pair) -> tuple[Any, Any]:
    """The rows, of which ages and what servers make up is taken away."""
    found = ([row["cells"] for row in answer.document["rows"]] for answer in (pair.kube, pair.kybern))
    kube, kybern = (json.loads(re.sub(r'"\d+[smhdy][0-9smhd]*"', '"AGE"', json.dumps(rows))) for rows in found)
    return kube, kybern


UIDS = ("Service", "Job")  # whose rows show an address or a uid of the server's


@pytest.mark.parametrize("gvk", [gvk for gvk in KINDS if gvk[2] not in UIDS], ids=lambda gvk: gvk[2])
def test_tables(both: Both, namespace: str, gvk: tuple[str, str, str]) -> None:
    path, obj = make(both, namespace, gvk)
    both.same("PUT", f"{path}/status", {**obj, "status": KINDS[gvk][1]})
    collection, _, name = path.rpartition("/")
    for asked in (path, f"{path}?includeObject=None", f"{path}?includeObject=Object", f"{path}?includeObject=X",
                  f"{collection}?fieldSelector=metadata.name={name}"):  # fmt: skip
        pair = both.ask("GET", asked, headers=TABLE)
        assert pair.kube.status == pair.kybern.status
        if pair.kube.status == 200:
            kube, kybern = cells(pair)
            assert kube == kybern
            objects = [[row.get("object") for row in answer.document["rows"]] for answer in (pair.kube, pair.kybern)]
            assert [bool(one) for one in objects[0]] == [bool(one) for one in objects[1]]


MEASURES = [None, {}, {"averageUtilization": 7}, {"averageValue": "100m"}, {"value": "5"}]
TARGETS = [{"type": "Utilization", "averageUtilization": 50}, {"type": "AverageValue", "averageValue": "250m"},
           {"type": "Value", "value": "3"}]  # fmt: skip
OBJECT = {"metric": {"name": "m"}, "describedObject": {"kind": "K", "name": "n"}}
SOURCES: dict[str, Object] = {
    "Resource": {"name": "cpu"}, "ContainerResource": {"name": "cpu", "container": "c"},
    "Pods": {"metric": {"name": "m"}}, "Object": OBJECT, "External": {"metric": {"name": "m"}},
}  # fmt: skip


@pytest.mark.parametrize("source", SOURCES)
def test_metrics_in_tables(both: Both, namespace: str, source: str) -> None:
    path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
    member = source[0].lower() + source[1:]
    for index, target in enumerate(TARGETS):
        metric = {"type": source, member: {**SOURCES[source], "target": target}}
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "D", "name": "d"},
            "maxReplicas": 3,
            "metrics": [metric],
        }
        made = both.same("POST", path, {"metadata": {"name": f"h{index}"}, "spec": spec})
        for current in MEASURES if made.kube.status == 201 else ():  # not every source takes every target
            measured = {"type": source, member: {**SOURCES[source], "current": current}}
            metrics = {} if current is None else {"currentMetrics": [measured]}
            status = {"currentReplicas": 1, "desiredReplicas": 1, **metrics}
            both.same("PATCH", f"{path}/h{index}/status", {"status": status})
            kube, kybern = cells(both.ask("GET", f"{path}/h{index}", headers=TABLE))
            assert kube == kybern, (target, current)


def test_phases_and_finalizers_of_a_namespace(both: Both, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    for deleted in (False, True):
        for phase in ("", "Active", "Terminating", "x"):
            both.same("PUT", f"{path}/status?dryRun=All", {"metadata": {"name": namespace}, "status": {"phase": phase}})
        for finalizers in ([], ["kubernetes"], ["x", "a.b/c", "!"]):
            body = {"metadata": {"name": namespace}, "spec": {"finalizers": finalizers}}
            both.same("PUT", f"{path}/finalize?dryRun=All", body)
        if not deleted:
            both.same("DELETE", path)


def test_what_is_no_load_balancer_any_more(both: Both, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services"
    both.same("POST", path, {"metadata": {"name": "a"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
    both.same("PATCH", f"{path}/a/status", {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}})
    both.same("PATCH", f"{path}/a", {"spec": {"type": "ClusterIP"}})
    both.same("PATCH", f"{path}/a/status", {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}})
    both.same("DELETE", f"{path}/a")


IMMUTABLE: list[Object] = [
    {"deletionTimestamp": T}, {"deletionGracePeriodSeconds": 0}, {"deletionGracePeriodSeconds": 5},
    {"selfLink": "x"}, {"creationTimestamp": T},
]  # fmt: skip


@pytest.mark.parametrize("metadata", IMMUTABLE, ids=json.dumps)
def test_metadata_of_an_update(both: Both, namespace: str, metadata: Object) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    both.same("POST", path, {"metadata": {"name": "a", **metadata}})
    both.same("POST", path, {"metadata": {"name": "b"}})
    both.same("PUT", f"{path}/b", {"metadata": {"name": "b", **metadata}})
    both.same("PATCH", f"{path}/b", {"metadata": metadata})
    both.same("PATCH", f"{path}/b", {"metadata": {"finalizers": ["a.b/c"]}})
    both.same("DELETE", f"{path}/b")
    both.same("PUT", f"{path}/b", {"metadata": {"name": "b", "finalizers": ["a.b/c"], **metadata}})
    both.same("POST", path, {"metadata": {"name": "b"}})
