"""A kopf operator with a custom resource: handlers, retries, timers, daemons, indexes, finalizers, resuming."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from kybern.testing.cluster import Cluster

FOLDER = Path(__file__).parent
GROUP, VERSION, PLURAL, NAMESPACE = "kopf.example.com", "v1", "cabins", "kopf"
WITHIN = 25  # seconds
FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"beds": {"type": "integer"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": PLURAL, "singular": "cabin", "kind": "Cabin"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": SCHEMA},
            }
        ],
    },
}


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Any]:
    """An ApiClient, with the Cabins defined and a namespace for them."""
    load: Any = config.new_client_from_config
    with load(str(cluster.kubeconfig)) as found:
        definitions, core = client.ApiextensionsV1Api(found), client.CoreV1Api(found)
        definitions.create_custom_resource_definition(CRD)
        core.create_namespace({"metadata": {"name": NAMESPACE}})
        yield found
        core.delete_namespace(NAMESPACE)
        definitions.delete_custom_resource_definition(f"{PLURAL}.{GROUP}")
        found.rest_client.pool_manager.clear()


class Operator:
    """kopf as a process; its log is kept."""

    def __init__(self, cluster: Cluster, log: Path) -> None:
        self.log = log
        env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PYTHONWARNINGS": "default"}
        line = [
            sys.executable,
            "-m",
            "kopf",
            "run",
            str(FOLDER / "cabins.py"),
            "--namespace",
            NAMESPACE,
            "--standalone",
        ]
        with log.open("ab") as output:
            self.process = subprocess.Popen(line, env=env, stdout=output, stderr=output)

    def end(self, *, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(WITHIN)


def until(said: str, log: Path, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, f"{said}\n{log.read_text()[-3000:]}"
        time.sleep(0.05)


@pytest.mark.timeout(200)
def test_operator(cluster: Cluster, api: Any, tmp_path: Path) -> None:
    custom, core, log = client.CustomObjectsApi(api), client.CoreV1Api(api), tmp_path / "operator.log"

    def cabin() -> Any:
        return custom.get_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, "a")

    def status() -> Any:
        return cabin().get("status", {})

    def change(patch: dict[str, Any]) -> None:
        custom.patch_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, "a", patch)

    def names() -> set[str]:
        return {found.metadata.name for found in core.list_namespaced_config_map(NAMESPACE).items}

    def guards() -> set[str]:
        return {name for name in names() if name.startswith("a-guard")}

    def child() -> Any:
        return core.read_namespaced_config_map("a-child", NAMESPACE)

    operator = Operator(cluster, log)
    try:
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Cabin", "metadata": {"name": "a"}, "spec": {"beds": 2}}
        until("the definition is served", log, lambda: served(custom, body))
        until("it is created at the second attempt", log, lambda: status().get("create") == {"attempts": 2})
        assert (child().data, child().metadata.owner_references[0].kind) == ({"beds": "2"}, "Cabin")
        assert cabin()["metadata"]["finalizers"] == [FINALIZER]
        until("timers tick", log, lambda: status().get("ticks") == 3)
        until("the daemon guards", log, lambda: len(guards()) == 1)

        note = {"metadata": {"name": "note", "labels": {"cabin": "a"}}}
        core.create_namespaced_config_map(NAMESPACE, note)
        until("the index has the note", log, lambda: status().get("notes") == 1)

        change({"spec": {"beds": 3}})
        until("the field is followed", log, lambda: child().data == {"beds": "3"} and status()["history"] == "2>3")
        change({"metadata": {"labels": {"bad": "yes"}}, "spec": {"beds": 4}})
        until("a permanent error ends the update", log, lambda: status().get("refused") is True)
        until("events are posted", log, lambda: "Built" in reasons(core))

        killed = guards()
        operator.end(kill=True)
        change({"metadata": {"labels": {"bad": None}}, "spec": {"beds": 5}})
        operator = Operator(cluster, log)
        until("what changed meanwhile is handled", log, lambda: child().data == {"beds": "5"})
        until("it resumes", log, lambda: status().get("resumed", 0) >= 1)

        custom.delete_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, "a")
        until("the deletion is handled", log, lambda: "a-gone" in names())
        until("the daemon goes", log, lambda: guards() == killed)
        until("the child goes with its owner", log, lambda: "a-child" not in names())
        assert custom.list_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL)["items"] == []
    finally:
        operator.end()
    assert "Traceback" not in log.read_text()


def served(custom: Any, body: dict[str, Any]) -> bool:
    """Create the first one, once that is possible."""
    with suppress(client.ApiException):
        custom.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, body)
        return True
    return False


def reasons(core: Any) -> set[str]:
    return {event.reason for event in core.list_namespaced_event(NAMESPACE).items}
