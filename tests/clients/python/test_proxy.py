"""The official Python client with proxies, APIServices and exec on simulated nodes."""

from typing import Any

import pytest
from kubernetes import client, stream


def test_a_nodes_own_api(core: Any) -> None:
    node = core.list_node().items[0].metadata.name
    assert core.connect_get_node_proxy_with_path(node, "healthz") == "ok"
    assert "kubelet_active_pods" in core.connect_get_node_proxy_with_path(f"{node}:10250", "metrics")
    with pytest.raises(client.ApiException) as refused:
        core.connect_get_node_proxy_with_path("gone", "healthz")
    assert (refused.value.status, refused.value.reason) == (404, "Not Found")


def test_a_service_without_endpoints(core: Any, namespace: str) -> None:
    core.create_namespaced_service(namespace, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    for method in ("get", "post", "put", "patch", "delete", "options", "head"):
        with pytest.raises(client.ApiException) as refused:
            getattr(core, f"connect_{method}_namespaced_service_proxy_with_path")("s", namespace, "x")
        assert refused.value.status == 503
        assert method == "head" or 'no endpoints available for service \\"s\\"' in refused.value.body


def test_api_services(api_client: Any) -> None:
    api: Any = client.ApiregistrationV1Api(api_client)
    found = {item.metadata.name: item for item in api.list_api_service().items}
    assert found["v1.apps"].spec.group_priority_minimum == 17800
    (condition,) = api.read_api_service_status("v1.apps").status.conditions
    assert (condition.type, condition.status, condition.reason) == ("Available", "True", "Local")
    bad = {
        "metadata": {"name": "x"},
        "spec": {"group": "g", "version": "v1", "groupPriorityMinimum": 30000, "versionPriority": 1},
    }
    with pytest.raises(client.ApiException) as refused:
        api.create_api_service(bad)
    assert "metadata.name" in refused.value.body
    assert "must be positive and less than 20000" in refused.value.body


def test_exec(core: Any, api_client: Any, namespace: str) -> None:
    spec = {"containers": [{"name": "c", "image": "simulated/x"}]}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": spec})
    for _ in range(200):
        if core.read_namespaced_pod("p", namespace).status.phase == "Running":
            break
    own: Any = client.CoreV1Api(client.ApiClient(api_client.configuration))  # a stream changes its client for good
    said = stream.stream(
        own.connect_get_namespaced_pod_exec, "p", namespace, command=["echo", "hello"], stdout=True, stderr=True
    )
    assert said.strip() == "hello"
