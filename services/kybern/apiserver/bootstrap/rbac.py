"""Bootstrap RBAC: Kubernetes' default roles and bindings, and those of Kybern's own services.

At every start missing roles and bindings are made and missing rules and subjects added, as upstream's reconciliation
does; an object whose annotation `rbac.authorization.kubernetes.io/autoupdate` is not "true" is left alone.
"""

from functools import cache
from importlib.resources import files
from typing import Any

import orjson

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
API_VERSION = f"{GROUP}/v1"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
CONTROLLERS = "system:kube-controller-manager"
SIMULATED_NODES = ("system:kybern:simulated-nodes", "system:node")  # one agent for many nodes: in a cluster, in a test


def bootstrap_objects() -> list[tuple[str, Object]]:
    """(resource, object) of everything, roles before bindings."""
    raw = _read()
    cluster_bindings = [_with_own_subjects(row) for row in [*raw["clusterrolebindings"], *_own_bindings()]]
    rows = (
        ("clusterroles", "ClusterRole", [*raw["clusterroles"], *_own_roles()]),
        ("roles", "Role", [*raw["roles"], *_own_namespaced_roles()]),
        ("clusterrolebindings", "ClusterRoleBinding", cluster_bindings),
        ("rolebindings", "RoleBinding", [_with_own_subjects(row) for row in [*raw["rolebindings"], DNS_BINDING]]),
    )
    return [(resource, _object(kind, row)) for resource, kind, found in rows for row in found]


@cache
def _read() -> dict[str, list[Object]]:
    data = (files("kybern.apiserver.bootstrap") / "data" / "rbac.json").read_bytes()
    raw: dict[str, list[Object]] = orjson.loads(data)
    return raw


def node_rules() -> list[Object]:
    """The rules of `system:node`, which the Node authorizer applies."""
    rules: list[Object] = next(role["rules"] for role in _read()["clusterroles"] if role["name"] == "system:node")
    return rules


def _object(kind: str, row: Object) -> Object:
    metadata: Object = {
        "name": row["name"],
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **(row.get("labels") or {})},
        "annotations": {AUTOUPDATE: "true"},
    }
    if row.get("namespace"):
        metadata["namespace"] = row["namespace"]
    name = str(row["name"])
    if kind == "ClusterRole" and name.startswith("system:aggregate-to-"):
        metadata["labels"][f"{GROUP}/aggregate-to-{name.removeprefix('system:aggregate-to-')}"] = "true"
    if kind == "ClusterRole" and name in ("edit", "view"):
        metadata["labels"][f"{GROUP}/aggregate-to-{'admin' if name == 'edit' else 'edit'}"] = "true"
    rest = {member: value for member, value in row.items() if member not in ("name", "namespace", "labels")}
    return {"kind": kind, "apiVersion": API_VERSION, "metadata": metadata, **rest}


def _own_roles() -> list[Object]:
    """What Kybern's services need beyond upstream's roles."""
    read = ["get", "list", "watch"]
    return [
        {
            "name": "system:kybern:dns",
            "rules": [
                {"verbs": read, "apiGroups": [""], "resources": ["services", "pods", "namespaces", "endpoints"]},
                {"verbs": read, "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"]},
            ],
        },
        {
            "name": NODE_ROUTES,
            "rules": [{"verbs": read, "apiGroups": [""], "resources": ["nodes"]}],
        },
    ]


def _own_namespaced_roles() -> list[Object]:
    """The DNS service makes its own Service."""
    write = ["create", "get", "patch"]
    rules = [
        {"verbs": write, "apiGroups": [""], "resources": ["services"]},
        {"verbs": write, "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"]},
    ]
    return [{"name": "system:kybern:dns", "namespace": "kube-system", "rules": rules}]


NODE_ROUTES = "system:kybern:node-routes"  # agents lead packets to each other's pods, which takes every node's range
DNS_BINDING: Object = {
    "name": "system:kybern:dns",
    "namespace": "kube-system",
    "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "system:kybern:dns"},
    "subjects": [{"kind": "User", "apiGroup": GROUP, "name": "system:kybern:dns"}],
}


def _own_bindings() -> list[Object]:
    return [
        {
            "name": "system:kybern:dns",
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "system:kybern:dns"},
            "subjects": [{"kind": "User", "apiGroup": GROUP, "name": "system:kybern:dns"}],
        },
        {
            "name": NODE_ROUTES,
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": NODE_ROUTES},
            "subjects": [{"kind": "Group", "apiGroup": GROUP, "name": "system:nodes"}],
        },
        {
            "name": "system:kybern:simulated-nodes",
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "system:node"},
            "subjects": [{"kind": "User", "apiGroup": GROUP, "name": name} for name in SIMULATED_NODES],
        },
    ]


def _with_own_subjects(binding: Object) -> Object:
    """The controllers run as one user, not as a service account each."""
    subjects = list(binding.get("subjects") or ())
    name = str(binding["name"])
    if name.startswith("system:controller:"):
        subjects.append({"kind": "User", "apiGroup": GROUP, "name": CONTROLLERS})
    return {**binding, "subjects": subjects} if subjects else binding


def reconciled(current: Object, wanted: Object) -> Object | None:
    """`current` with what it lacks of `wanted`, or None if it lacks nothing."""
    annotations = current["metadata"].get("annotations") or {}
    if annotations.get(AUTOUPDATE) == "false":
        return None
    changed = dict(current)
    for member in ("rules", "subjects"):
        have = current.get(member) or []
        missing = [item for item in wanted.get(member) or () if item not in have]
        if missing and not (member == "rules" and wanted.get("aggregationRule")):
            changed[member] = [*have, *missing]
    if wanted.get("aggregationRule") and not current.get("aggregationRule"):
        changed["aggregationRule"] = wanted["aggregationRule"]
    return None if changed == current else changed
