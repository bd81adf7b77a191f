"""ReplicationControllers, PodTemplates and ControllerRevisions: what they say, what changes, and their scale."""

from typing import Any

import pytest
from bad_values import Asked
from same import Both

Object = dict[str, Any]
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
RUN = {"containers": [{"name": "c", "image": "i"}]}
POD = {"metadata": {"labels": {"a": "b"}}, "spec": RUN}


def pod(**spec: Any) -> Object:
    return {**POD, "spec": {**RUN, **spec}}


SPECS: list[Any] = [
    None, {}, {"template": None}, {"selector": {"a": "b"}}, {"selector": {"z": "b"}, "template": POD},
    {"template": {"spec": RUN}}, {"selector": {"a": "b"}, "template": {"spec": RUN}}, {"template": pod(nodeName="q")},
    *({"template": pod(restartPolicy=policy)} for policy in ("Never", "OnFailure")),
    {"template": pod(activeDeadlineSeconds=5)}, {"template": pod(ephemeralContainers=[{"name": "e", "image": "i"}])},
    {"template": {"metadata": {"labels": {"-": "b"}}, "spec": RUN}},
    {"template": pod(terminationGracePeriodSeconds=-1)},
    *({"template": POD, "replicas": number} for number in (-1, None, 2147483648, "1", 1.5, 1.0)),
    {"template": POD, "minReadySeconds": -1, "replicas": -2},
]  # fmt: skip


def test_replication_controllers(both: Both, namespace: str) -> None:
    path, ask = f"/api/v1/namespaces/{namespace}/replicationcontrollers", Asked(both)
    ask("made", "POST", path, {"metadata": {"name": "r"}, "spec": {"template": POD}})
    for spec in SPECS:
        for metadata in ({}, {"labels": {"q": "w"}}):
            wanted = {"metadata": {"name": "r", **metadata}, "spec": spec}
            ask(f"new {spec}", "POST", f"{path}?dryRun=All", {**wanted, "metadata": {**metadata, "name": "n"}})
            for sub in ("", "/status"):
                ask(f"put {sub} {spec}", "PUT", f"{path}/r{sub}?dryRun=All", wanted)
    for metadata in (
        {"name": "r"},
        {"name": "x"},
        {},
        {"name": "r", "uid": "u"},
        {"name": "r", "resourceVersion": "1"},
    ):
        for spec in ({"replicas": 2}, {"replicas": -1}, {}, None):
            scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec}
            ask(f"scale {metadata} {spec}", "PUT", f"{path}/r/scale?dryRun=All", scale)
    ask.check()


TEMPLATES: list[Any] = [
    None, {}, {"spec": {}}, {"metadata": {"labels": {"-": "x"}}, "spec": RUN}, pod(restartPolicy="Never"), POD,
    pod(ephemeralContainers=[{"name": "e", "image": "i"}]), pod(nodeName="N"), pod(hostNetwork=True),
]  # fmt: skip


@pytest.mark.parametrize("headers", [{}, STRATEGIC], ids=["merge", "strategic"])
def test_pod_templates(both: Both, namespace: str, headers: dict[str, str]) -> None:
    path, ask = f"/api/v1/namespaces/{namespace}/podtemplates", Asked(both)
    ask("made", "POST", path, {"metadata": {"name": "p"}, "template": POD})
    for template in TEMPLATES:
        ask(f"new {template}", "POST", f"{path}?dryRun=All", {"metadata": {"name": "n"}, "template": template})
        ask(f"old {template}", "PATCH", f"{path}/p?dryRun=All", {"template": template}, headers=headers)
        applied = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "a"}, "template": template}
        ask(f"apply {template}", "PATCH", f"{path}/a?dryRun=All&fieldManager=m", applied, headers=APPLY)
    ask("deleted", "DELETE", f"{path}/p")
    ask.check()


REVISIONS: list[Object] = [
    {}, {"revision": 1}, {"revision": -1, "data": {}}, {"revision": 0, "data": None}, {"revision": 1, "data": "x"},
    {"revision": 1, "data": 5}, {"data": True}, {"revision": "1", "data": {}}, {"revision": 1.5, "data": {}},
    {"revision": 9223372036854775807, "data": {}}, {"revision": 9223372036854775808, "data": {}}, {"revision": 3},
    {"data": {"b": 1, "e": {}, "l": [], "n": None}}, {"data": {"a": 1}, "extra": 1},
]  # fmt: skip


def test_controller_revisions(both: Both, namespace: str) -> None:
    path, ask = f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions", Asked(both)
    ask("made", "POST", path, {"metadata": {"name": "v"}, "revision": 1, "data": {"b": 1}})
    for revision in REVISIONS:
        ask(f"new {revision}", "POST", f"{path}?dryRun=All", {"metadata": {"name": "n"}, **revision})
        whole = {"metadata": {"name": "v"}, "revision": 1, "data": {"b": 1}, **revision}
        ask(f"old {revision}", "PUT", f"{path}/v?dryRun=All", whole)
    ask.check()
