"""The loop over namespaces that publishes the CA and puts changed copies right."""

from kybern.client.informer import EventHandler
from kybern.client.resources import CONFIG_MAPS, NAMESPACES
from kybern.controllers.context import Context
from kybern.controllers.core.config_maps import ROOT_CA as CONFIG_MAP
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError

NAME = "root-ca-certificate-publisher-controller"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as "
    "the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
)
ANNOTATION = "kubernetes.io/description"


class RootCAPublisher:
    """Publishes one certificate."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._data = {"ca.crt": context.root_ca}
        self._namespaces = context.informer(NAMESPACES)
        self._config_maps = context.informer(CONFIG_MAPS)
        self._loop = context.controller(NAME, NAMESPACES, self.reconcile)
        self._config_maps.add_handler(
            EventHandler(
                on_update=lambda old, new: self._changed(new), on_delete=lambda obj, unknown: self._changed(obj)
            )
        )

    async def run(self) -> None:
        if not self._context.root_ca:
            self._context.telemetry.log.warning("no root CA is known: %s is not published", CONFIG_MAP)
            return
        await self._context.synced(NAMESPACES, CONFIG_MAPS)
        await self._loop.run()

    def _changed(self, config_map: Object) -> None:
        if meta.name(config_map) == CONFIG_MAP:
            self._loop.queue.add(meta.namespace(config_map))

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or meta.is_deleting(namespace):
            return
        client = self._context.client
        current = self._config_maps.get(f"{key}/{CONFIG_MAP}")
        annotations = {ANNOTATION: DESCRIPTION}
        if current is None:
            metadata = {"name": CONFIG_MAP, "namespace": key, "annotations": annotations}
            try:
                await client.create(CONFIG_MAPS, {"metadata": metadata, "data": self._data})
            except StatusError as error:
                if error.reason != "AlreadyExists":
                    raise
        elif current.get("data") != self._data or ANNOTATION not in meta.annotations(current):
            metadata = {**current["metadata"], "annotations": {**meta.annotations(current), **annotations}}
            await client.update(CONFIG_MAPS, {**current, "metadata": metadata, "data": self._data})
