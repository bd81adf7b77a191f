"""Much and large: objects of a megabyte, thousands of objects, a proxy in between."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kubernetes.client import CoreV1Api
from kubernetes.config import new_client_from_config

from kybern.testing.cluster import Cluster, Kubectl

new_client: Any = new_client_from_config  # without types
MEGABYTE = 1 << 20
COUNT = 2000


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_the_largest_config_map(kubectl: Kubectl) -> None:
    kubectl.send("create", config_map("big", a="x" * MEGABYTE))
    assert len(kubectl.json("get", "configmap", "big")["data"]["a"]) == MEGABYTE
    said = kubectl.error("create", "-f", "-", stdin=json.dumps(config_map("more", a="x" * (MEGABYTE + 1))))
    assert said == 'The ConfigMap "more" is invalid: []: Too long: may not be more than 1048576 bytes'


def test_a_request_that_is_too_large(kubectl: Kubectl) -> None:
    said = kubectl.error("create", "-f", "-", stdin=json.dumps(config_map("huge", a="x" * (4 * MEGABYTE))))
    assert "Request entity too large: limit is 3145728" in said
    assert "RequestEntityTooLarge" in said


def test_client_side_apply_has_a_limit_of_its_own(kubectl: Kubectl) -> None:
    said = kubectl.error("apply", "-f", "-", stdin=json.dumps(config_map("big", a="x" * 300_000)))
    assert said == ('The ConfigMap "big" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes')


@pytest.fixture(scope="session")
def many(cluster: Cluster) -> Iterator[str]:
    """A namespace with two thousand ConfigMaps."""
    with new_client(str(cluster.kubeconfig)) as client:
        api: Any = CoreV1Api(client)
        api.create_namespace({"metadata": {"name": "many"}})
        with ThreadPoolExecutor(8) as pool:
            made = [pool.submit(api.create_namespaced_config_map, "many", config_map(f"c{i:04}")) for i in range(COUNT)]
            assert all(each.result().metadata.uid for each in made)
        yield "many"
        api.delete_namespace("many")
        client.rest_client.pool_manager.clear()


def test_two_thousand_objects(admin: Kubectl, many: str) -> None:
    kubectl = admin.within(many)
    flags = [["--chunk-size=300"], ["--chunk-size=0"], ["--chunk-size=300", "-l", "!x"]]
    outputs = kubectl.together([("get", "configmaps", "-o", "name", *each) for each in flags])
    expected = sorted(["configmap/kube-root-ca.crt", *(f"configmap/c{i:04}" for i in range(COUNT))])
    assert [sorted(output.split()) for output in outputs] == [expected] * 3
    assert len(kubectl("get", "configmaps", "--no-headers").splitlines()) == COUNT + 1
    first = json.loads(kubectl("get", "--raw", f"/api/v1/namespaces/{many}/configmaps?limit=10"))
    assert (len(first["items"]), first["metadata"]["remainingItemCount"]) == (10, COUNT + 1 - 10)
    chunked = kubectl.run("get", "configmaps", "--chunk-size=500", "-v=6").err
    assert chunked.count(f"/namespaces/{many}/configmaps?") >= COUNT // 500 + 1


def test_proxy(kubectl: Kubectl) -> None:
    line = kubectl.command("proxy", "--port=0")
    with subprocess.Popen(line, stdout=subprocess.PIPE, env=kubectl.environment(), text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            with urllib.request.urlopen(f"http://{address}/api/v1/namespaces/{kubectl.namespace}/configmaps") as answer:
                assert json.load(answer)["kind"] == "ConfigMapList"
        finally:
            process.terminate()
