"""Every controller, by the name that --controllers knows it by, in Kubernetes' words."""

from collections.abc import Sequence

from kybern.controllers.context import Starter
from kybern.controllers.deployment.reconcile import DeploymentController
from kybern.controllers.endpoints.reconcile import EndpointsController
from kybern.controllers.endpointslice.reconcile import EndpointSliceController
from kybern.controllers.namespace.reconcile import NamespaceController
from kybern.controllers.replicaset.reconcile import replica_set_controller, replication_controller
from kybern.controllers.root_ca.reconcile import RootCAPublisher
from kybern.controllers.serviceaccount.reconcile import ServiceAccountController

CONTROLLERS: dict[str, Starter] = {
    "serviceaccount-controller": ServiceAccountController,
    "root-ca-certificate-publisher-controller": RootCAPublisher,
    "namespace-controller": NamespaceController,
    "endpoints-controller": EndpointsController,
    "endpointslice-controller": EndpointSliceController,
    "deployment-controller": DeploymentController,
    "replicaset-controller": replica_set_controller,
    "replicationcontroller-controller": replication_controller,
}


class UnknownController(ValueError):
    """--controllers names something that is not there."""


def select_controllers(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """The names that a --controllers value enables: `*` is all, `name` adds, `-name` leaves out and wins."""
    for entry in wanted:
        if entry != "*" and entry.removeprefix("-") not in known:
            raise UnknownController(f'"{entry}" is not in the list of known controllers: {", ".join(known)}')
    return [name for name in known if f"-{name}" not in wanted and (name in wanted or "*" in wanted)]
