"""A kopf operator of Cabins: every kind of handler there is, each leaving its trace in the status or in a ConfigMap."""

from contextlib import suppress
from typing import Any

import kopf
from kubernetes import client

PLURAL = "cabins.kopf.example.com"


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = True
    settings.execution.max_workers = 4


@kopf.on.create(PLURAL)
def create(body: kopf.Body, name: str, namespace: str, spec: kopf.Spec, retry: int, **_: Any) -> dict[str, Any]:
    """A child ConfigMap, at the second attempt."""
    if retry == 0:
        raise kopf.TemporaryError("not yet", delay=0.2)
    child: dict[str, Any] = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": f"{name}-child"}}
    child["data"] = {"beds": str(spec["beds"])}
    kopf.adopt(child, owner=body)
    client.CoreV1Api().create_namespaced_config_map(namespace, child)
    kopf.info(body, reason="Built", message=f"{spec['beds']} beds")
    return {"attempts": retry + 1}


@kopf.on.resume(PLURAL)
def resume(patch: kopf.Patch, status: kopf.Status, **_: Any) -> None:
    patch.status["resumed"] = status.get("resumed", 0) + 1


@kopf.on.field(PLURAL, field="spec.beds")
def beds(old: Any, new: Any, name: str, namespace: str, patch: kopf.Patch, **_: Any) -> None:
    """Follow the number of beds in the child."""
    patch.status["history"] = f"{old}>{new}"
    if old is not None:
        data = {"data": {"beds": str(new)}}
        client.CoreV1Api().patch_namespaced_config_map(f"{name}-child", namespace, data)


@kopf.on.update(PLURAL, labels={"bad": kopf.PRESENT})
def refuse(patch: kopf.Patch, **_: Any) -> None:
    patch.status["refused"] = True
    raise kopf.PermanentError("bad cabins are not updated")


@kopf.timer(PLURAL, interval=0.3)
def tick(patch: kopf.Patch, status: kopf.Status, **_: Any) -> None:
    if status.get("ticks", 0) < 3:
        patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.daemon(PLURAL, cancellation_polling=0.2)
def guard(stopped: kopf.DaemonStopped, name: str, namespace: str, **_: Any) -> None:
    """A ConfigMap that is there for as long as the daemon runs."""
    core = client.CoreV1Api()
    made = core.create_namespaced_config_map(namespace, {"metadata": {"generateName": f"{name}-guard-"}})
    stopped.wait()
    core.delete_namespaced_config_map(made.metadata.name, namespace)


@kopf.index("configmaps", labels={"cabin": kopf.PRESENT})
def by_cabin(labels: kopf.Labels, name: str, **_: Any) -> dict[str, str]:
    return {labels["cabin"]: name}


@kopf.timer(PLURAL, interval=0.3)
def count(name: str, by_cabin: kopf.Index[str, str], patch: kopf.Patch, status: kopf.Status, **_: Any) -> None:
    """How many ConfigMaps name this cabin, from the index."""
    found = len(by_cabin.get(name, []))
    if status.get("notes") != found:
        patch.status["notes"] = found


@kopf.on.delete(PLURAL)
def delete(name: str, namespace: str, **_: Any) -> None:
    """Leaves a note; called again when the daemon was not done the first time."""
    with suppress(client.ApiException):
        client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": f"{name}-gone"}})
