"""The official Python client as the administrator."""

from pathlib import Path
from typing import Any

import pytest
from kubernetes import client


@pytest.fixture(scope="session")
def apps(api_client: Any) -> Any:
    return client.AppsV1Api(api_client)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sockets that a client library leaves to the garbage collector are that library's affair."""
    mark = pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(mark)
