"""What the agent of a node may do: its node and pods, what these lead to, tokens, leases, evictions, mirror pods.

Reads of nodes are not compared: in Kybern agents read them all, for their routes (`system:kybern:node-routes`).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from bad_values import Asked
from conftest import pair
from same import Both

Object = dict[str, Any]
GROUP = "system:nodes"
OWN, OTHER, NEW = ("system:node:n1", GROUP), ("system:node:n2", GROUP), ("system:node:n3", GROUP)
USERS = (OWN, OTHER, ("system:node:", GROUP), ("system:node:n1",), ("alice", GROUP))
RUN = {"containers": [{"name": "c", "image": "i"}]}
V1, IN = "/api/v1", "/api/v1/namespaces/agents"
SLICES, LEASES = "/apis/resource.k8s.io/v1/resourceslices", "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
MIRROR = {"kubernetes.io/config.mirror": "x"}
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u", "controller": True}
LABELS: list[Object] = [
    {name: "x"} for name in (
        "a", "kubernetes.io/hostname", "kubernetes.io/os", "topology.kubernetes.io/zone", "foo.kubernetes.io/x",
        "node-restriction.kubernetes.io/x", "node-role.kubernetes.io/control-plane", "k8s.io/x", "x.k8s.io/y",
        "kubelet.kubernetes.io/x", "node.kubernetes.io/x", "node.kubernetes.io/instance-type", "beta.kubernetes.io/os")
] + [{"kubernetes.io/x": "1", "k8s.io/b": "2"}]  # fmt: skip
NODE: list[Object] = [
    {"spec": {"taints": []}}, {"spec": {"taints": [{"key": "z", "effect": "NoExecute"}]}},
    {"spec": {"unschedulable": True}},
    {"spec": {"providerID": "x://y"}}, {"metadata": {"annotations": {"a": "b"}}},
    {"metadata": {"finalizers": ["a.b/c"]}},
    {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}]}},
    {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    *({"metadata": {"labels": one}} for one in LABELS),
]  # fmt: skip
READS = (
    "/api/v1/pods", "/api/v1/pods?fieldSelector=spec.nodeName=n1", "/api/v1/namespaces", "/api/v1/secrets",
    f"{IN}/secrets", f"{IN}/secrets/s1", f"{IN}/secrets/s2", f"{IN}/configmaps/m1", f"{IN}/serviceaccounts/sa",
    f"{IN}/persistentvolumeclaims/c", f"{IN}/persistentvolumeclaims", f"{IN}/pods/p1", f"{IN}/pods/p2",
    f"{IN}/secrets?fieldSelector=metadata.name=s1", f"{V1}/persistentvolumes", f"{V1}/persistentvolumes/pv",
    "/apis/storage.k8s.io/v1/volumeattachments", "/apis/storage.k8s.io/v1/volumeattachments/x", SLICES, f"{SLICES}/x",
    "/apis/storage.k8s.io/v1/csinodes", "/apis/storage.k8s.io/v1/csinodes/n1",
    f"{SLICES}?fieldSelector=spec.nodeName=n1",
    f"{LEASES.format('kube-node-lease')}/n1", LEASES.format("kube-node-lease"), f"{LEASES.format('default')}/n1",
    "/apis/resource.k8s.io/v1/namespaces/agents/resourceclaims/x", "/apis/node.k8s.io/v1/runtimeclasses",
    f"{IN}/endpoints", f"{IN}/events", "/apis/apps/v1/daemonsets", f"{IN}/pods/p1/log", f"{V1}/nodes/n1/status",
)  # fmt: skip


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both servers with NodeRestriction, two nodes, and a pod on the first that leads to others."""
    for both in pair(tmp_path_factory, "--enable-admission-plugins=NodeRestriction"):
        for name in ("agents", "kube-node-lease"):
            both.ask("POST", f"{V1}/namespaces", {"metadata": {"name": name}})
        for name in ("default", "sa"):
            both.same("POST", f"{IN}/serviceaccounts", {"metadata": {"name": name}})
        for name in ("n1", "n2"):
            both.same("POST", f"{V1}/nodes", {"metadata": {"name": name}})
        both.same("POST", f"{IN}/secrets", {"metadata": {"name": "s1"}})
        both.same("POST", f"{IN}/configmaps", {"metadata": {"name": "m1"}})
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}, "volumeName": "pv"}
        both.same("POST", f"{IN}/persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": claim})
        source = {"driver": "a", "volumeHandle": "b", "nodePublishSecretRef": {"name": "s2", "namespace": "agents"}}
        volume = {"capacity": {"storage": "1"}, "accessModes": ["ReadWriteOnce"], "csi": source,
                  "claimRef": {"name": "c", "namespace": "agents"}}  # fmt: skip
        both.same("POST", f"{V1}/persistentvolumes", {"metadata": {"name": "pv"}, "spec": volume})
        volumes = [{"name": "a", "secret": {"secretName": "s1"}}, {"name": "b", "configMap": {"name": "m1"}},
                   {"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]  # fmt: skip
        spec = {**RUN, "serviceAccountName": "sa", "volumes": volumes}
        both.same("POST", f"{IN}/pods", {"metadata": {"name": "p1"}, "spec": {**spec, "nodeName": "n1"}})
        both.same("POST", f"{IN}/pods", {"metadata": {"name": "p2"}, "spec": {**RUN, "nodeName": "n2"}})
        yield both


@pytest.mark.parametrize("user", USERS, ids="-".join)
def test_reads(agents: Both, user: tuple[str, ...]) -> None:
    ask = Asked(agents)
    for path in READS:
        ask(path, "GET", path, user=user)
    ask.check()


@pytest.mark.parametrize("user", USERS, ids="-".join)
def test_nodes(agents: Both, user: tuple[str, ...]) -> None:
    ask = Asked(agents)
    for change in NODE:
        for sub in ("", "/status"):
            ask(f"{sub} {change}", "PATCH", f"{V1}/nodes/n1{sub}?dryRun=All", change, user=user)
    for labels in LABELS:
        ask(f"new {labels}", "POST", f"{V1}/nodes?dryRun=All", {"metadata": {"name": "n3", "labels": labels}}, user=NEW)
    ask("other", "POST", f"{V1}/nodes?dryRun=All", {"metadata": {"name": "n4"}}, user=user)
    ask("gone", "DELETE", f"{V1}/nodes/n1?dryRun=All", user=user)
    ask.check()


@pytest.mark.parametrize("user", USERS, ids="-".join)
def test_pods(agents: Both, user: tuple[str, ...]) -> None:
    ask = Asked(agents)
    for change in (
        {"status": {"phase": "Running"}}, {"metadata": {"labels": {"z": "y"}}},
        {"metadata": {"annotations": {"z": "y"}}},
        {"status": {"resourceClaimStatuses": [{"name": "x"}]}}, {"metadata": {"finalizers": ["a.b/c"]}},
    ):  # fmt: skip
        ask(f"status {change}", "PATCH", f"{IN}/pods/p1/status?dryRun=All", change, user=user)
    for sub in ("", "/resize", "/ephemeralcontainers"):
        ask(sub, "PATCH", f"{IN}/pods/p1{sub}?dryRun=All", {"spec": {}}, user=user)
    for name in ("p1", "p2", "none"):
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        ask(f"delete {name}", "DELETE", f"{IN}/pods/{name}?dryRun=All", user=user)
        ask(f"evict {name}", "POST", f"{IN}/pods/{name}/eviction?dryRun=All", eviction, user=user)
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "p1"}
    for ref in (None, bound, {**bound, "uid": "u"}, {**bound, "name": "none", "uid": "u"}, {**bound, "kind": "Secret"}):
        body = {"spec": {"boundObjectRef": ref} if ref else {}}
        ask(f"token {ref}", "POST", f"{IN}/serviceaccounts/sa/token", body, user=user)
    here, claim = {**RUN, "nodeName": "n1"}, f"{IN}/persistentvolumeclaims/c"
    for owners in ([], [OWNER], [OWNER, OWNER], [{**OWNER, "controller": False}], [{**OWNER,
    "blockOwnerDeletion": True}],
                   [{**OWNER, "kind": "Pod"}], [{**OWNER, "name": "n2"}]):  # fmt: skip
        mirror = {"name": "m", "annotations": MIRROR, "ownerReferences": owners}
        if owners != [OWNER]:  # whose message has the uid of the node
            ask(f"mirror {owners}", "POST", f"{IN}/pods?dryRun=All", {"metadata": mirror, "spec": here}, user=user)
    ask("plain", "POST", f"{IN}/pods?dryRun=All", {"metadata": {"name": "m"}, "spec": here}, user=user)
    grown = {"status": {"conditions": [{"type": "FileSystemResizePending", "status": "True"}]}}
    ask("claim status", "PATCH", f"{claim}/status?dryRun=All", grown, user=user)
    ask("claim", "PATCH", f"{claim}?dryRun=All", {"metadata": {"labels": {"a": "b"}}}, user=user)
    ask.check()


@pytest.mark.parametrize("user", USERS, ids="-".join)
def test_leases_and_slices(agents: Both, user: tuple[str, ...]) -> None:
    ask = Asked(agents)
    for namespace, name in (("kube-node-lease", "n1"), ("kube-node-lease", "n2"), ("default", "n1")):
        path, lease = LEASES.format(namespace), {"metadata": {"name": name}, "spec": {"holderIdentity": name}}
        ask(f"new {namespace} {name}", "POST", f"{path}?dryRun=All", lease, user=user)
        for method in ("PUT", "PATCH", "DELETE"):
            body = None if method == "DELETE" else lease
            ask(f"{method} {namespace} {name}", method, f"{path}/{name}?dryRun=All", body, user=user)
    for name in ("n1", "n2"):
        drivers = {"drivers": [{"name": "a", "nodeID": "b"}]}
        csi = {"metadata": {"name": name}, "spec": drivers}
        ask(f"csi {name}", "POST", "/apis/storage.k8s.io/v1/csinodes?dryRun=All", csi, user=user)
        spec = {"driver": "a.b", "nodeName": name, "pool": {"name": "p", "resourceSliceCount": 1}}
        ask(f"slice {name}", "POST", f"{SLICES}?dryRun=All", {"metadata": {"name": "s"}, "spec": spec}, user=user)
    ask.check()
