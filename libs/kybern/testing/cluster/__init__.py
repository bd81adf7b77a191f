"""A real cluster for tests, as a pytest plugin: `pytest -p kybern.testing.cluster`, or its fixtures in a conftest.

Fixtures: `cluster` (simulated nodes, nothing needed) and `container_cluster` (real containers; skips where the host
cannot run them). One of each serves a whole session, and tests keep apart by namespace. A host has one cluster with
containers at a time: `container_host` keeps the turns.
"""

from kybern.testing.cluster.fixtures import cluster, container_cluster, container_host
from kybern.testing.cluster.host import ContainerHost
from kybern.testing.cluster.kubectl import Kubectl
from kybern.testing.cluster.process import Cluster, ClusterError

__all__ = ["Cluster", "ClusterError", "ContainerHost", "Kubectl", "cluster", "container_cluster", "container_host"]
