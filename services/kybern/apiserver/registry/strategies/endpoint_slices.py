"""EndpointSlices: what an endpoint's topology was before zones and nodes had members of their own is not kept."""

from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube.validation.endpoints import endpoint_slice_warnings


def without_topology(request: Request, new: Object) -> None:
    """New slices have none."""
    _drop(new)


def without_new_topology(request: Request, new: Object, old: Object) -> None:
    """An old slice keeps what it has until its endpoints change."""
    if new.get("endpoints") != old.get("endpoints"):
        _drop(new)


def _drop(new: Object) -> None:
    for endpoint in new.get("endpoints") or ():
        (endpoint or {}).pop("deprecatedTopology", None)


ENDPOINT_SLICES = Strategy(
    prepare_create=(without_topology,), prepare_update=(without_new_topology,), warn=endpoint_slice_warnings
)
