"""Who a client is: tokens of ServiceAccounts with RBAC, the configuration inside a pod, dynamic and leading clients."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiException
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.dynamic import DynamicClient

from kybern.testing.cluster import Cluster

RBAC = "rbac.authorization.k8s.io"


@pytest.fixture
def token(core: Any, api_client: Any, namespace: str) -> str:
    """Of a ServiceAccount that may read pods in its namespace."""
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "bob"}})
    rbac: Any = client.RbacAuthorizationV1Api(api_client)
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    rbac.create_namespaced_role(namespace, {"metadata": {"name": "reader"}, "rules": rules})
    subjects = [{"kind": "ServiceAccount", "name": "bob", "namespace": namespace}]
    role = {"apiGroup": RBAC, "kind": "Role", "name": "reader"}
    rbac.create_namespaced_role_binding(namespace, {"metadata": {"name": "b"}, "subjects": subjects, "roleRef": role})
    asked = core.create_namespaced_service_account_token("bob", namespace, {"spec": {"expirationSeconds": 600}})
    return str(asked.status.token)


@contextmanager
def connected(configuration: Any) -> Iterator[Any]:
    """The core API of a client whose connections are closed afterwards."""
    with client.ApiClient(configuration) as found:
        yield client.CoreV1Api(found)
        rest: Any = found.rest_client
        rest.pool_manager.clear()


def as_bearer(cluster: Cluster, token: str, folder: Path) -> Any:
    """The configuration of a client with nothing but a token."""
    (folder / "ca.crt").write_bytes(cluster.ca)
    configuration: Any = client.Configuration()
    configuration.host, configuration.ssl_ca_cert = cluster.server, str(folder / "ca.crt")
    configuration.api_key = {"authorization": f"Bearer {token}"} if token else {}
    return configuration


def test_token(cluster: Cluster, token: str, namespace: str, tmp_path: Path) -> None:
    with connected(as_bearer(cluster, token, tmp_path)) as api:
        assert api.list_namespaced_pod(namespace).items == []
        for forbidden in (lambda: api.list_namespaced_secret(namespace), api.list_node):
            with pytest.raises(ApiException) as caught:
                forbidden()
            assert caught.value.status == 403
            assert f"system:serviceaccount:{namespace}:bob" in str(caught.value.body)


def test_wrong_token(cluster: Cluster, tmp_path: Path) -> None:
    with connected(as_bearer(cluster, "nonsense", tmp_path)) as nobody, pytest.raises(ApiException) as caught:
        nobody.list_node()
    assert caught.value.status == 401


def test_no_token(cluster: Cluster, tmp_path: Path) -> None:
    with connected(as_bearer(cluster, "", tmp_path)) as anonymous, pytest.raises(ApiException) as caught:
        anonymous.list_node()
    assert caught.value.status == 403
    assert 'User \\"system:anonymous\\"' in str(caught.value.body)


def test_inside_a_pod(cluster: Cluster, token: str, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(cluster.ca)
    (tmp_path / "token").write_text(token)
    host, _, port = cluster.server.removeprefix("https://").rpartition(":")
    configuration: Any = client.Configuration()
    make: Any = InClusterConfigLoader
    loader = make(
        token_filename=str(tmp_path / "token"),
        cert_filename=str(tmp_path / "ca.crt"),
        environ={"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port},
    )
    loader.load_and_set(configuration)
    with connected(configuration) as inside:
        assert inside.list_namespaced_pod(namespace).kind == "PodList"


def test_dynamic_client(api_client: Any, namespace: str) -> None:
    make: Any = DynamicClient
    dynamic = make(api_client)
    configs = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    configs.create(body={"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}, namespace=namespace)
    configs.patch(name="c", namespace=namespace, body={"data": {"b": "2"}}, content_type="application/merge-patch+json")
    assert configs.get(name="c", namespace=namespace).data.to_dict() == {"a": "1", "b": "2"}
    events = configs.watch(namespace=namespace, field_selector="metadata.name=c", timeout=1)
    assert [event["type"] for event in events] == ["ADDED"]
    configs.delete(name="c", namespace=namespace)
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    assert [item.metadata.name for item in deployments.get(namespace=namespace).items] == []
    assert {found.kind for found in dynamic.resources.search(api_version="batch/v1")} >= {"Job", "CronJob"}
