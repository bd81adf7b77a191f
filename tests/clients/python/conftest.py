"""The official Python client as the administrator, and a namespace for every test."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch

from kybern.testing.cluster import Cluster

Watch: Any = watch.Watch
numbers = itertools.count(1)


@pytest.fixture(scope="session")
def api_client(cluster: Cluster) -> Iterator[Any]:
    """An ApiClient from the kubeconfig."""
    load: Any = config.new_client_from_config  # the package has no types here
    with load(str(cluster.kubeconfig)) as found:
        yield found
        found.rest_client.pool_manager.clear()  # closing the client leaves its connections open


@pytest.fixture(scope="session")
def core(api_client: Any) -> Any:
    """The core API, untyped: tests hand it plain dicts."""
    return client.CoreV1Api(api_client)


@pytest.fixture(scope="session")
def apps(api_client: Any) -> Any:
    return client.AppsV1Api(api_client)


@pytest.fixture
def namespace(core: Any) -> Iterator[str]:
    """A fresh namespace."""
    name = f"py{next(numbers)}"
    core.create_namespace({"metadata": {"name": name}})
    accounts = Watch().stream(core.list_namespaced_service_account, name, timeout_seconds=10)
    assert next(accounts)["object"].metadata.name == "default"  # pods are refused before
    accounts.close()
    yield name
    core.delete_namespace(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sockets that a client library leaves to the garbage collector are that library's affair."""
    mark = pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(mark)
