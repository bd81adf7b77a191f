"""kr8s through its synchronous API, a process of its own: it leaves event loops and sockets to the garbage collector.

Usage: python kr8s_steps.py KUBECONFIG NAMESPACE; prints, by step, what went wrong, as JSON.
"""

import json
import sys
import traceback
from typing import Any

import kr8s
from kr8s import objects

LABELS = {"app": "web"}
WITHIN = 20  # seconds


def who_and_what(api: Any) -> None:
    assert api.whoami() == "kubernetes-admin", api.whoami()
    assert api.version()["minor"] == "36"
    kinds = {(found["kind"], found["version"]) for found in api.api_resources()}
    assert {("Pod", "v1"), ("Deployment", "apps/v1"), ("Lease", "coordination.k8s.io/v1")} <= kinds


def a_deployment(api: Any) -> None:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template}
    web: Any = objects.Deployment({"metadata": {"name": "web", "namespace": api.namespace}, "spec": spec}, api=api)
    web.create()
    web.wait("condition=Available", timeout=WITHIN)
    pods = list(web.pods())
    assert [pod.labels["app"] for pod in pods] == ["web", "web"]
    web.scale(3)
    web.wait("jsonpath='{.status.readyReplicas}'=3", timeout=WITHIN)
    web.annotate({"a": "b"})
    web.label(new="yes")
    web.patch({"spec": {"minReadySeconds": 1}})
    web.refresh()
    assert (web.annotations["a"], web.labels["new"], web.spec.minReadySeconds) == ("b", "yes", 1)
    web.remove_label("new")
    assert [found.name for found in api.get("deployments", label_selector="!new")] == ["web"]
    web.delete(propagation_policy="Foreground")
    web.wait("delete", timeout=WITHIN)
    assert (web.exists(), list(api.get("pods", label_selector=LABELS))) == (False, [])


def exec_and_logs(api: Any) -> None:
    pod: Any = objects.Pod.gen(name="p", image="busybox:1", namespace=api.namespace)
    pod.api = api
    pod.create()
    pod.wait("condition=Ready", timeout=WITHIN)
    assert pod.exec(["echo", "a", "b"]).stdout == b"a b\n"
    assert pod.exec(["false"], check=False).returncode == 1
    assert "started" in "\n".join(pod.logs())
    pod.delete()


def watch(api: Any) -> None:
    body = {"metadata": {"name": "c", "namespace": api.namespace}, "data": {"n": "1"}}
    config: Any = objects.ConfigMap(body, api=api)
    config.create()
    seen = []
    for event, found in api.watch("configmaps", field_selector="metadata.name=c"):
        seen.append((event, found.raw["data"]["n"]))
        if event == "ADDED":
            config.patch([{"op": "replace", "path": "/data/n", "value": "2"}], type="json")
        elif event == "MODIFIED":
            config.delete()
        else:
            break
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")], seen


def errors(api: Any) -> None:
    said = ""
    try:
        objects.Pod.get("none", namespace=api.namespace, api=api)
    except kr8s.NotFoundError as error:
        said = str(error)
    assert "none" in said
    try:
        objects.ConfigMap({"metadata": {"name": "Bad_Name", "namespace": api.namespace}}, api=api).create()
    except kr8s.ServerError as error:
        said = str(error)
    assert "is invalid" in said


STEPS = (who_and_what, a_deployment, exec_and_logs, watch, errors)


def main(kubeconfig: str, namespace: str) -> None:
    api: Any = kr8s.api(kubeconfig=kubeconfig, namespace=namespace)
    found = {}
    for step in STEPS:
        try:
            step(api)
        except BaseException:  # told to the test, which fails
            found[step.__name__] = traceback.format_exc()
        else:
            found[step.__name__] = ""
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
