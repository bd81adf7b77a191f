"""Paths and verbs, by name."""

import pytest

from kybern.gateway.core.router import GroupPath, ResourcePath, group_path, resource_path, verb

PATHS = [
    ("/api/v1/pods", ResourcePath("", "v1", "pods")),
    ("/api/v1/namespaces/ns/pods", ResourcePath("", "v1", "pods", "ns")),
    ("/api/v1/namespaces/ns/pods/p", ResourcePath("", "v1", "pods", "ns", "p")),
    ("/api/v1/namespaces/ns/pods/p/log", ResourcePath("", "v1", "pods", "ns", "p", "log")),
    ("/api/v1/namespaces/ns/services/s:80/proxy/a/b", ResourcePath("", "v1", "services", "ns", "s:80", "proxy", "a/b")),
    ("/api/v1/namespaces", ResourcePath("", "v1", "namespaces")),
    ("/api/v1/namespaces/ns", ResourcePath("", "v1", "namespaces", "", "ns")),
    ("/api/v1/namespaces/ns/status", ResourcePath("", "v1", "namespaces", "", "ns", "status")),
    ("/api/v1/namespaces/ns/finalize", ResourcePath("", "v1", "namespaces", "", "ns", "finalize")),
    ("/api/v1/nodes/n/", ResourcePath("", "v1", "nodes", "", "n")),
    ("/apis/apps/v1/namespaces/ns/deployments/d/scale", ResourcePath("apps", "v1", "deployments", "ns", "d", "scale")),
    (
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/a:b",
        ResourcePath("rbac.authorization.k8s.io", "v1", "clusterroles", "", "a:b"),
    ),
    ("/api/v1/watch/pods", ResourcePath("", "v1", "pods", watch=True)),
    ("/api/v1/watch/namespaces/ns/pods/p", ResourcePath("", "v1", "pods", "ns", "p", watch=True)),
    ("/api/v1/watch", ResourcePath("", "v1", "watch")),
    ("/api/v1//pods", None),
    ("/api/v1", None),
    ("/apis/apps/v1", None),
    ("/healthz", None),
    ("/", None),
]


@pytest.mark.parametrize(("path", "wanted"), PATHS)
def test_resource_paths(path: str, wanted: ResourcePath | None) -> None:
    assert resource_path(path) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/api", GroupPath(True)),
        ("/api/", GroupPath(True)),
        ("/api/v1", GroupPath(True, "", "v1")),
        ("/apis", GroupPath(False)),
        ("/apis/apps", GroupPath(False, "apps")),
        ("/apis/apps/v1", GroupPath(False, "apps", "v1")),
        ("/version", None),
    ],
)
def test_group_paths(path: str, wanted: GroupPath | None) -> None:
    assert group_path(path) == wanted


COLLECTION, OBJECT = ResourcePath("", "v1", "pods", "ns"), ResourcePath("", "v1", "pods", "ns", "p")


@pytest.mark.parametrize(
    ("method", "target", "watch", "wanted"),
    [
        ("GET", COLLECTION, False, "list"),
        ("GET", OBJECT, False, "get"),
        ("GET", COLLECTION, True, "watch"),
        ("POST", COLLECTION, False, "create"),
        ("PUT", OBJECT, False, "update"),
        ("PATCH", OBJECT, False, "patch"),
        ("DELETE", OBJECT, False, "delete"),
        ("DELETE", COLLECTION, False, "deletecollection"),
        ("OPTIONS", OBJECT, False, ""),
    ],
)
def test_verbs(method: str, target: ResourcePath, watch: bool, wanted: str) -> None:
    assert verb(method, target, watch) == wanted
