"""CustomResources: keeps the resource table and the caches as the established definitions say.

It listens to the cache of definitions, inside the step that applies a change: whoever has seen that a definition is
established finds its resources served, and no object of theirs is missed. A definition takes the place of nothing that
Kubernetes has built in: not a resource, and not a place in one of its group versions.
"""

from typing import TYPE_CHECKING, Any

import orjson

from kybern.apiserver.crd.cacher import CustomCacher, Kinds
from kybern.apiserver.crd.conversion import Conversion
from kybern.apiserver.crd.definition import (
    GROUP,
    RESOURCE,
    CustomVersion,
    is_established,
    needs_webhook,
    shape,
    version_order,
    versions,
)
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Strategy, already_made
from kybern.apiserver.storage.entry import CacheEvent
from kybern.kube.schema import GroupInfo
from kybern.kube.status import forbidden

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

Object = dict[str, Any]
SHAPED = ("versions", "conversion")  # parts of a spec that say how what is stored is read


def refuse_terminating(request: Request, obj: Object) -> None:
    """Nothing is made any more of what is going. Raises StatusError (403)."""
    if request.served.custom is not None and request.served.custom.ending:
        why = "create not allowed while custom resource definition is terminating"
        raise forbidden(request.group, request.resource, obj["metadata"].get("name") or "", why)


CUSTOM = Strategy(prepare_create=(refuse_terminating,), updates={"scale": already_made}, unconditional_update=False)


class CustomResources:
    """What is served because of definitions, by their names."""

    def __init__(self, server: "ApiServer") -> None:
        self._server = server
        self._shapes: dict[str, Object] = {}
        self._served: dict[str, list[CustomVersion]] = {}
        self._built_in = server.table.groups
        self._own = frozenset(gvr[:2] for gvr in server.table.served)
        self._own_resources = frozenset(server.table.cachers)
        server.table.cacher(GROUP, RESOURCE).listeners.append(self._follow)

    def load(self) -> None:
        """Serve what the cached definitions say and nothing else."""
        entries = self._server.table.cacher(GROUP, RESOURCE).entries
        for name in set(self._shapes) - set(entries):
            self._remove(name)
        for entry in entries.values():
            self._sync(entry.name, entry.decode())

    def cacher(self, crd: Object) -> CustomCacher | None:
        """The cache of a definition's objects, if they are served."""
        spec = crd["spec"]
        found = self._server.table.cachers.get((spec["group"], spec["names"]["plural"]))
        return found if isinstance(found, CustomCacher) else None

    def _follow(self, event: CacheEvent) -> None:
        if event.deleted:
            self._remove(event.entry.name)
        else:
            self._sync(event.entry.name, event.entry.decode())

    def _sync(self, name: str, crd: Object) -> None:
        if not is_established(crd):
            return
        wanted = shape(crd)
        if self._shapes.get(name) == wanted:
            return
        found = versions(crd)
        storage = next((version for version in found if version.storage), None)
        if storage is None or (storage.info.group, storage.info.resource) in self._own_resources:
            return
        found = [version for version in found if (version.info.group, version.info.version) not in self._own]
        table = self._server.table
        before = {version.info.gvr for version in self._served.get(name, ()) if version.served}
        server, conversion = self._server, None
        if needs_webhook(crd):
            conversion = Conversion(crd, found, server.webhooks, server.random)
        kinds = None if conversion is None else {version.info.api_version: version.kind for version in found}
        cacher = self._open(crd, storage, kinds, self._shapes.get(name))
        for version in found:
            if version.served:
                table.put_custom(version.info, storage.info, version.kind, cacher, CUSTOM, conversion)
                before.discard(version.info.gvr)
        for gvr in before:
            table.remove(gvr)
        self._shapes[name], self._served[name] = orjson.loads(orjson.dumps(wanted)), found
        self._announce()

    def _open(self, crd: Object, storage: CustomVersion, kinds: Kinds | None, before: Object | None) -> CustomCacher:
        cacher = self.cacher(crd)
        feed, table = self._server.feed, self._server.table
        if cacher is None:
            cacher = CustomCacher(storage.info, storage.kind, kinds)
            cacher.loaded(feed.revision)
            table.cachers[(storage.info.group, storage.info.resource)] = cacher
            feed.add(cacher)
            return cacher
        if before is None or any(before["spec"].get(part) != crd["spec"].get(part) for part in SHAPED):
            cacher.reshape(storage.info, storage.kind, kinds)
        if before is None or any(before[part] != shape(crd)[part] for part in ("spec", "names")):
            cacher.restart(feed.revision)
        return cacher

    def _remove(self, name: str) -> None:
        self._shapes.pop(name, None)
        served = self._served.pop(name, [])
        table = self._server.table
        for version in served:
            table.remove(version.info.gvr)
        for group, resource in {(version.info.group, version.info.resource) for version in served}:
            cacher = table.cachers.pop((group, resource), None)
            if cacher is not None:
                cacher.end_watches()
                self._server.feed.remove(cacher)
        if served:
            self._announce()

    def _announce(self) -> None:
        """The groups follow from what is served."""
        found: dict[str, set[str]] = {}
        for rows in self._served.values():
            for version in rows:
                if version.served:
                    found.setdefault(version.info.group, set()).add(version.info.version)
        groups = []
        for group in self._built_in:
            more = found.pop(group.name, set()) - set(group.versions)
            added = (*group.versions, *sorted(more, key=version_order))
            groups.append(GroupInfo(group.name, added, group.preferred) if more else group)
        for name in sorted(found):
            ordered = tuple(sorted(found[name], key=version_order))
            groups.append(GroupInfo(name, ordered, ordered[0]))
        self._server.table.groups = tuple(groups)
        self._server.table.announce()
