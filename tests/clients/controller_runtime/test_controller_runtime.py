"""An operator on controller-runtime: it reconciles, survives its own death and a restart, and speaks protobuf."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch

from kybern.testing.cluster import Cluster

FOLDER = Path(__file__).parent
WITHIN = 20  # seconds
Watch: Any = watch.Watch
pytestmark = pytest.mark.timeout(400)

PROPERTIES = {
    "spec": {
        "type": "object",
        "required": ["image", "replicas"],
        "properties": {
            "image": {"type": "string"},
            "replicas": {"type": "integer", "minimum": 0},
            "settings": {"type": "string"},
        },
    },
    "status": {
        "type": "object",
        "properties": {
            "ready": {"type": "integer"},
            "settings": {"type": "string"},
            "observedGeneration": {"type": "integer"},
        },
    },
}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "sites.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "sites", "singular": "site", "kind": "Site"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": PROPERTIES}},
            }
        ],
    },
}


class Operator:
    """A process of the operator; a thread follows what it prints."""

    def __init__(self, program: str, namespace: str, cluster: Cluster) -> None:
        env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
        self.process = subprocess.Popen([program, namespace], env=env, stdout=subprocess.PIPE, text=True)
        self.leading = threading.Event()
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.append(line)
                if line == "leading\n":
                    self.leading.set()

    def stop(self) -> dict[str, Any]:
        """End it in peace; how it was answered."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(WITHIN) == 0
        self._reader.join(WITHIN)
        return dict(json.loads(self._lines[-1]))

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(WITHIN)
        self._reader.join(WITHIN)


@pytest.fixture(scope="session")
def program(build_go: Callable[..., str]) -> str:
    return build_go(FOLDER)


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Any]:
    load: Any = config.new_client_from_config
    with load(str(cluster.kubeconfig)) as found:
        yield found
        found.rest_client.pool_manager.clear()


@pytest.fixture
def sites(api: Any, namespace: str) -> Iterator[Any]:
    """The Sites of a namespace."""
    definitions = client.ApiextensionsV1Api(api)
    definitions.create_custom_resource_definition(CRD)
    conditions = (
        event["object"].status.conditions or []
        for event in Watch().stream(definitions.list_custom_resource_definition, timeout_seconds=WITHIN)
        if event["object"].metadata.name == "sites.example.com"
    )
    assert any(c.type == "Established" and c.status == "True" for found in conditions for c in found)
    yield dynamic.DynamicClient(api).resources.get(api_version="example.com/v1", kind="Site")
    definitions.delete_custom_resource_definition("sites.example.com")


def until(said: str, condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, said
        time.sleep(0.05)


def site(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Site",
        "metadata": {"name": "web"},
        "spec": {"image": "busybox:1", "replicas": 2, **spec},
    }


def test_operator(program: str, cluster: Cluster, api: Any, namespace: str, sites: Any) -> None:
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    first, second = (Operator(program, namespace, cluster) for _ in range(2))
    operators = [first, second]

    def status() -> Any:
        return sites.get(name="web", namespace=namespace).to_dict().get("status", {})

    def deployment() -> Any:
        return apps.read_namespaced_deployment("web", namespace)

    def deployments() -> list[str]:
        return [found.metadata.name for found in apps.list_namespaced_deployment(namespace).items]

    try:
        leases = client.CoordinationV1Api(api)
        until("somebody leads", lambda: bool(leases.list_namespaced_lease(namespace).items))
        holder = leases.read_namespaced_lease("site-controller", namespace).spec.holder_identity
        assert holder
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "texts"}, "data": {"text": "one"}})
        sites.create(body=site(settings="texts"), namespace=namespace)
        until("the leader says so", lambda: first.leading.is_set() or second.leading.is_set())
        until("it is reported ready", lambda: status().get("ready") == 2)
        made = deployment()
        assert (made.metadata.owner_references[0].kind, made.metadata.managed_fields[0].manager) == (
            "Site",
            "site-controller",
        )
        assert made.spec.template.spec.containers[0].env[0].value == "one"

        core.patch_namespaced_config_map("texts", namespace, {"data": {"text": "two"}})
        until("settings are followed", lambda: status().get("settings") == "two")
        assert deployment().spec.template.spec.containers[0].env[0].value == "two"

        apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 5}})
        until("drift is put right", lambda: deployment().spec.replicas == 2)
        until("what was too many is gone", lambda: status().get("ready") == 2)

        led, other = (first, second) if first.leading.is_set() else (second, first)
        led.kill()
        operators.remove(led)
        changed = sites.patch(
            name="web",
            namespace=namespace,
            body={"spec": {"replicas": 3}},
            content_type="application/merge-patch+json",
        )
        assert other.leading.wait(WITHIN)
        done = {"ready": 3, "observedGeneration": changed.metadata.generation}
        until("another leads on", lambda: done.items() <= status().items())
        assert leases.read_namespaced_lease("site-controller", namespace).spec.holder_identity != holder

        # What it did so far may have come from lists, or have been done in its first moment: these come by watches.
        core.patch_namespaced_config_map("texts", namespace, {"data": {"text": "three"}})
        until("another follows settings", lambda: status().get("settings") == "three")
        apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 5}})
        until("another puts drift right", lambda: deployment().spec.replicas == 3)
        answered = other.stop()
        operators.remove(other)
        sites.patch(
            name="web",
            namespace=namespace,
            body={"spec": {"image": "busybox:2"}},
            content_type="application/merge-patch+json",
        )
        third = Operator(program, namespace, cluster)
        operators.append(third)
        assert third.leading.wait(WITHIN)
        until("a restart catches up", lambda: deployment().spec.template.spec.containers[0].image == "busybox:2")

        sites.delete(name="web", namespace=namespace)
        until("the finalizer has run", lambda: sites.get(namespace=namespace).items == [])
        assert core.read_namespaced_config_map("finished-web", namespace).data == {"site": "web"}
        until("what it owned is collected", lambda: deployments() == [])
        third.stop()
        operators.remove(third)
    finally:
        for operator in operators:
            operator.kill()
    check_answers(answered)


def check_answers(answered: dict[str, Any]) -> None:
    """Built-in kinds came in protobuf, the custom one in JSON, and watches began with what there was."""
    by_type = answered["byType"]
    assert by_type["built-in application/vnd.kubernetes.protobuf;stream=watch"] >= 2
    assert by_type["built-in application/vnd.kubernetes.protobuf"] >= 3
    assert by_type["custom application/json"] >= 1
    assert {key for key in by_type if key.startswith("custom")} == {"custom application/json"}
    assert answered["watchLists"] >= 3
