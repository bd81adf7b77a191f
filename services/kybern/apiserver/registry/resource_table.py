"""ResourceTable: every resource the API serves. It may change at run time (custom resources): ask it at each request.

Several versions of a resource share one cache, in storage version; `Served` is one of those versions.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import orjson

from kybern.apiserver.core import encoding, fields, keys
from kybern.apiserver.core.encoding import Object
from kybern.apiserver.crd.conversion import Conversion
from kybern.apiserver.registry.strategy import Strategy
from kybern.apiserver.storage.cacher import Cacher
from kybern.kube import meta, schema
from kybern.kube.disabled_fields import Disabled, by_subresource
from kybern.kube.schema import Definition, GroupInfo, ResourceInfo
from kybern.kube.status import StatusError, method_not_allowed, unknown_resource
from kybern.kube.structural import CustomKind

GVR = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Served:
    """One resource in one version."""

    info: ResourceInfo
    stored: ResourceInfo  # the storage version
    definition: Definition | None
    strategy: Strategy
    cacher: Cacher | None  # None: nothing of it is stored (reviews)
    head: bytes
    selectable: frozenset[str]
    aliases: dict[str, str] = field(default_factory=dict)
    custom: CustomKind | None = None  # of a custom resource
    conversion: Conversion | None = None  # by webhook: requests are worked on in their own version

    @property
    def group(self) -> str:
        return self.info.group

    @property
    def resource(self) -> str:
        return self.info.resource

    @cached_property
    def group_resource(self) -> tuple[str, str]:
        return self.info.group, self.info.resource

    @cached_property
    def is_stored_version(self) -> bool:
        return self.info.api_version == self.stored.api_version and self.conversion is None

    @cached_property
    def disabled(self) -> dict[str, tuple[Disabled, ...]]:
        """Fields that are off by default, by the subresource that could set them."""
        return by_subresource(self.stored.group, self.stored.kind) if self.custom is None else {}

    @property
    def storage(self) -> Cacher:
        """The cache. Raises StatusError (405) if nothing is stored."""
        if self.cacher is None:
            raise method_not_allowed(self.group, self.resource, "read")
        return self.cacher

    def present(self, data: bytes) -> bytes:
        """Stored bytes in this version; what needs a webhook is in it already."""
        return data if self.converter is None else _converted(data, self.info.api_version)

    @cached_property
    def converter(self) -> Callable[[bytes], bytes] | None:
        """`present`, or None if it would change nothing; the same function for the same version."""
        return None if self.is_stored_version or self.conversion is not None else _converter(self.info.api_version)

    def to_storage(self, obj: Object) -> Object:
        """A decoded object of this version in storage version."""
        return obj if self.converter is None else schema.convert(obj, self.stored.api_version)


@lru_cache(maxsize=256)
def _converter(api_version: str) -> Callable[[bytes], bytes]:
    return lambda data: _converted(data, api_version)


@lru_cache(maxsize=4096)
def _converted(data: bytes, api_version: str) -> bytes:
    """The bytes are the key, and hold their resourceVersion: a conversion per revision."""
    return bytes(memoryview(orjson.dumps(schema.convert(orjson.loads(data), api_version))))


class ResourceTable:
    """Built-in kinds from the schema, with their strategies and caches."""

    def __init__(self, strategies: Callable[[str, str], Strategy]) -> None:
        self.etag = 1
        self._changes = asyncio.Event()
        self.served: dict[GVR, Served] = {}
        self.cachers: dict[tuple[str, str], Cacher] = {}
        self.groups: tuple[GroupInfo, ...] = ()
        self._strategies = strategies

    def add_builtin(self) -> None:
        """Serve everything in the schema."""
        loaded = schema.load()
        self.groups = loaded.groups
        for info in loaded.resources.values():
            group, version = info.storage
            stored = loaded.resource(group, version, info.resource) or info
            self.add(info, stored, loaded.definition(info.gvk))

    def add(self, info: ResourceInfo, stored: ResourceInfo, definition: Definition | None) -> None:
        """Serve one version of a resource."""
        cacher = None
        if "list" in info.verbs and info.resource != "componentstatuses":
            cacher = self.cachers.get((stored.group, stored.resource))
            if cacher is None:
                prefix = keys.prefix(stored.group, stored.resource)
                cacher = Cacher(
                    stored.group, stored.resource, stored.kind, stored.api_version, stored.namespaced, prefix
                )
                self.cachers[(stored.group, stored.resource)] = cacher
        aliases = dict(fields.aliases(info.group))
        names = fields.selectable(stored.group, stored.resource, info.namespaced)
        self.served[info.gvr] = Served(
            info,
            stored,
            definition,
            self._strategies(stored.group, stored.resource),
            cacher,
            encoding.head(info.kind, info.api_version),
            names | aliases.keys(),
            aliases,
        )
        self.announce()

    def put_custom(
        self,
        info: ResourceInfo,
        stored: ResourceInfo,
        custom: CustomKind,
        cacher: Cacher,
        strategy: Strategy,
        conversion: Conversion | None = None,
    ) -> None:
        """Serve one version of a custom resource; `announce` when the table is as it should be."""
        stored = stored if conversion is None else info  # requests are worked on in their own version
        names = fields.selectable(stored.group, stored.resource, info.namespaced)
        names |= {path.removeprefix(".") for path in custom.selectable}
        head = encoding.head(info.kind, info.api_version)
        self.served[info.gvr] = Served(
            info, stored, custom.schema, strategy, cacher, head, names, {}, custom, conversion
        )

    def remove(self, gvr: GVR) -> None:
        """Serve a resource no longer."""
        self.served.pop(gvr, None)

    def announce(self) -> None:
        """Tell those who wait for changes."""
        self.etag += 1
        self._changes.set()
        self._changes = asyncio.Event()

    async def changed(self, etag: int) -> None:
        """Wait until the table is another than the one with this etag."""
        while self.etag == etag:
            await self._changes.wait()

    def find(self, group: str, version: str, resource: str) -> Served:
        """Raises StatusError (404) for what is not served."""
        found = self.served.get((group, version, resource))
        if found is None:
            raise unknown_resource()
        return found

    def cacher(self, group: str, resource: str) -> Cacher:
        """The cache of a resource that is known to be served."""
        return self.cachers[(group, resource)]

    def of_kind(self, api_version: str, kind: str) -> Served | None:
        """What serves a kind."""
        gvk = (*meta.group_version(api_version), kind)
        return next((served for served in self.served.values() if served.info.gvk == gvk), None)

    def in_group_version(self, group: str, version: str) -> Iterator[Served]:
        """The resources of a group-version, in order."""
        return (s for (g, v, _), s in self.served.items() if (g, v) == (group, version))


def supports(served: Served, verb: str, subresource: str) -> StatusError | None:
    """Why a verb cannot be used, if so."""
    verbs = served.info.verbs
    if subresource:
        info = served.info.subresources.get(subresource)
        if info is None:
            return unknown_resource()
        verbs = info.verbs
        if subresource == "proxy":
            return None  # any method that HTTP has
        if verb == "update" and "patch" in verbs:
            return None
    return None if verb in verbs else method_not_allowed(served.group, served.resource, verb)
