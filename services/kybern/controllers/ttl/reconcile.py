"""The loop over Nodes that annotates them."""

from kybern.client.informer import EventHandler
from kybern.client.resources import NODES
from kybern.controllers.context import Context
from kybern.controllers.ttl.core import ANNOTATION, STEPS, next_step
from kybern.kube import meta
from kybern.kube.status import allowing

NAME = "ttl-controller"


class TTLController:
    """Counts nodes as they come and go."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._nodes = context.informer(NODES)
        self._step = 0
        self._loop = context.controller(NAME, NODES, self.reconcile)
        self._nodes.add_handler(
            EventHandler(on_add=lambda node: self._counted(), on_delete=lambda node, unknown: self._counted())
        )

    async def run(self) -> None:
        await self._context.synced(NODES)
        await self._loop.run()

    def _counted(self) -> None:
        step = next_step(self._step, len(self._nodes.store))
        if step != self._step:
            self._step = step
            for node in self._nodes.store.list():
                self._loop.queue.add(meta.key(node))

    async def reconcile(self, key: str) -> None:
        node, wanted = self._nodes.get(key), str(STEPS[self._step].seconds)
        if node is None or meta.annotations(node).get(ANNOTATION) == wanted:
            return
        with allowing(404):
            await self._context.client.patch(NODES, key, patch={"metadata": {"annotations": {ANNOTATION: wanted}}})
