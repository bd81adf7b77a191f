"""The loop over VolumeAttributesClasses: each gets a finalizer, and loses it when nobody has the class any more."""

from collections.abc import Iterator

from kybern.client.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, VOLUME_ATTRIBUTES_CLASSES
from kybern.controllers.context import Context, when_changed
from kybern.controllers.storage import protect
from kybern.kube import meta
from kybern.kube.meta import Object

NAME = "volumeattributesclass-protection-controller"
FINALIZER = "kubernetes.io/vac-protection"
CLASS = "volume attributes class"  # the index of claims and volumes by the classes they have


def classes_of(obj: Object) -> Iterator[str]:
    """The classes that a claim wants, has or is being given; of a volume, the one it has."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    yield spec.get("volumeAttributesClassName") or ""
    yield status.get("currentVolumeAttributesClassName") or ""
    yield (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName") or ""


def by_class(obj: Object) -> tuple[str, ...]:
    """The index `CLASS`."""
    return tuple({name: None for name in classes_of(obj) if name})


class VolumeAttributesClassProtection:
    """One key is one class."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._classes = context.informer(VOLUME_ATTRIBUTES_CLASSES)
        self._users = [context.informer(resource) for resource in (PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES)]
        self._loop = context.controller(NAME, VOLUME_ATTRIBUTES_CLASSES, self.reconcile)
        for informer in self._users:
            informer.store.add_indexers({CLASS: by_class})
            informer.add_handler(when_changed(self._user_changed))

    async def run(self) -> None:
        await self._context.synced(VOLUME_ATTRIBUTES_CLASSES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES)
        await self._loop.run()

    def _user_changed(self, obj: Object) -> None:
        for name in by_class(obj):
            found = self._classes.get(name)
            if found is not None and meta.is_deleting(found):
                self._loop.queue.add(name)

    async def reconcile(self, key: str) -> None:
        found = self._classes.get(key)
        if found is None:
            return
        in_use = any(informer.store.by_index(CLASS, key) for informer in self._users)
        await protect(self._context.client, VOLUME_ATTRIBUTES_CLASSES, found, FINALIZER, in_use)
