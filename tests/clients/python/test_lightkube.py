"""lightkube: typed objects, server-side apply, pages, waiting, exec, custom kinds."""

from collections.abc import Iterator
from typing import Any

import pytest

from kybern.testing.cluster import Cluster

lightkube: Any = pytest.importorskip("lightkube")
config: Any = pytest.importorskip("lightkube.config.kubeconfig")
generic: Any = pytest.importorskip("lightkube.generic_resource")
apps: Any = pytest.importorskip("lightkube.resources.apps_v1")
core: Any = pytest.importorskip("lightkube.resources.core_v1")
codecs: Any = pytest.importorskip("lightkube.codecs")
definitions: Any = pytest.importorskip("lightkube.resources.apiextensions_v1")
types: Any = pytest.importorskip("lightkube.types")
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "busybox:1"}]}
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.lightkube.example.com}
spec:
  group: lightkube.example.com
  scope: Namespaced
  names: {plural: lamps, singular: lamp, kind: Lamp}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


def load(text: str) -> Any:
    (found,) = codecs.load_all_yaml(text)
    return found


@pytest.fixture
def client(cluster: Cluster, namespace: str) -> Iterator[Any]:
    loaded = config.KubeConfig.from_file(str(cluster.kubeconfig))
    with lightkube.Client(loaded, namespace=namespace, field_manager="lightkube") as found:
        yield found


def test_apply(client: Any) -> None:
    web = load(WEB)
    made = client.apply(web)
    assert [(m.manager, m.operation) for m in made.metadata.managedFields] == [("lightkube", "Apply")]
    client.wait(apps.Deployment, "web", for_conditions=["Available"])
    web.spec.replicas = 3
    with pytest.raises(lightkube.ApiError, match="conflict with") as caught:
        client.apply(web, field_manager="other")
    assert (caught.value.status.code, caught.value.status.details.causes[0].field) == (409, ".spec.replicas")
    assert client.apply(web, field_manager="other", force=True).spec.replicas == 3
    assert client.patch(apps.Deployment.Scale, "web", {"spec": {"replicas": 1}}).spec.replicas == 1
    client.delete(apps.Deployment, "web", cascade=types.CascadeType.FOREGROUND)


def test_pages_and_patches(client: Any, namespace: str) -> None:
    for number in range(5):
        text = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{number}, labels: {{of: pages}}}}}}"
        client.create(load(text))
    found = client.list(core.ConfigMap, labels={"of": ["pages", "none"]}, chunk_size=2)
    assert [item.metadata.name for item in found] == [f"c{number}" for number in range(5)]
    client.patch(core.ConfigMap, "c0", {"data": {"a": "1"}}, patch_type=types.PatchType.MERGE)
    patch = [{"op": "add", "path": "/data/b", "value": "2"}]
    assert client.patch(core.ConfigMap, "c0", patch, patch_type=types.PatchType.JSON).data == {"a": "1", "b": "2"}
    assert client.patch(core.ConfigMap, "c0", {"data": {"a": None}}).data == {"b": "2"}
    client.deletecollection(core.ConfigMap)
    assert list(client.list(core.ConfigMap, labels={"of": "pages"})) == []


def test_exec_and_logs(client: Any) -> None:
    text = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: 'busybox:1'}]}}"
    client.create(load(text))
    client.wait(core.Pod, "p", for_conditions=["Ready"])
    assert client.exec("p", command=["echo", "a"], stdout=True).stdout == "a\n"
    assert "c started" in "".join(client.log("p"))
    client.delete(core.Pod, "p", grace_period=0)


def test_custom_kind(client: Any) -> None:
    client.create(load(CRD))
    try:
        client.wait(definitions.CustomResourceDefinition, "lamps.lightkube.example.com", for_conditions=["Established"])
        lamp = generic.create_namespaced_resource("lightkube.example.com", "v1", "Lamp", "lamps")
        client.create(lamp(metadata={"name": "a"}, spec={"on": True}))
        client.patch(lamp.Status, "a", {"status": {"seen": 1}}, patch_type=types.PatchType.MERGE)
        events = client.watch(lamp, fields={"metadata.name": "a"})
        event, found = next(events)
        assert (event, found.spec, found.status) == ("ADDED", {"on": True}, {"seen": 1})
        client.delete(lamp, "a")
        assert next(events)[0] == "DELETED"
        events.close()
    finally:
        client.delete(definitions.CustomResourceDefinition, "lamps.lightkube.example.com")
