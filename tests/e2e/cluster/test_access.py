"""A pod's ServiceAccount speaks to the API: what it may, and what it may not.

busybox's own TLS is too old for the gateway (no certificates on elliptic curves, signatures with SHA-1 alone): requests
are made by this machine's Python, mounted into a pod, and with the pod's token and CA by kubectl on the host.
"""

import sys
from pathlib import Path

import pytest

from kybern.testing.cluster import Kubectl
from kybern.testing.cluster.kubectl import Result
from kybern.testing.cluster.manifests import container, pod
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


ASK = """
import json, os, ssl, time, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount"
token, namespace = (open(f"{folder}/{name}").read() for name in ("token", "namespace"))
context = ssl.create_default_context(cafile=f"{folder}/ca.crt")
for server in ("kubernetes.default.svc", "kubernetes.default", os.environ["KUBERNETES_SERVICE_HOST"]):
    url = f"https://{server}/api/v1/namespaces/{namespace}/pods/{os.environ['HOSTNAME']}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    found = json.load(urllib.request.urlopen(request, context=context, timeout=10))
    print(server, found["metadata"]["name"], found["status"]["phase"], flush=True)
time.sleep(3600)
"""


def test_a_pod_asks_the_api_itself(kubectl: Kubectl) -> None:
    account = f"--serviceaccount={kubectl.namespace}:default"
    kubectl("create", "role", "reader", "--verb=get", "--resource=pods")
    kubectl("create", "rolebinding", "reader", "--role=reader", account)
    folders = [folder for folder in dict.fromkeys((sys.base_prefix, "/usr", "/lib", "/lib64")) if Path(folder).is_dir()]
    mounts = [{"name": f"v{i}", "mountPath": folder, "readOnly": True} for i, folder in enumerate(folders)]
    volumes = [{"name": f"v{i}", "hostPath": {"path": folder}} for i, folder in enumerate(folders)]
    python = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
    libraries = [{"name": "LD_LIBRARY_PATH", "value": f"{sys.base_prefix}/lib"}]
    asking = {**container(volumeMounts=mounts, env=libraries), "command": [python, "-c", ASK]}
    kubectl.send("apply", pod("asker", asking, volumes=volumes))
    kubectl("wait", "--for=condition=Ready", "pod/asker", "--timeout=30s")
    answers = until(lambda: (lines := kubectl("logs", "asker").splitlines())[2:] and lines, 20)
    assert [line.split()[1] for line in answers] == ["asker"] * 3, answers


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
