"""Create, read, change and delete with the official Python client; its patch types and its errors."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiException

CONTAINER = {"name": "c", "image": "busybox:1"}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}}
DEPLOYMENT = {
    "metadata": {"name": "web"},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
}


def until(check: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_life_of_a_deployment(apps: Any, core: Any, namespace: str) -> None:
    made = apps.create_namespaced_deployment(namespace, DEPLOYMENT)
    assert (made.spec.strategy.type, made.metadata.creation_timestamp <= datetime.now(UTC)) == ("RollingUpdate", True)
    until(lambda: apps.read_namespaced_deployment_status("web", namespace).status.ready_replicas == 2)
    pods = core.list_namespaced_pod(namespace, label_selector="app=web").items
    assert {pod.status.phase for pod in pods} == {"Running"}
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    scale.spec.replicas = 1
    assert apps.replace_namespaced_deployment_scale("web", namespace, scale).spec.replicas == 1
    until(lambda: len(core.list_namespaced_pod(namespace).items) == 1)
    apps.delete_namespaced_deployment("web", namespace, propagation_policy="Foreground")
    until(lambda: not apps.list_namespaced_deployment(namespace).items)
    until(lambda: not core.list_namespaced_pod(namespace).items)


def test_replace_needs_the_latest_version(core: Any, namespace: str) -> None:
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    made.data = {"a": "2"}
    changed = core.replace_namespaced_config_map("c", namespace, made)
    assert int(changed.metadata.resource_version) > int(made.metadata.resource_version)
    with pytest.raises(ApiException) as caught:
        core.replace_namespaced_config_map("c", namespace, made)
    assert (caught.value.status, json.loads(caught.value.body or "")["reason"]) == (409, "Conflict")


PATCHES: dict[str, tuple[Any, dict[str, str]]] = {
    "application/merge-patch+json": ({"data": {"a": None, "b": "2"}}, {"b": "2"}),
    "application/strategic-merge-patch+json": ({"data": {"b": "2"}}, {"a": "1", "b": "2"}),
    "application/json-patch+json": ([{"op": "replace", "path": "/data/a", "value": "9"}], {"a": "9"}),
    "application/apply-patch+yaml": (
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"b": "2"}},
        {"a": "1", "b": "2"},
    ),
}


def send(api_client: Any, method: str, path: str, body: Any, kind: str = "application/json", **query: str) -> Any:
    """A request as the client makes it, without its own check of the body. Raises ApiException."""
    headers = {"Content-Type": kind, "Accept": "application/json"}
    asked = api_client.param_serialize(method, path, query_params=list(query.items()), header_params=headers, body=body)
    answer = api_client.call_api(*asked)
    answer.read()
    if answer.status >= 300:
        raise ApiException.from_response(http_resp=answer, body=answer.data.decode(), data=None)
    return json.loads(answer.data)


@pytest.mark.parametrize("kind", PATCHES)
def test_patches(core: Any, api_client: Any, namespace: str, kind: str) -> None:
    patch, expected = PATCHES[kind]
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    path = f"/api/v1/namespaces/{namespace}/configmaps/c"
    query = {"fieldManager": "test"} if "apply" in kind else {}
    send(api_client, "PATCH", path, patch, kind, **query)
    assert core.read_namespaced_config_map("c", namespace).data == expected


def test_errors_carry_a_status(core: Any, namespace: str) -> None:
    with pytest.raises(ApiException) as caught:
        core.create_namespaced_pod(namespace, {"metadata": {"name": "Bad_Name"}, "spec": {"containers": []}})
    status = json.loads(caught.value.body or "")
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 422, "Invalid")
    assert {cause["field"] for cause in status["details"]["causes"]} == {"metadata.name", "spec.containers"}
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_pod("nope", namespace)
    assert (caught.value.status, caught.value.reason) == (404, "Not Found")


def test_dry_run_and_field_validation(core: Any, api_client: Any, namespace: str) -> None:
    body = {"metadata": {"name": "c"}, "date": {"a": "1"}}
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "c"}}, dry_run="All")
    assert made.metadata.uid
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with pytest.raises(ApiException) as caught:
        send(api_client, "POST", path, body, fieldValidation="Strict")
    assert 'unknown field "date"' in json.loads(caught.value.body or "")["message"]
    assert "date" not in send(api_client, "POST", path, body)


def test_pages(core: Any, namespace: str) -> None:
    for number in range(7):
        core.create_namespaced_secret(namespace, {"metadata": {"name": f"s{number}"}, "stringData": {"a": "b"}})
    names, token = [], None
    while True:
        page = core.list_namespaced_secret(namespace, limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
        assert page.metadata.remaining_item_count == 7 - len(names)
    assert names == [f"s{number}" for number in range(7)]
    with pytest.raises(ApiException) as caught:
        core.list_namespaced_secret(namespace, limit=3, _continue="nonsense")
    assert caught.value.status == 400


def test_delete_collection(core: Any, namespace: str) -> None:
    for number in range(4):
        labels = {"even": str(number % 2 == 0).lower()}
        core.create_namespaced_config_map(namespace, {"metadata": {"name": f"c{number}", "labels": labels}})
    core.delete_collection_namespaced_config_map(namespace, label_selector="even=true")
    left = [item.metadata.name for item in core.list_namespaced_config_map(namespace, label_selector="even").items]
    assert left == ["c1", "c3"]


def test_other_apis(api_client: Any) -> None:
    versions = client.ApisApi(api_client).get_api_versions()
    assert "apps" in {group.name for group in versions.groups}
    assert client.VersionApi(api_client).get_code().minor == "36"
    assert client.StorageV1Api(api_client).list_storage_class().api_version == "storage.k8s.io/v1"
    review = client.AuthorizationV1Api(api_client).create_self_subject_access_review(
        {"spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}}  # type: ignore[arg-type]
    )
    assert review.status is not None
    assert review.status.allowed
