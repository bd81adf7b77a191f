"""kubectl auth, impersonation, tokens of ServiceAccounts, config."""

import json
from pathlib import Path

import pytest
import yaml

from kybern.testing.cluster import Cluster, Kubectl

RULES = {
    "kind": "Role",
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "metadata": {"name": "reader"},
    "rules": [
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"], "resourceNames": ["web"]},
    ],
}


@pytest.fixture
def bob(kubectl: Kubectl) -> str:
    """A ServiceAccount that may read pods; its user name."""
    kubectl("create", "serviceaccount", "bob")
    kubectl.send("create", RULES)
    kubectl("create", "rolebinding", "bob", "--role=reader", f"--serviceaccount={kubectl.namespace}:bob")
    return f"system:serviceaccount:{kubectl.namespace}:bob"


def test_can_i(kubectl: Kubectl, bob: str) -> None:
    assert kubectl("auth", "can-i", "*", "*") == "yes"
    questions = {
        "get pods": "yes",
        "get pods --subresource=log": "yes",
        "delete pods": "no",
        "update deployments.apps/web": "yes",
        "update deployments.apps/db": "no",
        "list pods -A": "no",
        "get /healthz": "yes",
        "get /metrics": "no",
    }
    for question, answer in questions.items():
        result = kubectl.run("auth", "can-i", *question.split(), f"--as={bob}")
        assert (result.out.strip(), result.code) == (answer, 0 if answer == "yes" else 1), question


def test_can_i_list(kubectl: Kubectl, bob: str) -> None:
    rows = [line.split() for line in kubectl("auth", "can-i", "--list", f"--as={bob}", "--no-headers").splitlines()]
    assert ["pods", "[]", "[]", "[get", "list", "watch]"] in rows
    assert ["deployments.apps", "[]", "[web]", "[*]"] in rows
    assert ["selfsubjectreviews.authentication.k8s.io", "[]", "[]", "[create]"] in rows


def test_whoami(admin: Kubectl) -> None:
    me = admin.json("auth", "whoami")["status"]["userInfo"]
    assert (me["username"], "system:masters" in me["groups"]) == ("kubernetes-admin", True)
    someone = admin.json("auth", "whoami", "--as=joe", "--as-group=devs", "--as-uid=7")["status"]["userInfo"]
    assert someone == {"username": "joe", "uid": "7", "groups": ["devs", "system:authenticated"]}


FORBIDDEN = {
    "get secrets": ("secrets", "list", "secrets", ""),
    "get deployment web": ('deployments.apps "web"', "get", "deployments", "apps"),
    "delete pod p": ('pods "p"', "delete", "pods", ""),
    "create configmap c": ("configmaps", "create", "configmaps", ""),
}


@pytest.mark.parametrize("command", FORBIDDEN)
def test_forbidden(kubectl: Kubectl, command: str) -> None:
    what, verb, resource, group = FORBIDDEN[command]
    place = f'cannot {verb} resource "{resource}" in API group "{group}" in the namespace "{kubectl.namespace}"'
    assert kubectl.error(*command.split(), "--as=joe").endswith(f'{what} is forbidden: User "joe" {place}')


def test_forbidden_at_the_cluster_scope(admin: Kubectl) -> None:
    assert admin.error("get", "nodes", "--as=joe") == (
        'Error from server (Forbidden): nodes is forbidden: User "joe" cannot list resource "nodes" in API group "" '
        "at the cluster scope"
    )


def test_no_escalation(kubectl: Kubectl, bob: str) -> None:
    kubectl("create", "rolebinding", "boss", "--clusterrole=admin", "--user=joe")
    said = kubectl.error("create", "clusterrolebinding", "x", "--clusterrole=cluster-admin", "--user=joe", "--as=joe")
    assert "clusterrolebindings.rbac.authorization.k8s.io is forbidden" in said
    wide = kubectl.error("create", "role", "x", "--verb=create", "--resource=resourcequotas", "--as=joe")
    assert "is attempting to grant RBAC permissions not currently held" in wide


def test_token_of_a_service_account(kubectl: Kubectl, bob: str, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(cluster.ca)
    token, later = (kubectl("create", "token", "bob") for _ in range(2))
    own = ["--kubeconfig=/dev/null", f"--server={cluster.server}", f"--certificate-authority={tmp_path / 'ca.crt'}"]
    assert kubectl.json(*own, f"--token={token}", "auth", "whoami")["status"]["userInfo"]["username"] == bob
    assert kubectl(*own, f"--token={token}", "get", "pods", "-o", "name") == ""
    said = kubectl.error(*own, f"--token={token}", "get", "secrets")
    assert f'User "{bob}" cannot list resource "secrets"' in said
    kubectl("delete", "serviceaccount", "bob")
    assert "You must be logged in to the server" in kubectl.error(*own, f"--token={later}", "get", "pods")
    assert "You must be logged in to the server" in kubectl.error(*own, "--token=nonsense", "get", "pods")


def test_config(admin: Kubectl, cluster: Cluster, tmp_path: Path) -> None:
    own = tmp_path / "config"
    own.write_bytes(cluster.kubeconfig.read_bytes())
    flag = f"--kubeconfig={own}"
    context = admin("config", "current-context", flag)
    admin("config", "set-context", "--current", "--namespace=kube-system", flag)
    admin("config", "rename-context", context, "mine", flag)
    shown = yaml.safe_load(admin("config", "view", "--minify", flag))
    assert (shown["current-context"], shown["contexts"][0]["context"]["namespace"]) == ("mine", "kube-system")
    assert shown["clusters"][0]["cluster"]["server"] == cluster.server
    assert "service/kube-dns" in admin("get", "service", "-o", "name", flag)


def test_reconcile(kubectl: Kubectl) -> None:
    rules = {**RULES, "metadata": {"name": "reader", "namespace": kubectl.namespace}}
    said = kubectl("auth", "reconcile", "-f", "-", stdin=json.dumps(rules))
    assert "role.rbac.authorization.k8s.io/reader reconciled" in said
    assert kubectl.json("get", "role", "reader")["rules"][0]["verbs"] == ["get", "list", "watch"]
