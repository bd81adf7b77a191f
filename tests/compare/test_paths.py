"""Paths that name nothing, and methods that nothing takes."""

import pytest
from same import Both

PATHS = [
    ("GET", "/apis/no.example.com/v1/foos"),
    ("GET", "/apis/no.example.com/v1/namespaces/x/foos/y"),
    ("POST", "/apis/no.example.com/v1/foos"),
    ("GET", "/apis/no.example.com"),
    ("GET", "/apis/no.example.com/v1"),
    ("GET", "/apis/apps/v9/deployments"),
    ("GET", "/apis/apps/v1/nothing"),
    ("GET", "/api/v2"),
    ("GET", "/api/v1/pods/x/y/z/w"),
    ("GET", "/api/v1/namespaces/default/pods/a/nothing"),
    ("GET", "/nothing"),
    ("GET", "/healthz/"),
    ("POST", "/api/v1"),
    ("POST", "/apis/apps"),
    ("PUT", "/api/v1/namespaces"),
    ("DELETE", "/apis"),
    ("OPTIONS", "/api/v1/namespaces"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_paths(both: Both, method: str, path: str) -> None:
    pair = both.same(method, path, {} if method in ("POST", "PUT") else None)
    assert pair.kybern.body == pair.kube.body
