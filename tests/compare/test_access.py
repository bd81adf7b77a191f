"""Who may do what, and how a refusal is worded: anonymous, certificates, tokens, impersonation, nodes."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from conftest import numbers
from same import Both
from servers import PROGRAM, kube_apiserver, kybern

RBAC = "/apis/rbac.authorization.k8s.io/v1"
AUTHENTICATION = "authentication.k8s.io"
REVIEWS = f"/apis/{AUTHENTICATION}/v1/selfsubjectreviews"
REVIEW = {"apiVersion": f"{AUTHENTICATION}/v1", "kind": "SelfSubjectReview"}
ALICE, NOBODY, NODE = ("alice", "devs"), (), ("system:node:n1", "system:nodes")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BODIES = ("POST", "PUT", "PATCH")


def grant(both: Both, user: str, rules: list[Any], kind: str = "User") -> None:
    name = f"granted-{next(numbers)}"
    both.ask("POST", f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    subject = {"kind": kind, "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    both.ask("POST", f"{RBAC}/clusterrolebindings", binding)


def rule(verbs: list[str], groups: list[str], resources: list[str], *names: str) -> dict[str, Any]:
    return {"verbs": verbs, "apiGroups": groups, "resources": resources, **({"resourceNames": names} if names else {})}


@pytest.mark.parametrize(
    "path",
    [
        "/nope", "/healthz", "/livez/ping", "/metrics", "/logs/", "/debug/pprof", "/api/v1/nope/x",
        "/api/v1/namespaces/a/pods", "/api/v1/namespaces/a/pods/x", "/api/v1/namespaces/a/pods/x/log",
        "/api/v1/namespaces/a/pods/x/exec", "/api/v1/namespaces/a/pods/x/eviction",
        "/api/v1/namespaces/a/pods/x/proxy/y",
        "/api/v1/namespaces/a", "/api/v1/namespaces", "/api/v1/namespaces/a/status", "/api/v1/namespaces/a/finalize",
        "/api/v1/nodes/x/proxy", "/api/v1/componentstatuses", "/apis/apps/v1/namespaces/a/deployments/x/scale",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews", "/api/v1/namespaces/a/serviceaccounts/default/token",
        "/api/v1/namespaces/a/pods/x/nope", "/api/v1/namespaces/a/pods?watch=1", "/api/v1/watch/pods",
    ],
)  # fmt: skip
def test_refusals(both: Both, path: str) -> None:
    for user in (ALICE, NOBODY):
        for method in METHODS:
            if path != "/healthz" or method != "GET":
                both.same(method, path, {} if method in BODIES else None, user=user)


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer", "Bearer ", "Bearer x", "BEARER x", "Bearer  x", "Bearer x y", "Basic YTpi", "Negotiate x", "x",
        "Bearer a.b.c", "Bearer 07401b.f395accd246ae52d",
        # signed by nobody, but of this issuer
        "Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMuY2x1c3Rlci5sb2NhbCJ9.AAAA",
        "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50In0.AAAA",
    ],
)  # fmt: skip
def test_credentials(both: Both, authorization: str) -> None:
    headers = {"Authorization": authorization}
    for path in ("/api/v1/namespaces", "/healthz"):
        both.same("GET", path, headers=headers, user=NOBODY)
    both.same("GET", "/api/v1/namespaces/a", headers=headers, user=ALICE)


def test_resource_names_and_paths(both: Both) -> None:
    bob = (f"bob-{next(numbers)}", "devs")
    every = ["get", "list", "watch", "update", "create", "delete", "deletecollection"]
    rules = [rule(every, [""], ["configmaps"], "x"), rule(["*"], ["*"], ["*/scale"]), rule(["get"], [""], ["pods/*"])]
    grant(both, bob[0], [*rules, {"verbs": ["get"], "nonResourceURLs": ["/foo/*", "/healthz*", "/metrics"]}])
    maps = "/api/v1/namespaces/a/configmaps"
    named = "?fieldSelector=metadata.name%3Dx"
    reads = [f"{maps}/x", f"{maps}/y", maps, maps + named, f"/api/v1/configmaps{named}", "/foo/bar", "/foo", "/foo/"]
    reads += ["/healthz", "/healthz/ping", "/healthzz", "/metrics/x", "/api/v1/namespaces/a/pods/x/log"]
    reads += ["/apis/apps/v1/namespaces/a/deployments/x/scale", "/apis/apps/v1/namespaces/a/deployments/x"]
    for path in reads:
        both.same("GET", path, user=bob)
    both.same("DELETE", maps, user=bob)
    both.same("POST", maps, {"metadata": {"name": "x"}}, user=bob)
    both.same("POST", "/foo/bar", {}, user=bob)


def impersonated(**parts: str) -> dict[str, str]:
    return {f"Impersonate-{name.replace('_', '-')}": value for name, value in parts.items()}


SA, OTHER = "system:serviceaccount:a:sa1", "system:serviceaccount:a:zz"
IMPERSONATED: list[Mapping[str, str]] = [
    impersonated(User="carl"), impersonated(User="dave"), impersonated(User=SA), impersonated(User=OTHER),
    impersonated(User="system:serviceaccount:a"), impersonated(User="system:serviceaccount:a:b:c"),
    impersonated(User=SA, Group="g1"), impersonated(User=SA, Uid="u1"), impersonated(User="system:node:n1"),
    impersonated(User="system:node:n9"), impersonated(User="system:node:n1", Group="g1"),
    impersonated(User="carl", Group="g1"), impersonated(User="carl", Group="g2"), impersonated(Group="g1"),
    impersonated(User="carl", Uid="u1"), impersonated(User="carl", Uid="u2"), impersonated(Uid="u1"),
    impersonated(User="carl", Extra_Scopes="view"), impersonated(User="carl", Extra_Scopes="edit"),
    impersonated(Extra_Scopes="view"), impersonated(User="system:anonymous"), impersonated(User="system:node:"),
    impersonated(User="carl", Group="system:masters"), impersonated(User="carl", Group="system:unauthenticated"),
    impersonated(User="carl", Foo="x"),
]  # fmt: skip


@pytest.fixture(scope="module")
def impersonators(both: Both) -> list[tuple[str, ...]]:
    """By constrained impersonation, by the verb that grants everything, by nothing, and those who may do all."""
    info, ours = ["impersonate:user-info"], [AUTHENTICATION]
    onto = ["impersonate-on:user-info:list", "impersonate-on:user-info:create"]
    onto += ["impersonate-on:serviceaccount:list", "impersonate-on:arbitrary-node:list"]
    constrained = [
        rule(info, ours, ["users"], "carl", "system:node:n9", OTHER), rule(info, ours, ["groups"], "g1"),
        rule(info, ours, ["userextras/scopes"], "view"), rule(info, ours, ["uids"], "u1"),
        rule(["impersonate:serviceaccount"], ours, ["serviceaccounts"], "sa1"),
        rule(["impersonate:arbitrary-node"], ours, ["nodes"], "n1"),
        rule(onto, ["", AUTHENTICATION], ["secrets", "selfsubjectreviews"]),
    ]  # fmt: skip
    legacy = [
        rule(["impersonate"], [""], ["users"], "carl"), rule(["impersonate"], [""], ["groups"], "g1"),
        rule(["impersonate"], [""], ["serviceaccounts"], "sa1"), rule(["impersonate"], ours, ["uids"], "u1"),
        rule(["impersonate"], ours, ["userextras/scopes"], "view"),
    ]  # fmt: skip
    grant(both, "constrained", constrained)
    grant(both, "legacy", legacy)
    return [("constrained",), ("legacy",), ALICE, ("root", "system:masters")]


@pytest.mark.parametrize("headers", IMPERSONATED, ids=lambda headers: ",".join(headers.values()))
def test_impersonation(both: Both, impersonators: list[tuple[str, ...]], headers: Mapping[str, str]) -> None:
    for user in impersonators:
        both.same("POST", REVIEWS, REVIEW, headers=headers, user=user)
        both.same("GET", "/api/v1/namespaces/a/secrets?limit=1&labelSelector=none", headers=headers, user=user)
        both.same("GET", "/api/v1/namespaces/a/pods?limit=1&labelSelector=none", headers=headers, user=user)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both with NodeRestriction; nodes n1 and n2, and a pod on n1 that refers to what is called `used`."""
    if not PROGRAM.exists():
        pytest.skip("needs tests/compare/build.sh")
    folder = tmp_path_factory.mktemp("nodes")
    flag = "--enable-admission-plugins=NodeRestriction"
    with kybern(folder / "kybern") as ours, kube_apiserver(folder / "kube", ours.ca, flag) as theirs:
        both = Both(theirs, ours)
        both.ask("DELETE", f"{RBAC}/clusterrolebindings/system:kybern:node-routes")  # agents see all nodes by it
        _fill(both)
        yield both


def _fill(both: Both) -> None:
    for name in ("a", "kube-node-lease"):
        both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    for name in ("default", "other"):
        both.ask("POST", "/api/v1/namespaces/a/serviceaccounts", {"metadata": {"name": name}})
    for name in ("n1", "n2"):
        both.ask("POST", "/api/v1/nodes", {"metadata": {"name": name}})
        spec: dict[str, Any] = {"attacher": "d", "nodeName": name, "source": {"persistentVolumeName": "pv-used"}}
        va = {"metadata": {"name": f"va-{name}"}, "spec": spec}
        both.ask("POST", "/apis/storage.k8s.io/v1/volumeattachments", va)
        pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
        spec = {"driver": "d.io", "nodeName": name, "pool": pool, "devices": [{"name": "dev"}]}
        slice_ = {"metadata": {"name": f"rs-{name}"}, "spec": spec}
        both.ask("POST", "/apis/resource.k8s.io/v1/resourceslices", slice_)
    for name in ("used", "unused"):
        for resource in ("secrets", "configmaps"):
            both.ask("POST", f"/api/v1/namespaces/a/{resource}", {"metadata": {"name": name}})
        both.ask("POST", "/api/v1/namespaces/a/secrets", {"metadata": {"name": f"pv-{name}"}})
        storage = {"requests": {"storage": "1Gi"}}
        claim = {"accessModes": ["ReadWriteOnce"], "resources": storage, "volumeName": f"pv-{name}"}
        both.ask("POST", "/api/v1/namespaces/a/persistentvolumeclaims", {"metadata": {"name": name}, "spec": claim})
        secret = {"namespace": "a", "name": f"pv-{name}"}
        csi = {"driver": "d", "volumeHandle": "h", "nodePublishSecretRef": secret}
        volume = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "csi": csi}
        volume["claimRef"] = {"namespace": "a", "name": name}
        both.ask("POST", "/api/v1/persistentvolumes", {"metadata": {"name": f"pv-{name}"}, "spec": volume})
    volumes: list[Any] = [{"name": "s", "secret": {"secretName": "used"}}, {"name": "c", "configMap": {"name": "used"}}]
    volumes.append({"name": "p", "persistentVolumeClaim": {"claimName": "used"}})
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}], "volumes": volumes}
    both.ask("POST", "/api/v1/namespaces/a/pods", {"metadata": {"name": "p1"}, "spec": spec})
    spec = {"nodeName": "n2", "containers": [{"name": "c", "image": "i"}]}
    both.ask("POST", "/api/v1/namespaces/a/pods", {"metadata": {"name": "p2"}, "spec": spec})


def refused_alike(both: Both, method: str, path: str, body: Any = None, user: tuple[str, ...] = NODE) -> None:
    """Both refuse in the same words, or neither does: what is answered then is others' to compare."""
    pair = both.ask(method, path, body, user=user)
    if pair.kube.status < 400:
        assert pair.kybern.status == pair.kube.status, f"{method} {path}: {pair.kybern.document['message']}"
    else:
        both.same(method, path, body, user=user)


NODES_PATHS = [
    *(f"/api/v1/namespaces/a/{kind}{name}" for kind in ("secrets", "configmaps", "persistentvolumeclaims")
      for name in ("", "/used", "/unused", "/none", "/pv-used", "/pv-unused", "?fieldSelector=metadata.name%3Dused")),
    *(f"/api/v1{ns}/pods{name}" for ns in ("", "/namespaces/a") for name in (
        "", "?fieldSelector=spec.nodeName%3Dn1", "?fieldSelector=spec.nodeName%3Dn2",
        "?fieldSelector=spec.nodeName!%3Dn1",
        "?labelSelector=a%3Db")),
    "/api/v1/namespaces/a/pods/p1", "/api/v1/namespaces/a/pods/p2", "/api/v1/namespaces/a/pods/none",
    "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Dp2", "/api/v1/namespaces/a/secrets/used/status",
    "/api/v1/namespaces/a/serviceaccounts", "/api/v1/namespaces/a/serviceaccounts/default", "/api/v1/secrets",
    "/api/v1/namespaces/a/serviceaccounts/other", "/api/v1/persistentvolumes/pv-used", "/api/v1/persistentvolumes",
    "/api/v1/persistentvolumes/pv-unused", "/api/v1/nodes", "/api/v1/nodes/n1", "/api/v1/nodes/n2",
    "/api/v1/nodes?fieldSelector=metadata.name%3Dn1", "/api/v1/nodes?fieldSelector=metadata.name%3Dn2",
    "/apis/storage.k8s.io/v1/volumeattachments", "/apis/storage.k8s.io/v1/volumeattachments/va-n1",
    "/apis/storage.k8s.io/v1/volumeattachments/va-n2", "/apis/storage.k8s.io/v1/volumeattachments/va-n1/status",
    "/apis/storage.k8s.io/v1/csinodes", "/apis/storage.k8s.io/v1/csinodes/n2",
    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
    "/apis/coordination.k8s.io/v1/namespaces/a/leases/n1",
    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n2", "/apis/resource.k8s.io/v1/resourceslices",
    "/apis/resource.k8s.io/v1/namespaces/a/resourceclaims", "/apis/resource.k8s.io/v1/namespaces/a/resourceclaims/x",
    "/apis/resource.k8s.io/v1/resourceslices/rs-n1", "/apis/resource.k8s.io/v1/resourceslices/rs-n2",
    "/apis/resource.k8s.io/v1/resourceslices?fieldSelector=spec.nodeName%3Dn1",
    "/apis/resource.k8s.io/v1/resourceslices?fieldSelector=spec.nodeName%3Dn2",
]  # fmt: skip


@pytest.mark.parametrize("path", NODES_PATHS)
def test_what_a_node_may_read(nodes: Both, path: str) -> None:
    refused_alike(nodes, "GET", path)
    if "/pods" not in path and "?" not in path and not path.endswith(("/nodes/n1", "/rs-n1")):
        for method in ("PATCH", "DELETE"):
            refused_alike(nodes, method, f"{path}?dryRun=All", {} if method == "PATCH" else None)


@pytest.mark.parametrize(
    "user", [("system:node:", "system:nodes"), ("system:node:n1",), ("system:node:n3", "system:nodes")]
)
def test_other_nodes(nodes: Both, user: tuple[str, ...]) -> None:
    for path in ("/api/v1/nodes/n1", "/api/v1/nodes", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1"):
        refused_alike(nodes, "GET", path, user=user)
    refused_alike(nodes, "GET", "/api/v1/namespaces/a/secrets/used", user=user)
    refused_alike(nodes, "PATCH", "/api/v1/nodes/n1?dryRun=All", {"metadata": {"labels": {"z": "1"}}}, user=user)


MIRROR = {"annotations": {"kubernetes.io/config.mirror": "x"}}
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "x", "controller": True}
WRITES: list[tuple[str, str, Any]] = [
    *(("PATCH", f"/api/v1/nodes/{name}", body) for name in ("n1", "n2") for body in (
        {"metadata": {"labels": {"kubernetes.io/x": "1", "k8s.io/a": "b"}}}, {"spec": {"taints": None}},
        {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, {"metadata": {"labels": {"x": "y"}}},
        {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "1", "node.kubernetes.io/ok": "1"}}},
        {"metadata": {"ownerReferences": [OWNER], "labels": {"kubernetes.io/x": "1"}}},
        {"spec": {"configSource": {"configMap": {"name": "a", "namespace": "b", "kubeletConfigKey": "x"}}}})),
    ("POST", "/api/v1/nodes", {"metadata": {"name": "n3"}}),
    *(("PATCH", f"/api/v1/namespaces/a/pods/{pod}/status", body) for pod in ("p1", "p2", "none") for body in (
        {"metadata": {"labels": {"a": "b"}}}, {"status": {"phase": "Running"}},
        {"status": {"resourceClaimStatuses": [{"name": "rc", "resourceClaimName": "z"}]}})),
    *(("DELETE", f"/api/v1/namespaces/a/pods/{pod}", None) for pod in ("p1", "p2", "none")),
    ("PATCH", "/api/v1/namespaces/a/pods/p1", {"metadata": {"labels": {"a": "b"}}}),
    *(("POST", "/api/v1/namespaces/a/pods", {"metadata": {"name": "m", **meta}, "spec": {
        "nodeName": "n1", "containers": [{"name": "c", "image": "i"}], **spec}}) for meta, spec in (
        ({}, {}), (MIRROR, {"nodeName": "n2"}), (MIRROR, {}), ({**MIRROR, "ownerReferences": [OWNER]}, {}),
        ({**MIRROR, "ownerReferences": [{**OWNER, "name": "n2"}]}, {}),
        ({**MIRROR, "ownerReferences": [{**OWNER, "controller": False}]}, {}),
        ({**MIRROR, "ownerReferences": [{**OWNER, "blockOwnerDeletion": True}]}, {}),
        ({**MIRROR, "ownerReferences": [OWNER, {**OWNER, "uid": "y", "controller": False}]}, {}),
        (MIRROR, {"serviceAccountName": "default"}), (MIRROR, {"imagePullSecrets": [{"name": "s"}]}),
        (MIRROR, {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "x"}}]}}]}))),
    *(("POST", "/api/v1/namespaces/a/serviceaccounts/default/token", {"spec": {"audiences": ["x"], **bound}})
      for bound in ({}, *({"boundObjectRef": ref} for ref in (
        {"kind": "Secret", "apiVersion": "v1", "name": "x"}, {"kind": "Pod", "apiVersion": "v1", "name": "p1"},
        {"kind": "Pod", "apiVersion": "v1", "name": "p1", "uid": "bad"},
        {"kind": "Pod", "apiVersion": "v1", "name": "none", "uid": "u"})))),
    ("POST", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", {"metadata": {"name": "n2"}}),
    ("POST", "/apis/storage.k8s.io/v1/csinodes", {"metadata": {"name": "n2"}, "spec": {"drivers": []}}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_what_a_node_may_write(nodes: Both, method: str, path: str, body: Any) -> None:
    refused_alike(nodes, method, f"{path}?dryRun=All", body)
