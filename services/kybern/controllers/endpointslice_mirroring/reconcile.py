"""The loop over Endpoints that nobody computes, and the slices that mirror them."""

import asyncio

from kybern.client.events import WARNING
from kybern.client.informer import each
from kybern.client.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from kybern.controllers.context import Context
from kybern.controllers.core.slices import SliceChanges, service_of
from kybern.controllers.core.written import Written
from kybern.controllers.endpointslice_mirroring.core import MANAGED_BY, compute_mirrors, is_mirrored
from kybern.controllers.pod_control import is_namespace_terminating
from kybern.controllers.slice_writer import write_slices
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError

NAME = "endpointslice-mirroring-controller"
MIRRORED = "mirrored service"  # index of slices by their Service's key


def by_service(slice_: Object) -> tuple[str, ...]:
    """The Service of a slice that mirrors its Endpoints."""
    return service_of(slice_, MANAGED_BY)


class EndpointSliceMirroring:
    """One key is one Service and the Endpoints of its name."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._services = context.informer(SERVICES)
        self._endpoints = context.informer(ENDPOINTS)
        self._slices = context.informer(ENDPOINT_SLICES)
        self._slices.store.add_indexers({MIRRORED: by_service})
        self._loop = context.controller(NAME, ENDPOINTS, self.reconcile)
        self._services.add_handler(each(lambda service: self._loop.queue.add(meta.key(service))))
        self._slices.add_handler(each(self._slice_changed))
        self._written = Written()

    async def run(self) -> None:
        await self._context.synced(SERVICES, ENDPOINTS, ENDPOINT_SLICES)
        await self._loop.run()

    def _slice_changed(self, slice_: Object) -> None:
        for key in by_service(slice_):
            self._loop.queue.add(key)

    async def reconcile(self, key: str) -> None:
        if not self._written.up_to_date(key, self._slices.get, asyncio.get_running_loop().time()):
            return  # the events of our own writes bring the key back
        endpoints, existing = self._endpoints.get(key), self._slices.store.by_index(MIRRORED, key)
        if endpoints is not None and is_mirrored(endpoints, self._services.get(key)):
            changes = compute_mirrors(endpoints, existing)
        else:
            changes = SliceChanges(delete=tuple(s for s in existing if not meta.is_deleting(s)))
        try:
            await write_slices(self._client, self._written, key, changes)
        except StatusError as error:
            if is_namespace_terminating(error):
                return
            if endpoints is not None:
                message = f"Error updating EndpointSlices for Endpoints {key}: {error.message}"
                self._events.event(endpoints, WARNING, "FailedToUpdateEndpointSlices", message)
            raise
