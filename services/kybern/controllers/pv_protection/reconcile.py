"""The loop over PersistentVolumes that takes their finalizer when they are bound no more."""

from kybern.client.resources import PERSISTENT_VOLUMES
from kybern.controllers.context import Context
from kybern.controllers.storage import protect

NAME = "persistentvolume-protection-controller"
FINALIZER = "kubernetes.io/pv-protection"


class VolumeProtection:
    """One key is one volume."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._volumes = context.informer(PERSISTENT_VOLUMES)
        self._loop = context.controller(NAME, PERSISTENT_VOLUMES, self.reconcile)

    async def run(self) -> None:
        await self._context.synced(PERSISTENT_VOLUMES)
        await self._loop.run()

    async def reconcile(self, key: str) -> None:
        volume = self._volumes.get(key)
        if volume is None:
            return
        bound = (volume.get("status") or {}).get("phase") == "Bound"
        await protect(self._context.client, PERSISTENT_VOLUMES, volume, FINALIZER, bound)
