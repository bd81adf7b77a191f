"""kubectl with custom resources: definitions, objects, columns, explain, errors, scale, deletion."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from kybern.testing.cluster import Kubectl

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: crontabs.GROUP
spec:
  group: GROUP
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct], categories: [GROUPall]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            description: What is wanted of a CronTab.
            type: object
            required: [cronSpec]
            properties:
              cronSpec: {type: string, description: When to run., pattern: '^[*0-9/ ]+$'}
              image: {type: string}
              replicas: {type: integer, minimum: 1, maximum: 10, default: 1}
              limit: {x-kubernetes-int-or-string: true}
          status:
            type: object
            properties:
              replicas: {type: integer}
              labelSelector: {type: string}
              conditions:
                type: array
                items: {type: object, properties: {type: {type: string}, status: {type: string}}}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Image, type: string, jsonPath: .spec.image, priority: 1}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
"""


@pytest.fixture
def group(kubectl: Kubectl) -> Iterator[str]:
    """A group with a CronTab of its own, established; its name."""
    group = f"{kubectl.namespace}.example.com"
    text = DEFINITION.replace("GROUPall", f"{kubectl.namespace}all").replace("GROUP", group)
    assert kubectl("apply", "-f", "-", stdin=text) == (
        f"customresourcedefinition.apiextensions.k8s.io/crontabs.{group} created"
    )
    kubectl("wait", "--for=condition=Established", f"crd/crontabs.{group}", "--timeout=10s")
    yield group
    kubectl("delete", "crd", f"crontabs.{group}", "--ignore-not-found", "--wait=false")


def tab(group: str, name: str = "a", **spec: Any) -> dict[str, Any]:
    spec = {"cronSpec": "* * * * */5", "image": "cron:1"} | spec
    return {"apiVersion": f"{group}/v1", "kind": "CronTab", "metadata": {"name": name}, "spec": spec}


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()]


def test_definition(kubectl: Kubectl, group: str) -> None:
    assert rows(kubectl("get", "crd", f"crontabs.{group}", "--no-headers"))[0][0] == f"crontabs.{group}"
    listed = rows(kubectl("api-resources", "--api-group", group, "--no-headers"))
    assert listed == [["crontabs", "ct", f"{group}/v1", "true", "CronTab"]]
    assert f"{group}/v1" in kubectl("api-versions").split()


def test_objects(kubectl: Kubectl, group: str) -> None:
    assert kubectl("create", "-f", "-", stdin=json.dumps(tab(group))) == f"crontab.{group}/a created"
    assert kubectl("get", f"crontabs.{group}", "-o", "name") == f"crontab.{group}/a"
    assert kubectl("get", f"{kubectl.namespace}all", "-o", "name") == f"crontab.{group}/a"
    kubectl("patch", f"crontabs.{group}", "a", "--type=merge", "-p", '{"spec": {"replicas": 3}}')
    assert kubectl.json("get", f"crontabs.{group}", "a")["spec"]["replicas"] == 3
    kubectl("label", f"crontabs.{group}", "a", "x=y")
    assert kubectl("get", f"crontabs.{group}", "-l", "x=y", "-o", "name") == f"crontab.{group}/a"
    assert kubectl("delete", f"crontabs.{group}", "a") == (
        f'crontab.{group} "a" deleted' + (f" from {kubectl.namespace} namespace" if kubectl.minor >= 34 else "")
    )


def test_columns(kubectl: Kubectl, group: str) -> None:
    kubectl.send("create", tab(group))
    head, row = rows(kubectl("get", f"crontabs.{group}"))
    assert head == ["NAME", "SPEC", "REPLICAS", "READY", "AGE"]
    assert row[:7] == ["a", "*", "*", "*", "*", "*/5", "1"]
    head, row = rows(kubectl("get", f"crontabs.{group}", "-o", "wide"))
    assert head == ["NAME", "SPEC", "REPLICAS", "IMAGE", "READY", "AGE"]
    assert row[7] == "cron:1"
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    kubectl("patch", f"crontabs.{group}", "a", "--subresource=status", "--type=merge", "-p", json.dumps(ready))
    assert "True" in rows(kubectl("get", f"crontabs.{group}", "--no-headers"))[0]
    kubectl("wait", "--for=condition=Ready", f"crontabs.{group}/a", "--timeout=5s")


def test_apply(kubectl: Kubectl, group: str) -> None:
    assert kubectl.send("apply", tab(group)) == f"crontab.{group}/a created"
    assert kubectl.send("apply", tab(group)) == f"crontab.{group}/a unchanged"
    assert kubectl.send("apply", tab(group, replicas=2)) == f"crontab.{group}/a configured"
    applied = kubectl.send("apply", tab(group, replicas=4), flags=("--server-side", "--force-conflicts"))
    assert applied == f"crontab.{group}/a serverside-applied"
    assert kubectl.json("get", f"crontabs.{group}", "a")["spec"]["replicas"] == 4


def test_explain(kubectl: Kubectl, group: str) -> None:
    text = kubectl("explain", "crontabs.spec", f"--api-version={group}/v1")
    assert "What is wanted of a CronTab." in text
    assert "cronSpec\t<string> -required-" in text


def test_wrong_objects(kubectl: Kubectl, group: str) -> None:
    message = kubectl.error("create", "-f", "-", stdin=json.dumps(tab(group, replicas="x", cronSpec="no")))
    accessor = "x is of the type string, expected int64"
    assert sorted(message.splitlines(), reverse=True) == [
        'The CronTab "a" is invalid: ',
        '* spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
        "* spec.cronSpec: Invalid value: \"no\": spec.cronSpec in body should match '^[*0-9/ ]+$'",
        f"* .spec.replicas: Invalid value: 0: .spec.replicas accessor error: {accessor}",
    ]
    message = kubectl.error("create", "-f", "-", stdin=json.dumps(tab(group, replica=1)))
    assert message == (
        'Error from server (BadRequest): error when creating "STDIN": CronTab in version "v1" cannot be handled as a '
        'CronTab: strict decoding error: unknown field "spec.replica"'
    )
    kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(tab(group, replica=1)))
    assert "replica" not in kubectl.json("get", f"crontabs.{group}", "a")["spec"]


def test_scale(kubectl: Kubectl, group: str) -> None:
    kubectl.send("create", tab(group))
    assert kubectl("scale", f"crontabs.{group}/a", "--replicas=5") == f"crontab.{group}/a scaled"
    assert kubectl.json("get", f"crontabs.{group}", "a")["spec"]["replicas"] == 5


def test_owned_objects_go_with_their_owner(kubectl: Kubectl, group: str) -> None:
    kubectl.send("create", tab(group))
    uid = kubectl.json("get", f"crontabs.{group}", "a")["metadata"]["uid"]
    owner = {"apiVersion": f"{group}/v1", "kind": "CronTab", "name": "a", "uid": uid}
    child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "child", "ownerReferences": [owner]}}
    kubectl.send("create", child)
    kubectl("delete", f"crontabs.{group}", "a")
    kubectl("wait", "--for=delete", "configmap/child", "--timeout=20s")


def test_namespace_takes_its_objects(kubectl: Kubectl, group: str) -> None:
    name = f"{kubectl.namespace}-more"
    kubectl("create", "namespace", name)
    kubectl.within(name).send("create", tab(group))
    kubectl("delete", "namespace", name, "--timeout=30s")
    assert kubectl("get", f"crontabs.{group}", "-A", "-o", "name") == ""


def test_delete_definition(kubectl: Kubectl, group: str) -> None:
    kubectl.send("create", tab(group))
    kubectl("delete", "crd", f"crontabs.{group}", "--timeout=20s")
    assert "the server doesn't have a resource type" in kubectl.error("get", f"crontabs.{group}")


def test_access(kubectl: Kubectl, group: str) -> None:
    kubectl("create", "role", "tabs", "--verb=get,list", f"--resource=crontabs.{group}")
    kubectl("create", "rolebinding", "tabs", "--role=tabs", "--user=joe")
    assert kubectl("get", f"crontabs.{group}", "-o", "name", "--as=joe") == ""
    assert f'cannot create resource "crontabs" in API group "{group}"' in kubectl.error(
        "create", "-f", "-", "--as=joe", stdin=json.dumps(tab(group))
    )


def test_wrong_definition(admin: Kubectl) -> None:
    crd = yaml.safe_load(DEFINITION.replace("GROUP", "wrong.example.com"))
    del crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["type"]
    assert (
        "spec.validation.openAPIV3Schema.properties[spec].type: Required value: "
        "must not be empty for specified object fields"
    ) in admin.error("create", "-f", "-", stdin=json.dumps(crd))
