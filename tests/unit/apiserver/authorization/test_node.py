"""What the Node authorizer lets an agent do, and how it says no; see tests/compare/test_access.py for the judge."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from kybern.apiserver.authorization.node import NodeAuthorizer
from kybern.apiserver.authorization.refusal import Denied
from kybern.apiserver.core.user import User
from kybern.apiserver.storage.entry import Entry
from kybern.kube.rbac import Attributes

AGENT = User("system:node:n1", ("system:nodes",))
MINE = (("spec.nodeName", "In", ("n1",)),)


def entry(key: str, obj: dict[str, Any], **fields: str) -> Entry:
    return Entry(key, orjson.dumps(obj), 1, obj, fields)


def cache(*entries: Entry) -> Any:
    by_key = {one.key: one for one in entries}
    get = lambda namespace, name: by_key.get(f"{namespace}/{name}" if namespace else name)  # noqa: E731
    return SimpleNamespace(entries=by_key, listeners=[], get=get)


@pytest.fixture
def authorizer() -> NodeAuthorizer:
    volumes: list[Any] = [{"secret": {"secretName": "used"}}, {"persistentVolumeClaim": {"claimName": "claim"}}]
    spec = {"nodeName": "n1", "serviceAccountName": "sa", "volumes": volumes}
    spec["resourceClaims"] = [{"name": "r", "resourceClaimName": "claimed"}]
    pod = {"metadata": {"namespace": "a", "name": "p"}, "spec": spec}
    secret = {"nodePublishSecretRef": {"namespace": "b", "name": "of-volume"}}
    volume = {"metadata": {"name": "v"}, "spec": {"claimRef": {"namespace": "a", "name": "claim"}, "csi": secret}}
    attachment = {"metadata": {"name": "va"}, "spec": {"nodeName": "n1"}}
    caches = {
        "pods": cache(entry("a/p", pod, **{"spec.nodeName": "n1"})),
        "persistentvolumes": cache(entry("v", volume)),
        "volumeattachments": cache(entry("va", attachment)),
        "resourceslices": cache(entry("rs", attachment)),
    }
    found = NodeAuthorizer([{"verbs": ["list"], "apiGroups": [""], "resources": ["services"]}])
    found.follow(lambda group, resource: caches[resource])
    return found


@pytest.mark.parametrize(
    "asked",
    [
        Attributes("get", "", "secrets", "", "a", "used"),
        Attributes("watch", "", "secrets", "", "a", "used"),
        Attributes("get", "", "secrets", "", "b", "of-volume"),
        Attributes("get", "", "persistentvolumeclaims", "", "a", "claim"),
        Attributes("patch", "", "persistentvolumeclaims", "status", "a", "claim"),
        Attributes("get", "", "persistentvolumes", "", "", "v"),
        Attributes("create", "", "serviceaccounts", "token", "a", "sa"),
        Attributes("get", "resource.k8s.io", "resourceclaims", "", "a", "claimed"),
        Attributes("get", "storage.k8s.io", "volumeattachments", "", "", "va"),
        Attributes("delete", "resource.k8s.io", "resourceslices", "", "", "rs"),
        Attributes("list", "resource.k8s.io", "resourceslices", fields=MINE),
        Attributes("list", "", "pods", fields=MINE),
        Attributes("get", "", "pods", "", "a", "p"),
        Attributes("watch", "", "nodes", name="n1"),
        Attributes("update", "coordination.k8s.io", "leases", "", "kube-node-lease", "n1"),
        Attributes("create", "storage.k8s.io", "csinodes"),
        Attributes("list", "", "services"),
    ],
    ids=lambda asked: f"{asked.verb}-{asked.combined_resource}",
)
def test_allowed(authorizer: NodeAuthorizer, asked: Attributes) -> None:
    assert authorizer.decide(AGENT, asked) is True


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (Attributes("get", "", "secrets", "", "a", "other"), "no relationship found between node 'n1' and this object"),
        (Attributes("list", "", "secrets"), "can only read namespaced object of this type"),
        (Attributes("get", "", "secrets", "status", "a", "used"), "cannot read subresource"),
        (Attributes("delete", "", "configmaps", "", "a", "x"), "can only read resources of this type"),
        (Attributes("list", "", "persistentvolumes"), "can only get individual resources of this type"),
        (
            Attributes("get", "", "persistentvolumeclaims", "status", "a", "claim"),
            "can only get/update/patch this type",
        ),
        (Attributes("list", "", "pods"), "can only list/watch pods with spec.nodeName field selector"),
        (Attributes("get", "", "nodes", name="n2"), "node 'n1' cannot read 'n2', only its own Node object"),
        (Attributes("list", "", "nodes"), "node 'n1' cannot read all nodes, only its own Node object"),
        (
            Attributes("list", "", "serviceaccounts", "", "a"),
            "can only create tokens for individual service accounts",
        ),
        (
            Attributes("get", "coordination.k8s.io", "leases", "", "a", "n1"),
            'can only access leases in the "kube-node-lease" system namespace',
        ),
    ],
)
def test_denied(authorizer: NodeAuthorizer, asked: Attributes, reason: str) -> None:
    assert authorizer.decide(AGENT, asked) == Denied(reason)


def test_other_users(authorizer: NodeAuthorizer) -> None:
    asked = Attributes("get", "", "nodes", name="n1")
    assert authorizer.decide(User("system:node:n1"), asked) is False
    assert authorizer.decide(User("system:node:", ("system:nodes",)), asked) == Denied(
        'unknown node for user "system:node:"'
    )
