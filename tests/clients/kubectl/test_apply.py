"""kubectl apply, diff, replace and edit: how a manifest becomes the object."""

import copy
from typing import Any

import pytest
import yaml

from kybern.testing.cluster import Kubectl

Object = dict[str, Any]


def config(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"}, "data": data}


def deployment(**spec: Any) -> Object:
    labels = {"app": "web"}
    containers = [{"name": "c", "image": "busybox:1"}, {"name": "sidecar", "image": "busybox:1"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def test_apply_says_what_it_did(kubectl: Kubectl) -> None:
    first = kubectl.send("apply", config(a="1"), deployment())
    again = kubectl.send("apply", config(a="1"), deployment())
    changed = kubectl.send("apply", config(a="2"), deployment(replicas=2))
    assert first.split("\n") == ["configmap/app created", "deployment.apps/web created"]
    assert again.split("\n") == ["configmap/app unchanged", "deployment.apps/web unchanged"]
    assert changed.split("\n") == ["configmap/app configured", "deployment.apps/web configured"]
    last = yaml.safe_load(kubectl("apply", "view-last-applied", "configmap/app"))
    assert last["data"] == {"a": "2"}


def test_three_way_merge(kubectl: Kubectl) -> None:
    kubectl.send("apply", config(a="1", b="1"))
    kubectl("patch", "configmap", "app", "--type=merge", "-p", '{"data":{"other":"kept"}}')
    kubectl.send("apply", config(a="2"))
    assert kubectl.json("get", "configmap", "app")["data"] == {"a": "2", "other": "kept"}


def test_lists_are_merged_by_key(kubectl: Kubectl) -> None:
    kubectl.send("apply", deployment())
    kubectl("set", "env", "deployment/web", "-c", "c", "ADDED=1")
    wanted = copy.deepcopy(deployment())
    del wanted["spec"]["template"]["spec"]["containers"][1]
    kubectl.send("apply", wanted)
    containers = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert [(each["name"], each.get("env")) for each in containers] == [("c", [{"name": "ADDED", "value": "1"}])]


def test_dry_run_changes_nothing(kubectl: Kubectl) -> None:
    said = kubectl.send("apply", config(a="1"), flags=["--dry-run=server"])
    assert said == "configmap/app created (server dry run)"
    assert kubectl.send("apply", config(a="1"), flags=["--dry-run=client"]) == "configmap/app created (dry run)"
    assert kubectl.run("get", "configmap", "app").code == 1


def test_diff(kubectl: Kubectl) -> None:
    kubectl.send("apply", config(a="1"), deployment())
    assert kubectl.send("diff", config(a="1"), deployment()) == ""
    manifest = yaml.safe_dump_all([config(a="2"), deployment(replicas=3)])
    result = kubectl.run("diff", "-f", "-", stdin=manifest)
    lines = [line for line in result.out.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert result.code == 1
    assert sorted(lines) == sorted(
        ['-  a: "1"', '+  a: "2"', "-  generation: 1", "+  generation: 2", "-  replicas: 1", "+  replicas: 3"]
    )


@pytest.mark.parametrize("flags", [["--server-side"], ["--server-side", "--force-conflicts"]], ids=" ".join)
def test_server_side_apply(kubectl: Kubectl, flags: list[str]) -> None:
    result = kubectl.run("apply", "-f", "-", *flags, stdin=yaml.safe_dump(config(a="1")))
    assert (result.out, result.err) == ("configmap/app serverside-applied\n", "")
    (managed,) = kubectl.json("get", "configmap", "app", "--show-managed-fields")["metadata"]["managedFields"]
    assert (managed["manager"], managed["operation"]) == ("kubectl", "Apply")
    assert "f:a" in managed["fieldsV1"]["f:data"]


def test_server_side_apply_of_what_another_manages(kubectl: Kubectl) -> None:
    kubectl.send("apply", config(a="1"), flags=["--server-side", "--field-manager=one"])
    second = ["apply", "--server-side", "--field-manager=two", "-f", "-"]
    conflict = kubectl.error(*second, stdin=yaml.safe_dump(config(a="2")))
    assert 'Apply failed with 1 conflict: conflict with "one": .data.a' in conflict
    assert kubectl(*second, "--force-conflicts", stdin=yaml.safe_dump(config(a="2")))
    kubectl.send("apply", config(b="3"), flags=["--server-side", "--field-manager=one"])
    assert kubectl.json("get", "configmap", "app")["data"] == {"a": "2", "b": "3"}
    kubectl(*second, stdin=yaml.safe_dump(config()))
    assert kubectl.json("get", "configmap", "app")["data"] == {"b": "3"}


def test_replace(kubectl: Kubectl) -> None:
    kubectl.send("create", config(a="1"))
    found = kubectl.json("get", "configmap", "app")
    assert kubectl.send("replace", found | {"data": {"b": "2"}}) == "configmap/app replaced"
    conflict = kubectl.error("replace", "-f", "-", stdin=yaml.safe_dump(found))
    assert conflict == (
        'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled on configmaps '
        '"app": the object has been modified; please apply your changes to the latest version and try again'
    )
    forced = kubectl.send("replace", config(c="3"), flags=["--force"])
    assert forced.split("\n")[-1] == "configmap/app replaced"
    after = kubectl.json("get", "configmap", "app")
    assert (after["data"], after["metadata"]["uid"] != found["metadata"]["uid"]) == ({"c": "3"}, True)


def test_replace_what_is_not_there(kubectl: Kubectl) -> None:
    said = kubectl.error("replace", "-f", "-", stdin=yaml.safe_dump(config()))
    assert said == 'Error from server (NotFound): error when replacing "STDIN": configmaps "app" not found'


def test_edit(kubectl: Kubectl) -> None:
    kubectl.send("create", config(a="before"))
    said = kubectl("edit", "configmap", "app", env={"KUBE_EDITOR": "sed -i s/before/after/"})
    assert said == "configmap/app edited"
    assert kubectl.json("get", "configmap", "app")["data"] == {"a": "after"}
    same = kubectl.run("edit", "configmap", "app", env={"KUBE_EDITOR": "true"})
    assert (same.code, same.err) == (0, "Edit cancelled, no changes made.\n")


def test_edit_of_a_subresource(kubectl: Kubectl) -> None:
    kubectl.send("create", deployment())
    editor = "sed -i s/observedGeneration:.*/observedGeneration:__77/".replace("__", "\\ ")
    kubectl("rollout", "pause", "deployment/web")
    kubectl("wait", "deployment/web", "--for=jsonpath={.status.observedGeneration}=2", "--timeout=10s")
    assert "edited" in kubectl("edit", "deployment", "web", "--subresource=status", env={"KUBE_EDITOR": editor})
    assert kubectl.json("get", "deployment", "web")["metadata"]["generation"] == 2
