"""A pod's ServiceAccount speaks to the API: what it may, and what it may not.

The requests are made with the pod's own token and CA by kubectl on the host, to the address that pods use: busybox's
own TLS is too old for the gateway (no certificates on elliptic curves, signatures with SHA-1 alone).
"""

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.kubectl import Result
from kybern.testing.cluster.manifests import pod
from kybern.testing.cluster.waiting import until

pytestmark = pytest.mark.containerd
SECRETS = "/var/run/secrets/kubernetes.io/serviceaccount"
SERVER = ("--server=https://10.96.0.1", "--tls-server-name=kubernetes.default.svc")


@pytest.fixture
def box(kubectl: Kubectl) -> Kubectl:
    """A running pod `box`."""
    kubectl.send("apply", pod("box"))
    kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s")
    return kubectl


def as_pod(kubectl: Kubectl, *arguments: str, token: str = "") -> Result:
    """kubectl with nothing but what is mounted into the pod."""
    ca, empty = kubectl.home / "pod-ca.crt", kubectl.home / "empty.kubeconfig"
    ca.write_text(kubectl("exec", "box", "--", "cat", f"{SECRETS}/ca.crt") + "\n")
    empty.write_text("")
    token = token or kubectl("exec", "box", "--", "cat", f"{SECRETS}/token")
    own = (*SERVER, f"--certificate-authority={ca}", f"--token={token}")
    return kubectl.run(*arguments, *own, env={"KUBECONFIG": str(empty)})


def test_what_a_pod_is_given(box: Kubectl) -> None:
    assert box("exec", "box", "--", "cat", f"{SECRETS}/namespace") == box.namespace
    assert "BEGIN CERTIFICATE" in box("exec", "box", "--", "cat", f"{SECRETS}/ca.crt")
    box("exec", "box", "--", "sh", "-c", "nc -w 5 kubernetes.default.svc 443 </dev/null")
    box("exec", "box", "--", "sh", "-c", "nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null")
    who = as_pod(box, "auth", "whoami", "-o", "jsonpath={.status.userInfo}")
    assert f"system:serviceaccount:{box.namespace}:default" in who.out, who.err
    assert "authentication.kubernetes.io/pod-name" in who.out


def test_only_what_roles_allow(box: Kubectl) -> None:
    assert "cannot list resource" in as_pod(box, "get", "pods").err
    assert "must be logged in" in as_pod(box, "get", "pods", token="not.a.token").err
    account = f"--serviceaccount={box.namespace}:default"
    box("create", "role", "reader", "--verb=get,list", "--resource=pods")
    box("create", "rolebinding", "reader", "--role=reader", account)
    answer = until(lambda: as_pod(box, "get", "pods", "-o", "name").out, 5)
    assert answer == "pod/box\n"
    assert "Forbidden" in as_pod(box, "get", "secrets", "-n", "kube-system").err
    assert "Forbidden" in as_pod(box, "delete", "pod", "box").err
    box("delete", "rolebinding", "reader")
    until(lambda: "Forbidden" in as_pod(box, "get", "pods").err, 5)


def test_token_dies_with_its_pod(box: Kubectl) -> None:
    token = box("exec", "box", "--", "cat", f"{SECRETS}/token")
    ca = box("exec", "box", "--", "cat", f"{SECRETS}/ca.crt") + "\n"
    box("delete", "pod", "box")
    path, empty = box.home / "gone-ca.crt", box.home / "empty.kubeconfig"
    path.write_text(ca)
    empty.write_text("")
    own = (*SERVER, f"--certificate-authority={path}", f"--token={token}")
    until(lambda: "must be logged in" in box.run("get", "pods", *own, env={"KUBECONFIG": str(empty)}).err, 15)


def test_pod_without_a_token(kubectl: Kubectl) -> None:
    kubectl.send("apply", pod("bare", automountServiceAccountToken=False))
    kubectl("wait", "--for=condition=Ready", "pod/bare", "--timeout=30s")
    assert kubectl.run("exec", "bare", "--", "ls", SECRETS).code == 1
