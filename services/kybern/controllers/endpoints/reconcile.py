"""The loop over Services that keeps their Endpoints, and drops those whose Service is gone."""

from kybern.client.events import WARNING
from kybern.client.informer import EventHandler
from kybern.client.resources import ENDPOINTS, PODS, SERVICES
from kybern.client.store import NAMESPACE
from kybern.controllers.context import Context
from kybern.controllers.core.services import has_selector
from kybern.controllers.endpoints.core import compute_endpoints
from kybern.controllers.pod_control import is_namespace_terminating
from kybern.controllers.service_pods import ServicePods
from kybern.kube import meta
from kybern.kube.status import StatusError, allowing

NAME = "endpoint-controller"


class EndpointsController:
    """One key is one Service, and the Endpoints of the same name."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._events = context.recorder(NAME)
        self._services = context.informer(SERVICES, NAMESPACE)
        self._endpoints = context.informer(ENDPOINTS)
        self._loop = context.controller(NAME, SERVICES, self.reconcile, watch=False)
        self._pods = ServicePods(self._services, context.informer(PODS, NAMESPACE), self._loop.queue)
        self._endpoints.add_handler(
            EventHandler(on_delete=lambda endpoints, unknown: self._loop.queue.add(meta.key(endpoints)))
        )

    async def run(self) -> None:
        await self._context.synced(SERVICES, PODS, ENDPOINTS)
        await self._loop.run()

    async def reconcile(self, key: str) -> None:
        service = self._services.get(key)
        if service is None:
            await self._delete(key)
            return
        if not has_selector(service):
            return
        current = self._endpoints.get(key)
        wanted = compute_endpoints(service, self._pods.behind(service), current)
        if wanted is None:
            return
        try:
            if current is None:
                await self._client.create(ENDPOINTS, wanted)
            else:
                await self._client.update(ENDPOINTS, wanted)
        except StatusError as error:
            if current is None and is_namespace_terminating(error):
                return
            if error.code not in (404, 409):
                message = f"Failed to update endpoint {key}: {error.message}"
                self._events.event(service, WARNING, "FailedToUpdateEndpoint", message)
            raise

    async def _delete(self, key: str) -> None:
        namespace, name = meta.split_key(key)
        if key not in self._endpoints.store:
            return
        with allowing(404):
            await self._client.delete(ENDPOINTS, name, namespace)
