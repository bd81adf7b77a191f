"""The loop over Services that keeps their EndpointSlices."""

import asyncio

from kybern.client.events import WARNING
from kybern.client.informer import EventHandler, each
from kybern.client.resources import ENDPOINT_SLICES, NODES, PODS, SERVICES
from kybern.client.store import NAMESPACE
from kybern.controllers.context import Context
from kybern.controllers.core.services import has_selector
from kybern.controllers.core.slices import service_of
from kybern.controllers.core.written import Written
from kybern.controllers.endpointslice.core import MANAGED_BY, ZONE_LABEL, compute_slices
from kybern.controllers.pod_control import is_namespace_terminating
from kybern.controllers.service_pods import ServicePods
from kybern.controllers.slice_writer import write_slices
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError

NAME = "endpointslice-controller"
SERVICE = "service"  # index of slices by their Service's key


def by_service(slice_: Object) -> tuple[str, ...]:
    """The Service of a slice that this controller manages."""
    return service_of(slice_, MANAGED_BY)


class EndpointSliceController:
    """One key is one Service."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._services = context.informer(SERVICES, NAMESPACE)
        self._nodes = context.informer(NODES)
        self._slices = context.informer(ENDPOINT_SLICES)
        self._slices.store.add_indexers({SERVICE: by_service})
        self._loop = context.controller(NAME, SERVICES, self.reconcile, watch=False)
        self._pods = ServicePods(self._services, context.informer(PODS, NAMESPACE), self._loop.queue)
        self._slices.add_handler(each(self._slice_changed))
        self._nodes.add_handler(EventHandler(on_update=self._node_updated))
        self._written = Written()

    async def run(self) -> None:
        await self._context.synced(SERVICES, PODS, NODES, ENDPOINT_SLICES)
        await self._loop.run()

    def _slice_changed(self, slice_: Object) -> None:
        for key in by_service(slice_):
            self._loop.queue.add(key)

    def _node_updated(self, old: Object, new: Object) -> None:
        if meta.labels(old).get(ZONE_LABEL) != meta.labels(new).get(ZONE_LABEL):
            for service in self._services.store.list():
                self._loop.queue.add(meta.key(service))

    async def reconcile(self, key: str) -> None:
        service = self._services.get(key)
        if service is None:
            self._written.forget(key)
            return
        if not has_selector(service) or meta.is_deleting(service):
            return
        if not self._written.up_to_date(key, self._slices.get, asyncio.get_running_loop().time()):
            return  # the events of our own writes bring the key back
        nodes = {meta.name(node): node for node in self._nodes.store.list()}
        existing = self._slices.store.by_index(SERVICE, key)
        changes = compute_slices(service, self._pods.behind(service), nodes, existing)
        try:
            await write_slices(self._client, self._written, key, changes)
        except StatusError as error:
            if is_namespace_terminating(error):
                return
            message = f"Error updating Endpoint Slices for Service {key}: {error.message}"
            self._events.event(service, WARNING, "FailedToUpdateEndpointSlices", message)
            raise
