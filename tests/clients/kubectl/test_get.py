"""kubectl get in its many forms."""

import json
import subprocess
from collections.abc import Iterator

import pytest
import yaml

from kybern.testing.cluster import Kubectl

LABELS = [{"app": "web", "tier": "front"}, {"app": "web", "tier": "back"}, {"app": "db"}]
READY = ["wait", "pod", "--all", "--for=condition=Ready", "--timeout=20s"]


@pytest.fixture
def pods(kubectl: Kubectl) -> Iterator[Kubectl]:
    """A namespace with the running pods p0, p1 and p2."""
    for number, labels in enumerate(LABELS):
        pairs = ",".join(f"{key}={value}" for key, value in labels.items())
        kubectl("run", f"p{number}", "--image=busybox:1", f"--labels={pairs}")
    kubectl(*READY)
    yield kubectl
    kubectl("delete", "pod", "--all", "--force", "--grace-period=0", "--wait=false")


def table(output: str) -> list[list[str]]:
    """Cells of a table whose cells have no blanks."""
    return [line.split() for line in output.splitlines()]


def test_tables(pods: Kubectl) -> None:
    plain, wide, labels, column, bare = pods.together(
        [
            ("get", "pods"),
            ("get", "pods", "-o", "wide"),
            ("get", "pods", "--show-labels"),
            ("get", "pods", "-L", "tier"),
            ("get", "pods", "--no-headers"),
        ]
    )
    assert table(plain)[0] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row[:4] for row in table(plain)[1:]] == [[f"p{i}", "1/1", "Running", "0"] for i in range(3)]
    assert wide.splitlines()[0].split()[5:7] == ["IP", "NODE"]
    assert all(row[5].startswith("10.244.") and row[6].startswith("simulated-") for row in table(wide)[1:])
    assert [row[-1] for row in table(labels)[1:]] == ["app=web,tier=front", "app=web,tier=back", "app=db"]
    assert [row[5:] for row in table(column)] == [["TIER"], ["front"], ["back"], []]
    assert len(table(bare)) == 3


def test_selectors(pods: Kubectl) -> None:
    cases = {
        "app=web": "p0 p1",
        "app=web,tier!=back": "p0",
        "app in (web,db),!tier": "p2",
        "tier": "p0 p1",
        "app notin (web)": "p2",
    }
    outputs = pods.together([("get", "pods", "-l", selector, "-o", "name") for selector in cases])
    assert [output.replace("pod/", "").split() for output in outputs] == [names.split() for names in cases.values()]


def test_field_selectors(pods: Kubectl) -> None:
    by_name = pods("get", "pods", "--field-selector=metadata.name=p1", "-o", "name")
    running = pods("get", "pods", "--field-selector=status.phase=Running,metadata.name!=p1", "-o", "name")
    assert (by_name, running.split()) == ("pod/p1", ["pod/p0", "pod/p2"])
    node = pods("get", "pod", "p0", "-o", "jsonpath={.spec.nodeName}")
    assert "pod/p0" in pods("get", "pods", f"--field-selector=spec.nodeName={node}", "-o", "name")


def test_structured_output(pods: Kubectl) -> None:
    text, document, path, template, columns = pods.together(
        [
            ("get", "pod", "p0", "-o", "yaml"),
            ("get", "pods", "-o", "json"),
            ("get", "pods", "-o", "jsonpath={range .items[*]}{.metadata.name}={.status.phase} {end}"),
            ("get", "pods", "-o", "go-template={{range .items}}{{.metadata.name}};{{end}}"),
            ("get", "pods", "-o", "custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[0].image"),
        ]
    )
    pod = yaml.safe_load(text)
    assert (pod["apiVersion"], pod["kind"], pod["spec"]["restartPolicy"]) == ("v1", "Pod", "Always")
    assert pod["spec"]["tolerations"][0]["tolerationSeconds"] == 300
    listed = json.loads(document)
    assert (listed["kind"], [each["kind"] for each in listed["items"]]) == ("List", ["Pod"] * 3)
    assert path.split() == ["p0=Running", "p1=Running", "p2=Running"]
    assert template == "p0;p1;p2;"
    assert table(columns) == [["NAME", "IMAGE"], *([f"p{i}", "busybox:1"] for i in range(3))]


def test_sorting(pods: Kubectl) -> None:
    by_label = pods("get", "pods", "--sort-by=.metadata.labels.app", "--no-headers")
    assert table(by_label)[0][0] == "p2"
    assert {row[0] for row in table(by_label)} == {"p0", "p1", "p2"}
    by_name = pods("get", "pods", "--sort-by={.metadata.name}", "-o", "name")
    assert by_name.split() == ["pod/p0", "pod/p1", "pod/p2"]


def test_chunks(pods: Kubectl) -> None:
    assert [row[0] for row in table(pods("get", "pods", "--chunk-size=1", "--no-headers"))] == ["p0", "p1", "p2"]


def test_all_namespaces(pods: Kubectl) -> None:
    rows = table(pods("get", "pods", "-A", "--no-headers"))
    assert [pods.namespace, "p0", "1/1", "Running"] in [row[:4] for row in rows]
    services = pods("get", "services", "-A", "--no-headers")
    assert ["kube-system", "kube-dns"] in [row[:2] for row in table(services)]


def test_get_all(pods: Kubectl) -> None:
    pods("create", "deployment", "web", "--image=busybox:1")
    pods("expose", "deployment", "web", "--port=80")
    pods("rollout", "status", "deployment/web", "--timeout=20s")
    names = {line.split()[0].split("-")[0] for line in pods("get", "all", "--no-headers").splitlines() if line}
    web = {f"{kind}/web" for kind in ("pod", "service", "deployment.apps", "replicaset.apps")}
    assert names == web | {"pod/p0", "pod/p1", "pod/p2"}


def test_several_kinds_and_names(pods: Kubectl) -> None:
    output = pods("get", "pod/p0", "serviceaccount/default", "configmap/kube-root-ca.crt", "-o", "name")
    assert output.split() == ["pod/p0", "serviceaccount/default", "configmap/kube-root-ca.crt"]
    assert pods("get", "po", "p1", "p2", "-o", "name").split() == ["pod/p1", "pod/p2"]
    assert pods("get", "pods.v1.", "p1", "-o", "name") == "pod/p1"


def test_watch(kubectl: Kubectl) -> None:
    line = kubectl.command("get", "configmaps", "--watch", "--output-watch-events", "--field-selector=metadata.name=a")
    with subprocess.Popen(line, stdout=subprocess.PIPE, env=kubectl.environment(), text=True) as process:
        try:
            assert process.stdout is not None
            kubectl("create", "configmap", "a", "--from-literal=x=1")
            kubectl("patch", "configmap", "a", "-p", '{"data":{"y":"2"}}')
            kubectl("delete", "configmap", "a")
            lines = [process.stdout.readline().split() for _ in range(4)]
        finally:
            process.terminate()
    assert lines[0] == ["EVENT", "NAME", "DATA", "AGE"]
    assert [line[:3] for line in lines[1:]] == [["ADDED", "a", "1"], ["MODIFIED", "a", "2"], ["DELETED", "a", "2"]]


def test_nothing_found(kubectl: Kubectl) -> None:
    result = kubectl.run("get", "pods")
    assert (result.code, result.out, result.err) == (0, "", f"No resources found in {kubectl.namespace} namespace.\n")
    assert kubectl.json("get", "pods")["items"] == []
