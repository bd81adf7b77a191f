"""The official Python client as the administrator, and a namespace for every test."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config

from kybern.testing.cluster import Cluster

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def api_client(cluster: Cluster) -> Iterator[Any]:
    """An ApiClient from the kubeconfig."""
    load: Any = config.new_client_from_config  # the package has no types here
    with load(str(cluster.kubeconfig)) as found:
        yield found


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
    yield name
    core.delete_namespace(name)
