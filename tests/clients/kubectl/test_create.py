"""kubectl create, run, expose and token: generators that send typed requests in protobuf, and files."""

import base64
import json
from typing import Any

import pytest

from kybern.testing.cluster import Kubectl

COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "deployment web --image=busybox:1 --replicas=2 --port=80 -- sleep 60": (
        "deployment.apps/web created",
        {"spec.replicas": 2, "spec.template.spec.containers.0.command": ["sleep", "60"]},
    ),
    "configmap c --from-literal=a=1 --from-literal=b=2": ("configmap/c created", {"data": {"a": "1", "b": "2"}}),
    "secret generic s --from-literal=p=q": (
        "secret/s created",
        {"type": "Opaque", "data.p": base64.b64encode(b"q").decode()},
    ),
    "secret docker-registry d --docker-server=r.example --docker-username=u --docker-password=p": (
        "secret/d created",
        {"type": "kubernetes.io/dockerconfigjson"},
    ),
    "service clusterip x --tcp=80:8080": (
        "service/x created",
        {"spec.type": "ClusterIP", "spec.ports.0.targetPort": 8080, "spec.ports.0.protocol": "TCP"},
    ),
    "service nodeport n --tcp=80": ("service/n created", {"spec.type": "NodePort"}),
    "service externalname e --external-name=db.example": (
        "service/e created",
        {"spec.type": "ExternalName", "spec.externalName": "db.example"},
    ),
    "service loadbalancer l --tcp=80": ("service/l created", {"spec.allocateLoadBalancerNodePorts": True}),
    "serviceaccount bob": ("serviceaccount/bob created", {"kind": "ServiceAccount"}),
    "role r --verb=get,list --resource=pods,deployments.apps --resource-name=x": (
        "role.rbac.authorization.k8s.io/r created",
        {"rules.0.resourceNames": ["x"], "rules.1.apiGroups": ["apps"]},
    ),
    "rolebinding rb --clusterrole=view --user=joe --group=g": (
        "rolebinding.rbac.authorization.k8s.io/rb created",
        {"roleRef.name": "view", "subjects.0.kind": "User", "subjects.1.name": "g"},
    ),
    "job j --image=busybox:1 -- true": (
        "job.batch/j created",
        {"spec.completions": 1, "spec.template.spec.restartPolicy": "Never", "spec.completionMode": "NonIndexed"},
    ),
    "cronjob cj --image=busybox:1 --schedule=*/5__*__*__*__*": (
        "cronjob.batch/cj created",
        {"spec.schedule": "*/5 * * * *", "spec.concurrencyPolicy": "Allow", "spec.failedJobsHistoryLimit": 1},
    ),
    "quota q --hard=pods=5,requests.cpu=1500m": (
        "resourcequota/q created",
        {"spec.hard": {"pods": "5", "requests.cpu": "1500m"}},
    ),
    "poddisruptionbudget p --selector=a=b --min-available=50%": (
        "poddisruptionbudget.policy/p created",
        {"spec.minAvailable": "50%", "spec.selector.matchLabels": {"a": "b"}},
    ),
    "ingress i --rule=a.example/x*=web:80": (
        "ingress.networking.k8s.io/i created",
        {"spec.rules.0.http.paths.0.pathType": "Prefix", "spec.rules.0.http.paths.0.path": "/x"},
    ),
}


def at(value: Any, path: str) -> Any:
    """spec.ports.0.name of a document."""
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.split()[:2]))
def test_create(kubectl: Kubectl, command: str) -> None:
    said, members = COMMANDS[command]
    assert kubectl("create", *(word.replace("__", " ") for word in command.split())) == said
    found = kubectl.json("get", said.split()[0])
    for path, expected in members.items():
        value = found["data"]["p"] if path == "data.p" else at(found, path)
        assert value == expected, path


def test_cluster_scoped_kinds(admin: Kubectl) -> None:
    names = [f"{kind}-{admin.minor}" for kind in ("cr", "crb", "pc")]
    role, binding, priority = names
    try:
        admin("create", "clusterrole", role, "--verb=get", "--non-resource-url=/metrics")
        admin("create", "clusterrolebinding", binding, f"--clusterrole={role}", "--user=joe")
        admin("create", "priorityclass", priority, "--value=10", "--description=some")
        assert admin.json("get", "clusterrole", role)["rules"] == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
        assert admin.json("get", "priorityclass", priority)["preemptionPolicy"] == "PreemptLowerPriority"
    finally:
        targets = (f"clusterrole/{role}", f"clusterrolebinding/{binding}", f"priorityclass/{priority}")
        admin("delete", *targets, "--ignore-not-found")


def test_dry_run(kubectl: Kubectl) -> None:
    client = kubectl("create", "configmap", "c", "--dry-run=client", "-o", "name")
    server = kubectl("create", "configmap", "c", "--dry-run=server", "-o", "jsonpath={.metadata.uid}")
    assert client == "configmap/c"
    assert len(server) == 36
    assert "not found" in kubectl.error("get", "configmap", "c")


def test_run_and_expose(kubectl: Kubectl) -> None:
    created = kubectl("run", "web", "--image=busybox:1", "--port=80", "--env=A=1", "--expose")
    assert created.split("\n") == ["service/web created", "pod/web created"]
    kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=20s")
    assert kubectl("expose", "pod", "web", "--name=more", "--port=81", "--target-port=80") == "service/more exposed"
    slices = ["get", "endpointslices", "-l", "kubernetes.io/service-name=more"]
    kubectl("wait", *slices[1:], "--for=jsonpath={.endpoints[0].conditions.ready}=true", "--timeout=10s")
    address = kubectl("get", "pod", "web", "-o", "jsonpath={.status.podIP}")
    assert kubectl.json(*slices)["items"][0]["endpoints"][0]["addresses"] == [address]


def test_token(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "bob")
    token = kubectl("create", "token", "bob", "--duration=20m", "--audience=api")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["sub"] == f"system:serviceaccount:{kubectl.namespace}:bob"
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (["api"], 1200)
    assert claims["kubernetes.io"]["serviceaccount"]["name"] == "bob"


def test_files(kubectl: Kubectl) -> None:
    objects = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{i}"}} for i in range(3)]
    said = kubectl.send("create", *objects)
    assert said.split("\n") == [f"configmap/c{i} created" for i in range(3)]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    errors = kubectl.error("create", "-f", "-", stdin=listed).split("\n")
    assert errors == [
        f'Error from server (AlreadyExists): error when creating "STDIN": configmaps "c{i}" already exists'
        for i in range(3)
    ]


def test_generated_name(kubectl: Kubectl) -> None:
    manifest = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"x-"}}'
    first, second = (kubectl("create", "-f", "-", "-o", "name", stdin=manifest) for _ in range(2))
    assert first != second
    assert first.startswith("configmap/x-")
    assert len(first) == len("configmap/x-") + 5


def test_names_and_values_of_any_language(kubectl: Kubectl) -> None:
    note = 'Grüße, 世界 – "quoted" \\ \u2028 👋'
    kubectl("create", "configmap", "c", f"--from-literal=text={note}")
    kubectl("annotate", "configmap", "c", f"example.com/note={note}")
    found = kubectl.json("get", "configmap", "c")
    assert found["metadata"]["annotations"]["example.com/note"] == found["data"]["text"] == note
