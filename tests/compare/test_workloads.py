"""Controllers of pods: their specs, statuses, scale and tables."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from bad_values import Asked, with_bad_values
from same import Both, normal

SPECS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "workloads.yaml").read_text())
PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "ReplicationController": "/api/v1/namespaces/{}/replicationcontrollers",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
SCALED = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")
# Not compared: a kube-apiserver 1.36 panics at the first; the others are that it tells empty labels and lists from none
# in messages.
PANICS = ("completions = absent", "completions = -1")
UNLIKE = (
    "template.metadata.labels = {}",
    "jobTemplate.metadata = ",
    "template.metadata = ",
    "labels.a = absent",
    "values.0 = absent",
)


def whole(kind: str, name: str = "w") -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"l": "m"}}, "spec": SPECS[kind]}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", PATHS)
def test_every_field_given_bad_values(both: Both, namespace: str, kind: str) -> None:
    path, ask = PATHS[kind].format(namespace), Asked(both)
    ask("as it is", "POST", path, whole(kind))
    for what, obj in with_bad_values({"spec": SPECS[kind]}, ("spec",)):
        if what.endswith((*PANICS, *UNLIKE)) or any(one in f"{what} " for one in UNLIKE):
            continue
        ask(f"new, {what}", "POST", f"{path}?dryRun=All", {**obj, "metadata": {"name": "q", "labels": {"l": "m"}}})
        if kind != "Job":  # what may not change is shown as Go's internal struct
            ask(f"old, {what}", "PUT", f"{path}/w?dryRun=All", {**obj, "metadata": {"name": "w", "labels": {"l": "m"}}})
    ask.check()


STATUSES: list[dict[str, Any]] = [
    {"replicas": 3},
    {"replicas": -1},
    {"readyReplicas": 5, "replicas": 2},
    {"replicas": 6, "readyReplicas": 3, "availableReplicas": 5},
    {"observedGeneration": -1},
    {"conditions": [{"type": "Complete", "status": "True"}]},
    {"active": -1},
    {"ready": 5},
    {"desiredNumberScheduled": -1},
    {"completedIndexes": "0,x"},
    {"completedIndexes": "1", "failedIndexes": "1"},
    {"completionTime": "2025-01-01T00:00:00Z", "startTime": "2026-01-01T00:00:00Z"},
    {"uncountedTerminatedPods": {"succeeded": ["a", "a"]}},
    {"terminating": -1},
]


@pytest.mark.parametrize("kind", PATHS)
def test_status_scale_and_tables(both: Both, namespace: str, kind: str) -> None:
    path, ask = PATHS[kind].format(namespace), Asked(both)
    ask("made", "POST", path, whole(kind))
    known = {"Content-Type": "application/merge-patch+json"}
    for status in STATUSES:
        if kind == "CronJob" and "active" in status:  # a list there; the message shows the whole object
            continue
        ask(
            f"status {status}", "PATCH", f"{path}/w/status?dryRun=All&fieldValidation=Ignore", {"status": status}, known
        )
    if kind in SCALED:
        ask("scale", "GET", f"{path}/w/scale")
        for spec in ({"replicas": 5}, {"replicas": -1}, {}, {"replicas": None}):
            ask(f"scale {spec}", "PATCH", f"{path}/w/scale?dryRun=All", {"spec": spec})
    pair = both.ask("GET", path, headers=TABLE)
    kube, kybern = (answer.document["rows"][0]["cells"] for answer in (pair.kube, pair.kybern))
    assert normal(kube) == normal(kybern)
    ask("deleted", "DELETE", f"{path}/w")
    ask("listed", "GET", path)
    ask.check()


@pytest.mark.parametrize("kind", PATHS)
def test_names(both: Both, namespace: str, kind: str) -> None:
    ask = Asked(both)
    for name in ("a.b", "a" * 60, "a" * 300, "-", "A", ""):
        ask(name, "POST", f"{PATHS[kind].format(namespace)}?dryRun=All", whole(kind, name))
    ask.check()
