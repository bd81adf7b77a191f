"""The loop over namespaces that makes their default service account."""

from kybern.client.informer import EventHandler
from kybern.client.resources import NAMESPACES, SERVICE_ACCOUNTS
from kybern.controllers.context import Context
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError

NAME = "serviceaccount-controller"
DEFAULT = "default"


def needs_account(namespace: Object) -> bool:
    """Only a namespace that is there to stay gets one."""
    return not meta.is_deleting(namespace) and (namespace.get("status") or {}).get("phase") != "Terminating"


class ServiceAccountController:
    """Makes what is missing; never changes what is there."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._namespaces = context.informer(NAMESPACES)
        self._accounts = context.informer(SERVICE_ACCOUNTS)
        self._loop = context.controller(NAME, NAMESPACES, self.reconcile)
        self._accounts.add_handler(
            EventHandler(on_delete=lambda account, unknown: self._loop.queue.add(meta.namespace(account)))
        )

    async def run(self) -> None:
        await self._context.synced(NAMESPACES, SERVICE_ACCOUNTS)
        await self._loop.run()

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or not needs_account(namespace) or f"{key}/{DEFAULT}" in self._accounts.store:
            return
        try:
            await self._context.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": DEFAULT, "namespace": key}})
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
