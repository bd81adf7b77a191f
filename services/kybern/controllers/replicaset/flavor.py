"""What tells ReplicaSet and ReplicationController apart: names, and the form of the selector."""

from collections.abc import Callable
from dataclasses import dataclass

from kybern.client.resources import REPLICA_SETS, REPLICATION_CONTROLLERS, Resource
from kybern.kube.meta import Object
from kybern.kube.selectors import Selector, from_label_selector, from_labels


@dataclass(frozen=True)
class Flavor:
    """A kind that keeps a number of pods."""

    name: str  # in events and metrics
    resource: Resource
    selector: Callable[[Object], Selector]
    counts_terminating: bool


def _labels_of(controller: Object) -> Selector:
    spec: Object = controller["spec"]
    return from_labels(spec.get("selector") or spec["template"]["metadata"].get("labels"))


REPLICA_SET = Flavor(
    "replicaset-controller", REPLICA_SETS, lambda rs: from_label_selector(rs["spec"].get("selector")), True
)
REPLICATION_CONTROLLER = Flavor("replication-controller", REPLICATION_CONTROLLERS, _labels_of, False)
