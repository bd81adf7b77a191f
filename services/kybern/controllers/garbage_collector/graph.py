"""The graph of owners and dependents, by uid, as events of every collection draw it. Pure.

An owner that is referred to and has not been seen is a virtual node: it is looked up live before anything is concluded
from its absence. Each change returns the uids that should be looked at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kybern.kube import meta
from kybern.kube.meta import Object

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


class Identity(NamedTuple):
    """What an object is called. The namespace of a virtual node is its dependent's, also for cluster-scoped kinds."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


NO_OWNERS: Mapping[str, Object] = {}
NO_DEPENDENTS: dict[str, None] = {}  # of most objects, which share it; replaced when there is one to add


@dataclass(slots=True)
class Node:
    """One object: its owners as it names them, and who names it as owner (in order of arrival)."""

    identity: Identity
    owners: Mapping[str, Object] = field(default_factory=lambda: NO_OWNERS)
    dependents: dict[str, None] = field(default_factory=lambda: NO_DEPENDENTS)
    virtual: bool = False
    deleting: bool = False
    foreground: bool = False  # is being deleted, once its dependents are
    orphan: bool = False  # is being deleted, once its dependents are released


@dataclass(frozen=True, slots=True)
class Look:
    """Who should be looked at: whether to delete, and whether to release dependents."""

    delete: tuple[str, ...] = ()
    orphan: tuple[str, ...] = ()


NOBODY = Look()


class Graph:
    """Nodes by uid."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def observe(self, obj: Mapping[str, Any]) -> Look:
        """An object was added or changed."""
        metadata = meta.metadata(obj)
        uid = metadata.get("uid") or ""
        node = self.nodes.get(uid)
        identity = Identity(
            meta.api_version(obj), meta.kind(obj), metadata.get("namespace") or "", metadata.get("name") or "", uid
        )
        was_foreground = was_orphan = False
        if node is None:
            node = self.nodes[uid] = Node(identity)
        else:
            was_foreground, was_orphan = node.foreground, node.orphan
        node.identity, node.virtual = identity, False
        node.deleting = bool(metadata.get("deletionTimestamp"))
        node.foreground = node.deleting and FOREGROUND in meta.finalizers(obj)
        node.orphan = node.deleting and ORPHAN in meta.finalizers(obj)
        refs = metadata.get("ownerReferences")
        if not refs and not node.owners:
            delete = []
        else:
            delete = self._set_owners(node, {ref["uid"]: ref for ref in refs or () if ref.get("uid")})
        if node.foreground and not was_foreground:
            delete += [*node.dependents, uid]
        if not delete and not node.orphan:
            return NOBODY
        return Look(tuple(dict.fromkeys(delete)), (uid,) if node.orphan and not was_orphan else ())

    def remove(self, uid: str) -> Look:
        """An object is gone."""
        node = self.nodes.pop(uid, None)
        if node is None:
            return Look()
        node.dependents.pop(uid, None)  # it may have named itself
        look = [*node.dependents]
        for owner_uid in node.owners:
            owner = self.nodes.get(owner_uid)
            if owner is None:
                continue
            owner.dependents.pop(uid, None)
            if owner.foreground:
                look.append(owner_uid)
            self._drop_if_unneeded(owner)
        if node.dependents:  # still referred to: whoever comes later finds a virtual node and looks it up
            self.nodes[uid] = Node(node.identity, dependents=node.dependents, virtual=True)
        return Look(tuple(dict.fromkeys(look)))

    def blocking_dependents(self, uid: str) -> list[str]:
        """Dependents without whose end a foreground deletion does not end."""
        node = self.nodes.get(uid)
        if node is None:
            return []
        return [d for d in node.dependents if self._blocks(d, uid)]

    def dependents(self, uid: str) -> list[Node]:
        node = self.nodes.get(uid)
        return [self.nodes[d] for d in node.dependents if d in self.nodes] if node is not None else []

    def _blocks(self, dependent: str, owner: str) -> bool:
        node = self.nodes.get(dependent)
        return node is not None and bool(node.owners.get(owner, {}).get("blockOwnerDeletion"))

    def _set_owners(self, node: Node, refs: dict[str, Object]) -> list[str]:
        look: list[str] = []
        uid = node.identity.uid
        for owner_uid, before in node.owners.items():
            owner = self.nodes.get(owner_uid)
            if owner is None:
                continue
            unblocked = before.get("blockOwnerDeletion") and not refs.get(owner_uid, {}).get("blockOwnerDeletion")
            if unblocked and owner.foreground:
                look.append(owner_uid)
            if owner_uid not in refs:
                owner.dependents.pop(uid, None)
                self._drop_if_unneeded(owner)
        for owner_uid, ref in refs.items():
            owner = self.nodes.get(owner_uid)
            if owner is None:
                identity = Identity(
                    ref.get("apiVersion", ""),
                    ref.get("kind", ""),
                    node.identity.namespace,
                    ref.get("name", ""),
                    owner_uid,
                )
                owner = self.nodes[owner_uid] = Node(identity, virtual=True)
            if uid not in owner.dependents:
                owner.dependents = owner.dependents or {}
                owner.dependents[uid] = None
                if owner.virtual:
                    look.append(owner_uid)
                elif owner.foreground or _names_another(ref, owner.identity):
                    look.append(uid)
        node.owners = refs or NO_OWNERS
        return look

    def _drop_if_unneeded(self, node: Node) -> None:
        if node.virtual and not node.dependents:
            self.nodes.pop(node.identity.uid, None)


def _names_another(ref: Object, owner: Identity) -> bool:
    """A reference whose uid belongs to an object of another name or kind: it points at nothing."""
    return (ref.get("kind"), ref.get("name")) != (owner.kind, owner.name)


def unreferenced(refs: Iterable[Object], uids: Iterable[str]) -> list[Object]:
    """References without those to some owners."""
    gone = set(uids)
    return [ref for ref in refs if ref.get("uid") not in gone]
