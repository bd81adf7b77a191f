"""kubectl apply --server-side: conflicts, force, what is no longer applied, and coming from client-side apply."""

import json
from pathlib import Path
from typing import Any

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.manifests import config_map

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FLAGS = ["--server-side"]


def owners(kubectl: Kubectl, *what: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(manager, operation, subresource) → fields of an object."""
    shown = kubectl.json("get", *what, "--show-managed-fields")
    rows = shown["metadata"].get("managedFields", ())
    return {(row["manager"], row["operation"], row.get("subresource", "")): row["fieldsV1"] for row in rows}


def deployment(**spec: Any) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
    wanted = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": wanted}


def test_apply_and_apply_again(kubectl: Kubectl) -> None:
    assert kubectl.send("apply", config_map("a", x="1"), flags=FLAGS) == "configmap/a serverside-applied"
    version = kubectl("get", "configmap", "a", "-o", "jsonpath={.metadata.resourceVersion}")
    kubectl.send("apply", config_map("a", x="1"), flags=FLAGS)
    assert kubectl("get", "configmap", "a", "-o", "jsonpath={.metadata.resourceVersion}") == version
    kubectl.send("apply", config_map("a", y="2"), flags=FLAGS)
    assert kubectl.json("get", "configmap", "a")["data"] == {"y": "2"}
    assert owners(kubectl, "configmap", "a") == {("kubectl", "Apply", ""): {"f:data": {"f:y": {}}}}


def test_managed_fields_are_shown_when_asked_for(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a", "--from-literal=x=1")
    assert "managedFields" not in kubectl("get", "configmap", "a", "-o", "yaml")
    assert owners(kubectl, "configmap", "a") == {("kubectl-create", "Update", ""): {"f:data": {".": {}, "f:x": {}}}}


def test_conflict_and_force(kubectl: Kubectl) -> None:
    kubectl.send("apply", config_map("a", x="1", z="1"), flags=[*FLAGS, "--field-manager=owner"])
    body = json.dumps(config_map("a", x="2"))
    said = kubectl.error("apply", "-f", "-", *FLAGS, "--field-manager=me", stdin=body)
    assert said.startswith('error: Apply failed with 1 conflict: conflict with "owner": .data.x\nPlease review')
    kubectl("apply", "-f", "-", *FLAGS, "--field-manager=me", "--force-conflicts", stdin=body)
    assert kubectl.json("get", "configmap", "a")["data"] == {"x": "2", "z": "1"}
    assert owners(kubectl, "configmap", "a") == {
        ("me", "Apply", ""): {"f:data": {"f:x": {}}},
        ("owner", "Apply", ""): {"f:data": {"f:z": {}}},
    }


def test_conflict_with_other_commands(kubectl: Kubectl) -> None:
    kubectl.send("apply", deployment(replicas=1), flags=FLAGS)
    kubectl("scale", "deployment", "web", "--replicas=2")
    kubectl("set", "image", "deployment/web", "c=busybox:2")
    body = json.dumps(deployment(replicas=1))
    said = kubectl.error("apply", "-f", "-", *FLAGS, stdin=body)
    me = Path(kubectl.binary).name  # the user agent
    assert f'conflicts with "{me}" with subresource "scale" using apps/v1:\n- .spec.replicas\n' in said
    assert 'conflicts with "kubectl-set" using apps/v1:\n- .spec.template.spec.containers[name="c"].image\n' in said
    kubectl.send("apply", deployment(replicas=1), flags=[*FLAGS, "--force-conflicts"])
    assert kubectl.json("get", "deployment", "web")["spec"]["replicas"] == 1


def test_from_client_side_apply(kubectl: Kubectl) -> None:
    kubectl.send("apply", config_map("a", x="1", y="1"))
    assert set(owners(kubectl, "configmap", "a")) == {("kubectl-client-side-apply", "Update", "")}
    kubectl.send("apply", config_map("a", x="2"), flags=FLAGS)
    found = kubectl.json("get", "configmap", "a")
    assert found["data"] == {"x": "2"}, "what client-side apply wrote is kubectl's now, and goes with it"
    assert json.loads(found["metadata"]["annotations"][LAST_APPLIED])["data"] == {"x": "2"}
    assert ("kubectl", "Apply", "") in owners(kubectl, "configmap", "a")
    kubectl.send("apply", config_map("a", x="3"))
    assert kubectl.json("get", "configmap", "a")["data"] == {"x": "3"}, "and back"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": {"x": 1}}, ".data.x: expected string, got &value.valueUnstructured{Value:1}"),
        ({"bogus": 1}, ".bogus: field not declared in schema"),
    ],
)
def test_configurations_that_do_not_fit(kubectl: Kubectl, change: dict[str, Any], words: str) -> None:
    body = json.dumps({**config_map("a", x="1"), **change})
    said = kubectl.error("apply", "-f", "-", *FLAGS, "--validate=false", stdin=body)
    where = f"{kubectl.namespace}/a; /v1, Kind=ConfigMap"
    assert said == f"Error from server: failed to create typed patch object ({where}): {words}"


def test_dry_run_and_diff(kubectl: Kubectl) -> None:
    said = kubectl.send("apply", config_map("a", x="1"), flags=[*FLAGS, "--dry-run=server"])
    assert said == "configmap/a serverside-applied (server dry run)"
    assert "NotFound" in kubectl.error("get", "configmap", "a")
    kubectl.send("apply", config_map("a", x="1"), flags=FLAGS)
    shown = kubectl.run("diff", "-f", "-", *FLAGS, stdin=json.dumps(config_map("a", x="2")))
    assert shown.code == 1, shown.err
    assert '+  x: "2"' in shown.out
