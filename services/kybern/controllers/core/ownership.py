"""Adoption and orphaning by controllerRef: which objects are an owner's, which become it, which cease to be."""

from collections.abc import Iterable
from dataclasses import dataclass
from sys import intern

from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import Selector

OF_OWNERSHIP = ("name", "namespace", "uid", "resourceVersion", "ownerReferences", "finalizers", "deletionTimestamp")


@dataclass(frozen=True, slots=True)
class Claims:
    """What an owner's selector and the controllerRefs of objects come to."""

    owned: tuple[Object, ...]
    adopt: tuple[Object, ...]
    release: tuple[Object, ...]


def decide_claims(owner: Object, selector: Selector, objects: Iterable[Object]) -> Claims:
    """Sort objects of the owner's namespace.

    Another controller's objects are left alone. An owner that is being deleted neither adopts nor releases, and an
    object that is being deleted is not adopted.
    """
    owned, adopt, release = [], [], []
    deleting = meta.is_deleting(owner)
    for obj in objects:
        ref = meta.controller_of(obj)
        matches = selector.matches(meta.labels(obj))
        if ref is not None:
            if ref.get("uid") != meta.uid(owner):
                continue
            if matches:
                owned.append(obj)
            elif not deleting:
                release.append(obj)
        elif matches and not deleting and not meta.is_deleting(obj):
            adopt.append(obj)
    return Claims(tuple(owned), tuple(adopt), tuple(release))


def adoption_patch(owner: Object, obj: Object) -> Object:
    """The strategic merge patch that makes `owner` the controller of `obj`, if it is still the same object."""
    return {"metadata": {"uid": meta.uid(obj), "ownerReferences": [meta.owner_reference(owner)]}}


def release_patch(owner: Object, obj: Object) -> Object:
    """The strategic merge patch that takes the reference to `owner` away."""
    return {"metadata": {"uid": meta.uid(obj), "ownerReferences": [{"$patch": "delete", "uid": meta.uid(owner)}]}}


def only_ownership(obj: Object) -> Object:
    """What the graph of owners needs of an object, and nothing else."""
    metadata = meta.metadata(obj)
    kept = {name: metadata[name] for name in OF_OWNERSHIP if name in metadata}
    if "namespace" in kept:
        kept["namespace"] = intern(kept["namespace"])  # the same of many objects is in memory once
    return {"apiVersion": intern(meta.api_version(obj)), "kind": intern(meta.kind(obj)), "metadata": kept}
