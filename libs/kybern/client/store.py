"""Indexer: the objects of a collection by key, and by whatever else they are looked up with.

An index maps a value (a node name, an owner's uid, …) to the keys of the objects that have it. Objects are shared by
everyone who reads the store: nobody changes them (copy before changing).
"""

from collections.abc import Callable, Iterable, Mapping

from kybern.kube import meta
from kybern.kube.meta import Object

IndexFunction = Callable[[Object], Iterable[str]]
Objects = list[Object]
Strings = list[str]

NAMESPACE = "namespace"
NODE = "node"
CONTROLLER = "controller"
OWNER = "owner"


def by_namespace(obj: Object) -> tuple[str, ...]:
    """The object's namespace."""
    return (meta.namespace(obj),)


def by_node(pod: Object) -> tuple[str, ...]:
    """The node a pod is bound to; nothing for a pod without one."""
    node = pod.get("spec", {}).get("nodeName")
    return (node,) if node else ()


def by_controller(obj: Object) -> tuple[str, ...]:
    """The uid of the controller of an object."""
    ref = meta.controller_of(obj)
    return (ref["uid"],) if ref else ()


def by_owner(obj: Object) -> tuple[str, ...]:
    """The uids of all owners of an object."""
    return tuple(ref["uid"] for ref in meta.owner_references(obj))


INDEXERS: dict[str, IndexFunction] = {
    NAMESPACE: by_namespace,
    NODE: by_node,
    CONTROLLER: by_controller,
    OWNER: by_owner,
}
"""Index functions by their names."""


class Indexer:
    """Objects by key, with indexes that are kept as objects come and go."""

    def __init__(self, indexers: Mapping[str, IndexFunction] | None = None) -> None:
        self._objects: dict[str, Object] = {}
        self._indexers: dict[str, IndexFunction] = {}
        self._indices: dict[str, dict[str, dict[str, None]]] = {}  # index → value → keys in order of arrival
        self.add_indexers(indexers or {})

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: str) -> bool:
        return key in self._objects

    def add_indexers(self, indexers: Mapping[str, IndexFunction]) -> None:
        """Add indexes, at any time; an index that exists is left alone."""
        for name, function in indexers.items():
            if name in self._indexers:
                continue
            self._indexers[name] = function
            index: dict[str, dict[str, None]] = {}
            self._indices[name] = index
            for key, obj in self._objects.items():
                for value in function(obj):
                    index.setdefault(value, {})[key] = None

    def get(self, key: str) -> Object | None:
        return self._objects.get(key)

    def list(self) -> Objects:
        return [*self._objects.values()]

    def keys(self) -> Strings:
        return [*self._objects]

    def by_index(self, index: str, value: str) -> Objects:
        """The objects that have this value in this index."""
        return [self._objects[key] for key in self._indices[index].get(value, ())]

    def index_values(self, index: str) -> Strings:
        """The values of an index that some object has."""
        return [*self._indices[index]]

    def put(self, obj: Object, key: str = "") -> Object | None:
        """Keep an object, whose key may be known already; the one it replaces."""
        key = key or meta.key(obj)
        old = self._objects.get(key)
        self._objects[key] = obj
        for name, function in self._indexers.items():
            new_values = tuple(function(obj))
            old_values = tuple(function(old)) if old is not None else ()
            if new_values != old_values:
                self._unindex(name, key, old_values)
                for value in new_values:
                    self._indices[name].setdefault(value, {})[key] = None
        return old

    def remove(self, key: str) -> Object | None:
        """Drop an object; what it was."""
        old = self._objects.pop(key, None)
        if old is not None:
            for name, function in self._indexers.items():
                self._unindex(name, key, tuple(function(old)))
        return old

    def _unindex(self, name: str, key: str, values: Iterable[str]) -> None:
        index = self._indices[name]
        for value in values:
            keys = index.get(value)
            if keys is not None:
                keys.pop(key, None)
                if not keys:
                    del index[value]
