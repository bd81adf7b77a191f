"""Keys are where upstream puts them."""

import pytest

from kybern.apiserver.core import keys


@pytest.mark.parametrize(
    ("group", "resource", "custom", "prefix"),
    [
        ("", "pods", False, "/registry/pods/"),
        ("", "nodes", False, "/registry/minions/"),
        ("", "services", False, "/registry/services/specs/"),
        ("", "endpoints", False, "/registry/services/endpoints/"),
        ("apps", "deployments", False, "/registry/deployments/"),
        ("networking.k8s.io", "ingresses", False, "/registry/ingress/"),
        ("apiregistration.k8s.io", "apiservices", False, "/registry/apiregistration.k8s.io/apiservices/"),
        ("example.com", "things", True, "/registry/example.com/things/"),
    ],
)
def test_prefix(group: str, resource: str, custom: bool, prefix: str) -> None:
    assert keys.prefix(group, resource, custom) == prefix


def test_suffix() -> None:
    assert (keys.suffix("ns", "a"), keys.suffix("", "a")) == ("ns/a", "a")


@pytest.mark.parametrize(
    ("key", "resource"),
    [
        ("/registry/pods/default/a", ("", "pods")),
        ("/registry/minions/a", ("", "nodes")),
        ("/registry/services/specs/default/a", ("", "services")),
        ("/registry/services/endpoints/default/a", ("", "endpoints")),
        ("/registry/deployments/default/a", ("apps", "deployments")),
        ("/registry/example.com/things/default/a", ("example.com", "things")),
        ("/registry/example.com/things/a", ("example.com", "things")),
        ("/registry/unknown/default/a", None),
        ("/registry/example.com", None),
        ("/registry/pods", None),
        ("/other/pods/a", None),
        ("", None),
    ],
)
def test_classifier(key: str, resource: tuple[str, str] | None) -> None:
    core = ("pods", "nodes", "services", "endpoints")
    assert keys.classifier([*(("", name) for name in core), ("apps", "deployments")])(key) == resource
