"""Fixtures around `Cluster`."""

from collections.abc import Iterator

import pytest

from kybern.testing.cluster.host import ContainerHost
from kybern.testing.cluster.process import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with two simulated nodes: pods become Running, nothing runs in them."""
    running = Cluster.start("--nodes", "0", "--simulated-nodes", "2")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def container_host() -> Iterator[ContainerHost]:
    """The turns that tests with containers take on this host."""
    host = ContainerHost()
    yield host
    host.close()


@pytest.fixture
def container_cluster(container_host: ContainerHost) -> Cluster:
    """A cluster with one node that runs containers, shared by all tests that ask for it."""
    return container_host.shared()
