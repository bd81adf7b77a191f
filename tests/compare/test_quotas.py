"""Quotas and limits over what may be asked for: containers of all sorts, resizes, claims, Services, scopes, counts."""

import copy
import random
from typing import Any

import pytest
from bad_values import Asked
from same import Both, differences, readable

Object = dict[str, Any]
MERGE = {"Content-Type": "application/strategic-merge-patch+json"}
FULL = {"cpu": "1", "memory": "256Mi"}


def needs(requests: Object | None, limits: Object | None) -> Object:
    """A container's resources."""
    return {"resources": {"requests": requests or {}, "limits": limits or {}}}


def pod(container: Object | None = None, **spec: Any) -> Object:
    """A pod of one container, with this more."""
    return {"spec": {"containers": [{"name": "c", "image": "i", **(container or {})}], **spec}}


def other(name: str, requests: Object, **more: Any) -> Object:
    """One more container."""
    return {"name": name, "image": "i", **needs(requests, requests), **more}


class Limited:
    """A namespace with a quota whose status is known."""

    def __init__(self, both: Both, ask: Asked, at: str, name: str, hard: Object, spec: Object) -> None:
        self.both, self.ask, self.quota = both, ask, f"{at}/resourcequotas/{name}"
        both.same("POST", f"{at}/resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
        both.same("PATCH", f"{self.quota}/status", {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}})

    def check(self, what: str) -> None:
        """Both have counted the same; the program is called otherwise there."""
        pair = self.both.ask("GET", self.quota)
        kube, kybern = readable(pair.kube), readable(pair.kybern)
        for entry in kube["body"]["metadata"]["managedFields"]:
            entry["manager"] = entry["manager"].removesuffix("-1.36")
        self.ask.found += [f"{what}: {line}" for line in differences(kube, kybern)]


@pytest.fixture
def ask(both: Both) -> Asked:
    return Asked(both)


HARD = {
    "pods": "10",
    "requests.cpu": "4",
    "limits.cpu": "6",
    "cpu": "5",
    "memory": "2Gi",
    "requests.memory": "2Gi",
    "limits.memory": "3Gi",
    "requests.ephemeral-storage": "5Gi",
    "limits.ephemeral-storage": "6Gi",
    "requests.nvidia.com/gpu": "2",
    "hugepages-2Mi": "8Mi",
    "count/pods": "12",
}
SIZES: list[Object] = [
    pod(),
    pod(needs(FULL, FULL)),
    pod(needs({"cpu": "1"}, {"cpu": "1"})),
    pod(needs(FULL, {**FULL, "nvidia.com/gpu": "1"})),
    pod(needs({**FULL, "hugepages-2Mi": "4Mi"}, {**FULL, "hugepages-2Mi": "4Mi"})),
    pod(needs(FULL, FULL), initContainers=[other("i", {"cpu": "3", "memory": "1Gi"})]),
    pod(needs(FULL, FULL), initContainers=[other("i", FULL, restartPolicy="Always"), other("j", FULL)]),
    pod(needs(FULL, FULL), initContainers=[{"name": "i", "image": "i"}]),
    pod(resources={"requests": FULL, "limits": FULL}),
    pod(needs({"memory": "1Gi"}, {"memory": "1Gi"}), resources={"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}),
    pod(needs({**FULL, "ephemeral-storage": "1Gi"}, {**FULL, "ephemeral-storage": "2Gi"})),
    pod(needs({"cpu": "4001m", "memory": "3Gi"}, {"cpu": "7", "memory": "4Gi"})),
    pod(needs({"cpu": "0", "memory": "0"}, {"cpu": "0", "memory": "0"})),
    pod(needs({"cpu": "0.5", "memory": "1e6"}, {"cpu": "5e-1", "memory": "1M"})),
    pod(needs({"cpu": "0m"}, {"cpu": "0.0"})),
    pod(needs(FULL, FULL), resources={"requests": {"cpu": "4"}, "limits": {"cpu": "6"}}),
    pod(needs(FULL, FULL), resources={"limits": {"cpu": "6"}}),
    pod(needs(FULL, FULL), resources={"requests": {"hugepages-2Mi": "4Mi"}, "limits": {"hugepages-2Mi": "4Mi"}}),
]
HARDS: list[Object] = [
    HARD,
    {"requests.cpu": "1500m"},
    {"limits.memory": "300Mi"},
    {"cpu": "1", "pods": "1"},
    {"requests.nvidia.com/gpu": "1"},
    {"count/pods": "1"},
    {"requests.hugepages-2Mi": "4Mi"},
    {"limits.nvidia.com/gpu": "1"},
    {"ephemeral-storage": "1Gi"},
    {"requests.cpu": "0", "limits.cpu": "0"},
]


@pytest.mark.parametrize("hard", HARDS, ids=lambda hard: f"{len(hard)} {next(iter(hard))}")
def test_pods(both: Both, namespace: str, ask: Asked, hard: Object) -> None:
    at = f"/api/v1/namespaces/{namespace}"
    quota = Limited(both, ask, at, "a", hard, {})
    for number, body in enumerate(SIZES):
        ask(f"pod {number}", "POST", f"{at}/pods", {**body, "metadata": {"name": f"p{number}"}})
        quota.check(f"with pod {number}")
        ask(f"pod {number}", "DELETE", f"{at}/pods/p{number}?gracePeriodSeconds=0")
    ask.check()


RESIZES = [
    ({"cpu": "1500m"}, {"cpu": "2"}),
    ({"cpu": "2"}, {"cpu": "4"}),
    ({"cpu": "3"}, {"cpu": "3"}),
    ({"cpu": "2"}, {"cpu": "3"}),
    ({"cpu": "500m"}, {"cpu": "1"}),
    ({"memory": "512Mi"}, {"memory": "3Gi"}),
    ({"memory": "1Gi"}, {"memory": "1Gi"}),
]
STATUS: Object = {
    "name": "c",
    "image": "i",
    "imageID": "",
    "ready": True,
    "restartCount": 0,
    "state": {"running": {}},
    "allocatedResources": {"cpu": "2"},
    "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "3"}},
}
CHANGES: list[tuple[str, Object]] = [
    *(("/resize", {"spec": {"containers": [{"name": "c", **needs(*one)}]}}) for one in RESIZES),
    ("/status", {"status": {"containerStatuses": [STATUS]}}),
    ("/resize", {"spec": {"containers": [{"name": "c", **needs({"cpu": "200m"}, {"cpu": "1"})}]}}),
    ("/ephemeralcontainers", {"spec": {"ephemeralContainers": [{"name": "e", "image": "i"}]}}),
    ("", {"spec": {"activeDeadlineSeconds": 100}}),
    ("", {"metadata": {"labels": {"a": "b"}}}),
]


def test_changes_of_pods(both: Both, namespace: str, ask: Asked) -> None:
    at = f"/api/v1/namespaces/{namespace}"
    quota = Limited(
        both, ask, at, "a", {"requests.cpu": "2", "limits.cpu": "3", "memory": "1Gi", "limits.memory": "2Gi"}, {}
    )
    body = pod(needs(FULL, {"cpu": "2", "memory": "512Mi"}))
    ask("pod", "POST", f"{at}/pods", {**body, "metadata": {"name": "r"}})
    for number, (subresource, patch) in enumerate(CHANGES):
        ask(f"change {number}", "PATCH", f"{at}/pods/r{subresource}", patch, MERGE)
        quota.check(f"after change {number}")
    ask.check()


def _expression(scope: str, operator: str, *values: str) -> Object:
    return {"scopeName": scope, "operator": operator, **({"values": [*values]} if values else {})}


def _selector(*expressions: Object) -> Object:
    return {"scopeSelector": {"matchExpressions": [*expressions]}}


OPERATORS = (("In", "high"), ("NotIn", "high"), ("Exists",), ("DoesNotExist",), ("In", "high", "system-node-critical"))
SCOPES: list[Object] = [
    *(
        {"scopes": [scope]}
        for scope in (
            "Terminating",
            "NotTerminating",
            "BestEffort",
            "NotBestEffort",
            "PriorityClass",
            "CrossNamespacePodAffinity",
            "VolumeAttributesClass",
            "X",
        )
    ),
    *(
        _selector(_expression(scope, *operator))
        for scope in ("PriorityClass", "VolumeAttributesClass")
        for operator in OPERATORS
    ),
    _selector(_expression("PriorityClass", "In", "high"), _expression("Terminating", "Exists")),
    _selector(_expression("Terminating", "DoesNotExist")),
    _selector(_expression("CrossNamespacePodAffinity", "In", "a")),
    _selector(),
    {"scopeSelector": {}},
    {"scopes": ["Terminating"], **_selector(_expression("CrossNamespacePodAffinity", "Exists"))},
    {"scopes": ["BestEffort", "NotBestEffort"]},
]
SCOPED: list[Object] = [
    {"pods": "0"},
    {"requests.cpu": "0", "pods": "0"},
    {"pods": "100", "limits.cpu": "1"},
    {"persistentvolumeclaims": "0"},
    {"services": "0"},
]
TERM = {"topologyKey": "z", "labelSelector": {"matchLabels": {"a": "b"}}}


def _wants(member: str, **term: Any) -> Object:
    if member == "podAffinity":
        return pod(affinity={member: {"requiredDuringSchedulingIgnoredDuringExecution": [{**TERM, **term}]}})
    weighted = {"weight": 1, "podAffinityTerm": {**TERM, **term}}
    return pod(affinity={member: {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}})


PODS: list[Object] = [
    pod(),
    pod(needs({"cpu": "1"}, {"cpu": "1"})),
    pod(activeDeadlineSeconds=1),
    pod(priorityClassName="high"),
    pod(priorityClassName="low"),
    pod(priorityClassName="system-node-critical"),
    _wants("podAffinity"),
    _wants("podAffinity", namespaces=["x"]),
    _wants("podAffinity", namespaceSelector={}),
    _wants("podAntiAffinity", namespaceSelector={"matchLabels": {"a": "b"}}),
    _wants("podAntiAffinity"),
    pod(priorityClassName="high", activeDeadlineSeconds=5),
    pod(resources={"requests": {"cpu": "1"}}),
    pod(initContainers=[other("i", {"cpu": "1"})]),
    pod(needs({"ephemeral-storage": "1Gi"}, None)),
]


@pytest.mark.parametrize("number", range(len(SCOPES)))
def test_scopes(both: Both, namespace: str, ask: Asked, number: int) -> None:
    at, classes, scopes = (
        f"/api/v1/namespaces/{namespace}",
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        SCOPES[number],
    )
    for name, value in (("high", 100), ("low", 10)):
        both.ask("POST", classes, {"metadata": {"name": name}, "value": value})
    for index, hard in enumerate(SCOPED):
        quotas, body = f"{at}/resourcequotas", {"metadata": {"name": "a"}, "spec": {"hard": hard, **scopes}}
        ask(f"quota {index}", "POST", f"{quotas}?dryRun=All", body)
        if both.ask("POST", quotas, body).kube.status != 201:
            continue
        ask(
            f"quota {index}",
            "PATCH",
            f"{at}/resourcequotas/a/status",
            {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}},
        )
        for other_index, body in enumerate(PODS):
            ask(
                f"pod {other_index} of {index}", "POST", f"{at}/pods", {**body, "metadata": {"name": f"p{other_index}"}}
            )
        ask("deadline", "PATCH", f"{at}/pods/p0", {"spec": {"activeDeadlineSeconds": 100}})
        for name in ("", "high", "low"):
            spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            body = {
                "metadata": {"name": f"c{name}"},
                "spec": {**spec, **({"volumeAttributesClassName": name} if name else {})},
            }
            ask(f"claim {name} of {index}", "POST", f"{at}/persistentvolumeclaims?dryRun=All", body)
        for other_index in range(len(PODS)):
            both.ask("DELETE", f"{at}/pods/p{other_index}?gracePeriodSeconds=0")
        both.ask("DELETE", f"{at}/resourcequotas/a")
    ask.check()


CLASS = ".storageclass.storage.k8s.io"
STORAGE = {
    "persistentvolumeclaims": "5",
    "requests.storage": "10Gi",
    f"sc{CLASS}/requests.storage": "4Gi",
    f"sc{CLASS}/persistentvolumeclaims": "2",
    "count/persistentvolumeclaims": "6",
}
CLAIMS = [
    ("sc", "1Gi"),
    ("sc", "4Gi"),
    ("sc", "3Gi"),
    ("sc", "1"),
    (None, "1.5Gi"),
    ("other", "100m"),
    ("", "9Gi"),
    ("beta", "1"),
]


def test_claims(both: Both, namespace: str, ask: Asked) -> None:
    at = f"/api/v1/namespaces/{namespace}"
    both.ask(
        "POST",
        "/apis/storage.k8s.io/v1/storageclasses",
        {"metadata": {"name": "sc"}, "provisioner": "x/y", "allowVolumeExpansion": True},
    )
    quota = Limited(both, ask, at, "a", STORAGE, {})
    claims = f"{at}/persistentvolumeclaims"
    for number, (name, size) in enumerate(CLAIMS):
        metadata: Object = {"name": f"c{number}"}
        if name == "beta":
            metadata["annotations"], name = {"volume.beta.kubernetes.io/storage-class": "sc"}, None
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            **({} if name is None else {"storageClassName": name}),
        }
        ask(f"claim {number}", "POST", claims, {"metadata": metadata, "spec": spec})
        quota.check(f"with claim {number}")
    ask("bound", "PATCH", f"{claims}/c0/status", {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}})
    ask("bound", "PATCH", f"{claims}/c0", {"spec": {"volumeName": "v"}})
    for size in ("2Gi", "1Gi", "1500Mi", "1200Mi"):
        ask(size, "PATCH", f"{claims}/c0", {"spec": {"resources": {"requests": {"storage": size}}}})
        quota.check(f"resized to {size}")
    ask(
        "allocated",
        "PATCH",
        f"{claims}/c0/status",
        {"status": {"allocatedResources": {"storage": "2Gi"}, "capacity": {"storage": "1Gi"}}},
    )
    quota.check("allocated")
    ask.check()


PORTS = [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
SERVICES: list[Object] = [
    {"type": "NodePort", "ports": PORTS},
    {"type": "NodePort", "ports": PORTS},
    {"type": "LoadBalancer", "ports": PORTS},
    {"type": "LoadBalancer", "ports": PORTS, "allocateLoadBalancerNodePorts": False},
    {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 31111}], "allocateLoadBalancerNodePorts": False},
    {"type": "ClusterIP", "ports": PORTS},
    {"type": "ExternalName", "externalName": "a.b"},
    {"type": "LoadBalancer", "ports": PORTS[:1]},
    {"clusterIP": "None", "ports": PORTS},
    {"ports": PORTS},
    {"ports": PORTS},
]
SERVICE_CHANGES: list[tuple[int, Object]] = [
    (5, {"type": "NodePort"}),
    (5, {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}),
    (0, {"type": "ClusterIP"}),
    (5, {"type": "NodePort"}),
    (6, {"type": "ClusterIP", "ports": PORTS}),
    (3, {"allocateLoadBalancerNodePorts": True}),
    (3, {"type": "ClusterIP"}),
]


def test_services(both: Both, namespace: str, ask: Asked) -> None:
    at = f"/api/v1/namespaces/{namespace}"
    quota = Limited(
        both,
        ask,
        at,
        "a",
        {"services": "6", "services.nodeports": "3", "services.loadbalancers": "2", "count/services": "7"},
        {},
    )
    for number, spec in enumerate(SERVICES):
        ask(f"service {number}", "POST", f"{at}/services", {"metadata": {"name": f"s{number}"}, "spec": spec})
        quota.check(f"with service {number}")
    for number, spec in SERVICE_CHANGES:
        ask(f"{number}: {spec}", "PATCH", f"{at}/services/s{number}", {"spec": spec})
        quota.check(f"{number}: {spec}")
    ask.check()


COUNTED: dict[str, Object] = {
    "/api/v1/N/configmaps": {},
    "/api/v1/N/secrets": {},
    "/apis/coordination.k8s.io/v1/N/leases": {},
    "/apis/rbac.authorization.k8s.io/v1/N/roles": {
        "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
    },
    "/api/v1/N/events": {"involvedObject": {}},
    "/apis/discovery.k8s.io/v1/N/endpointslices": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.1.1.1"]}]},
    "/apis/autoscaling/v1/N/horizontalpodautoscalers": {
        "spec": {"maxReplicas": 1, "scaleTargetRef": {"kind": "D", "name": "x"}}
    },
    "/apis/resource.k8s.io/v1/N/resourceclaims": {
        "spec": {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "gpu", "count": 2}}]}}
    },
}
COUNTS = (
    "configmaps",
    "count/configmaps",
    "secrets",
    "count/leases.coordination.k8s.io",
    "count/roles.rbac.authorization.k8s.io",
    "count/events",
    "count/endpointslices.discovery.k8s.io",
    "count/horizontalpodautoscalers.autoscaling",
    "gpu.deviceclass.resource.k8s.io/devices",
)


def test_counts(both: Both, namespace: str, ask: Asked) -> None:
    at = f"/api/v1/namespaces/{namespace}"
    quota = Limited(
        both, ask, at, "a", dict.fromkeys(COUNTS, "1") | {"gpu.deviceclass.resource.k8s.io/devices": "3"}, {}
    )
    for name in ("o1", "o1", "o2"):
        for path, body in COUNTED.items():
            for dry_run in ("?dryRun=All", ""):
                given = copy.deepcopy(body)
                if "involvedObject" in given:
                    given["involvedObject"] = {"namespace": namespace}
                ask(
                    f"{path} {name}",
                    "POST",
                    path.replace("/N/", f"/namespaces/{namespace}/") + dry_run,
                    {**given, "metadata": {"name": name}},
                )
        quota.check(f"with {name}")
    ask.check()


def _some(dice: random.Random) -> Object:
    found = {
        "cpu": dice.choice(["100m", "500m", "1", "0.5", "1500m", "2", "3"]),
        "memory": dice.choice(["64Mi", "128Mi", "1Gi", "0.5Gi", "200M"]),
    }
    return {name: amount for name, amount in found.items() if dice.random() < 0.7}


def _item(dice: random.Random, kind: str) -> Object:
    """One that is valid as often as not."""
    members = ("min", "max", "maxLimitRequestRatio", *(("default", "defaultRequest") if kind == "Container" else ()))
    item: Object = {"type": kind, **{member: _some(dice) for member in members if dice.random() < 0.3}}
    if kind == "PersistentVolumeClaim":
        item = {"type": kind, "min": {"storage": "100Mi"}, "max": {"storage": dice.choice(["1Gi", "3Gi"])}}
    if "maxLimitRequestRatio" in item:
        item["maxLimitRequestRatio"] = {"cpu": dice.choice(["1", "1.5", "4"])}
    return item


def _only_order(lines: list[str]) -> bool:
    """Whether causes differ in nothing but their order, which Go leaves to chance."""
    return all(".causes" in line or _same_words(line) for line in lines)


def _same_words(line: str) -> bool:
    kube, kybern = line.split("\n")[1:]
    return sorted(kube.removeprefix("  kube:   ")) == sorted(kybern.removeprefix("  kybern: "))


@pytest.mark.parametrize("seed", range(12))
def test_limits_at_random(both: Both, namespace: str, seed: int) -> None:
    at, dice = f"/api/v1/namespaces/{namespace}", random.Random(seed)
    kinds = ["Container", dice.choice(["Container", "Pod"]), "PersistentVolumeClaim"]
    asked: list[tuple[str, Object]] = [
        (
            f"{at}/limitranges",
            {"metadata": {"name": "l"}, "spec": {"limits": [_item(dice, kind) for kind in dict.fromkeys(kinds)]}},
        )
    ]
    for _ in range(25):
        body = pod(needs(_some(dice), _some(dice)) if dice.random() < 0.7 else None)
        if dice.random() < 0.4:
            restart = {"restartPolicy": "Always"} if dice.random() < 0.5 else {}
            body["spec"]["initContainers"] = [{"name": "i", "image": "i", **needs(_some(dice), _some(dice)), **restart}]
        if dice.random() < 0.2:
            body["spec"] |= needs(_some(dice), _some(dice))
        asked.append((f"{at}/pods?dryRun=All", {**body, "metadata": {"name": "p"}}))
    for size in ("10Mi", "1Gi", "2.5Gi", "4Gi", "1073741825"):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        asked.append((f"{at}/persistentvolumeclaims?dryRun=All", {"metadata": {"name": "x"}, "spec": spec}))
    wrong = [
        (path, body, found)
        for path, body in asked
        if (found := both.diff("POST", path, body)) and not _only_order(found)
    ]
    assert not wrong
