"""kubectl describe and events: what people read when something is wrong."""

import json

import pytest

from kybern.testing.cluster import Kubectl


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    kubectl("create", "deployment", "web", "--image=busybox:1", "--replicas=2", "--port=80")
    kubectl("expose", "deployment", "web", "--port=80")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    return kubectl


def lines(text: str) -> list[str]:
    """Lines with single blanks."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_deployment_and_what_it_made(web: Kubectl) -> None:
    deployment, pods, service = web.together(
        [("describe", "deployment", "web"), ("describe", "pods", "-l", "app=web"), ("describe", "service", "web")]
    )
    said = lines(deployment)
    assert "Replicas: 2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in said
    assert "RollingUpdateStrategy: 25% max unavailable, 25% max surge" in said
    assert "Available True MinimumReplicasAvailable" in said
    (replica_set,) = web("get", "replicasets", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert f"NewReplicaSet: {replica_set} (2/2 replicas created)" in said
    assert any(f"Scaled up replica set {replica_set} from 0 to 2" in line for line in said)
    said = lines(pods)
    assert said.count(f"Controlled By: ReplicaSet/{replica_set}") == 2
    assert said.count("QoS Class: BestEffort") == 2
    addresses = sorted(web("get", "pods", "-o", "jsonpath={.items[*].status.podIP}").split())
    (endpoints,) = [line for line in lines(service) if line.startswith("Endpoints:")]
    assert sorted(endpoints.removeprefix("Endpoints: ").split(",")) == sorted(f"{ip}:80" for ip in addresses)


def test_events_of_a_pod(web: Kubectl) -> None:
    web("run", "p", "--image=busybox:1")
    web("wait", "pod/p", "--for=condition=Ready", "--timeout=20s")
    started = "--field-selector=involvedObject.name=p,reason=Started"
    web("wait", "events", started, "--for=create", "--timeout=10s")
    listed = web.json("get", "events", "--field-selector=involvedObject.name=p")["items"]
    assert {event["reason"] for event in listed} >= {"Scheduled", "Pulled", "Created", "Started"}
    described = web("describe", "pod", "p").partition("Events:")[2]
    assert f"Successfully assigned {web.namespace}/p to simulated-" in described
    assert "Scheduled" in web("events", "--for", "pod/p")
    assert "Warning" not in web("events", "--for", "pod/p")


def test_a_pod_that_fits_nowhere(kubectl: Kubectl) -> None:
    overrides = json.dumps({"spec": {"nodeSelector": {"no": "node"}}})
    kubectl("run", "p", "--image=busybox:1", f"--overrides={overrides}")
    kubectl("wait", "pod/p", "--for=condition=PodScheduled=False", "--timeout=10s")
    (condition,) = kubectl.json("get", "pod", "p")["status"]["conditions"]
    assert condition["reason"] == "Unschedulable"
    assert condition["message"].startswith(
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector"
    )
    assert "Pending" in kubectl("get", "pod", "p")
    kubectl("wait", "event", "--field-selector=reason=FailedScheduling", "--for=create", "--timeout=5s", "--all")
    assert "FailedScheduling" in kubectl("get", "events", "--field-selector=type=Warning")


KINDS = {
    "configmap kube-root-ca.crt": ("Data\n====\nca.crt:", "BEGIN CERTIFICATE"),
    "serviceaccount default": ("Name: default", "Image pull secrets: <none>"),
    "secret s": ("Type: Opaque", "p: 1 bytes"),
    "role r": ("pods [] [] [get]",),
    "rolebinding b": ("Kind: Role", "User joe"),
    "resourcequota q": ("Resource Used Hard",),
    "poddisruptionbudget d": ("Min available: 1", "Selector: a=b"),
    "ingress i": ("Host Path Backends", "/ web:80"),
    "cronjob c": ("Schedule: 0 * * * *", "Concurrency Policy: Allow"),
    "namespace {namespace}": ("Status: Active",),
    "job j": ("Parallelism: 1", "Backoff Limit: 6"),
    "storageclass fast": ("Provisioner: example.com/fast", "ReclaimPolicy: Delete"),
    "persistentvolumeclaim data": ("Status: Pending", "StorageClass: none"),
    "priorityclass system-node-critical": ("Value: 2000001000",),
    "clusterrole view": ("pods/log [] [] [get list watch]",),
    "node simulated-2": ("Unschedulable: false", "cpu: 8"),
}


def test_kinds(kubectl: Kubectl) -> None:
    scope = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}}
    kubectl.send("apply", {**scope, "provisioner": "example.com/fast"})
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": "none",
    }
    meta = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    kubectl.send("create", {**meta, "spec": claim})
    kubectl.together(
        [
            ("create", "secret", "generic", "s", "--from-literal=p=q"),
            ("create", "role", "r", "--verb=get", "--resource=pods"),
            ("create", "rolebinding", "b", "--role=r", "--user=joe"),
            ("create", "quota", "q", "--hard=pods=5"),
            ("create", "poddisruptionbudget", "d", "--selector=a=b", "--min-available=1"),
            ("create", "ingress", "i", "--rule=a.example/=web:80"),
            ("create", "cronjob", "c", "--image=busybox:1", "--schedule=0 * * * *"),
            ("create", "job", "j", "--image=busybox:1"),
        ]
    )
    asked = [target.replace("{namespace}", kubectl.namespace) for target in KINDS]
    for target, said in zip(KINDS, kubectl.together([("describe", *name.split()) for name in asked]), strict=True):
        text = "\n".join(lines(said))
        assert [part for part in KINDS[target] if part not in text] == [], f"describe {target}:\n{said}"
