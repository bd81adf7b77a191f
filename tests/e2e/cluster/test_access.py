"""A pod that speaks to the API with its ServiceAccount: what it may, and what it may not."""

import json

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.manifests import pod
from kybern.testing.cluster.waiting import until

pytestmark = pytest.mark.containerd
SECRETS = "/var/run/secrets/kubernetes.io/serviceaccount"
URL = "https://kubernetes.default.svc"


def ask(kubectl: Kubectl, path: str, token: str = f"$(cat {SECRETS}/token)") -> str:
    """A request from inside the pod; the body, or what wget says about the status."""
    get = f'wget -qO- --no-check-certificate --header "Authorization: Bearer {token}" {URL}{path}'
    result = kubectl.run("exec", "box", "--", "sh", "-c", get)
    return result.out + result.err


def test_pod_reaches_the_api(kubectl: Kubectl) -> None:
    kubectl.send("apply", pod("box"))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    assert kubectl("exec", "box", "--", "cat", f"{SECRETS}/namespace") == kubectl.namespace
    assert "BEGIN CERTIFICATE" in kubectl("exec", "box", "--", "cat", f"{SECRETS}/ca.crt")
    assert json.loads(ask(kubectl, "/version"))["major"] == "1"
    pods = f"/api/v1/namespaces/{kubectl.namespace}/pods"
    assert "403" in ask(kubectl, pods)
    assert "401" in ask(kubectl, pods, "not.a.token")
    account = f"--serviceaccount={kubectl.namespace}:default"
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "reader", "--role=reader", account)
    answer = until(lambda: json.loads("{" + ask(kubectl, pods).partition("{")[2]), 5)
    assert [item["metadata"]["name"] for item in answer["items"]] == ["box"]
    assert "403" in ask(kubectl, "/api/v1/namespaces/kube-system/secrets")
    kubectl("delete", "rolebinding", "reader")
    until(lambda: "403" in ask(kubectl, pods), 5)


def test_certificate_of_the_api_verifies_against_the_pods_ca(kubectl: Kubectl) -> None:
    """The gateway's certificate names the Service; kubectl's own client, given the pod's CA, believes it."""
    kubectl.send("apply", pod("box"))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    ca = kubectl.home / "pod-ca.crt"
    ca.write_text(kubectl("exec", "box", "--", "cat", f"{SECRETS}/ca.crt") + "\n")
    token = kubectl("exec", "box", "--", "cat", f"{SECRETS}/token")
    flags = ("--server=https://10.96.0.1", "--tls-server-name=kubernetes.default.svc", f"--token={token}")
    empty = kubectl.home / "empty.kubeconfig"
    empty.write_text("")
    own = kubectl.run("auth", "whoami", *flags, f"--certificate-authority={ca}", env={"KUBECONFIG": str(empty)})
    assert f"system:serviceaccount:{kubectl.namespace}:default" in own.out, own.err


def test_pod_without_a_token(kubectl: Kubectl) -> None:
    kubectl.send("apply", pod("box", automountServiceAccountToken=False))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    assert kubectl.run("exec", "box", "--", "ls", SECRETS).code == 1
