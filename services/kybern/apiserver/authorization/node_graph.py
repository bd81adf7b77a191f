"""The node authorizer's graph: which objects a node has to do with, by way of the pods bound to it.

    secret, config map, service account, claim → pod → node        secret → volume → claim → pod → node
    volume attachment, resource slice → node

Kept up with the caches of pods and volumes; what names its node itself is looked up when it is asked for.
"""

from collections import Counter
from collections.abc import Callable

from kybern.apiserver.core.pod_references import (
    CLAIMS,
    RESOURCE_CLAIMS,
    SECRETS,
    SLICES,
    VOLUME_ATTACHMENTS,
    VOLUMES,
    Reference,
    pod_references,
    volume_secrets,
)
from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.entry import CacheEvent, Entry

GROUPS = {VOLUME_ATTACHMENTS: "storage.k8s.io", SLICES: "resource.k8s.io", RESOURCE_CLAIMS: "resource.k8s.io"}


class NodeGraph:
    """Answers `related`."""

    def __init__(self) -> None:
        self._pods: dict[str, tuple[str, frozenset[Reference]]] = {}
        self._references: dict[str, Counter[Reference]] = {}
        self._secrets: dict[str, frozenset[Reference]] = {}  # by volume
        self._volumes: dict[Reference, set[str]] = {}  # by secret
        self._cachers: Callable[[str, str], Cacher]

    def follow(self, cachers: Callable[[str, str], Cacher]) -> None:
        """Read pods and volumes from their caches and keep up with them."""
        self._cachers = cachers
        pods, volumes = cachers("", "pods"), cachers("", VOLUMES)
        for entry in pods.entries.values():
            self._put_pod(entry)
        for entry in volumes.entries.values():
            self._put_volume(entry)
        pods.listeners.append(self._pod_changed)
        volumes.listeners.append(self._volume_changed)

    def related(self, node: str, resource: str, namespace: str, name: str) -> bool:
        """Whether the object is the node's business."""
        match resource:
            case "pods":
                return self._pods.get(f"{namespace}/{name}", ("",))[0] == node
            case "volumeattachments" | "resourceslices":
                entry = self._cachers(GROUPS[resource], resource).get("", name)
                return entry is not None and (entry.decode().get("spec") or {}).get("nodeName") == node
            case "persistentvolumes":
                return self._volume(node, name)
        reference = (resource, namespace, name)
        if reference in self._references.get(node, ()):
            return True
        return resource == SECRETS and any(self._volume(node, one) for one in self._volumes.get(reference, ()))

    def _volume(self, node: str, name: str) -> bool:
        """A volume is the node's business if a claim of one of its pods is bound to it."""
        entry = self._cachers("", VOLUMES).get("", name)
        claim = ((entry.decode().get("spec") or {}).get("claimRef") or {}) if entry is not None else {}
        return (CLAIMS, claim.get("namespace") or "", claim.get("name") or "") in self._references.get(node, ())

    def _pod_changed(self, event: CacheEvent) -> None:
        if event.deleted:
            self._forget(event.entry.key)
        else:
            self._put_pod(event.entry)

    def _put_pod(self, entry: Entry) -> None:
        node = entry.field("spec.nodeName")
        if not node and entry.key not in self._pods:
            return
        references = pod_references(entry.decode()) if node else frozenset()
        if self._pods.get(entry.key) == (node, references):
            return
        self._forget(entry.key)
        if node:
            self._pods[entry.key] = (node, references)
            if references:
                self._references.setdefault(node, Counter()).update(references)

    def _forget(self, key: str) -> None:
        node, references = self._pods.pop(key, ("", frozenset()))
        if not references:
            return
        counts = self._references[node]
        for reference in references:
            counts[reference] -= 1
            if not counts[reference]:
                del counts[reference]
        if not counts:
            del self._references[node]

    def _volume_changed(self, event: CacheEvent) -> None:
        for secret in self._secrets.pop(event.entry.name, ()):
            self._volumes[secret].discard(event.entry.name)
            if not self._volumes[secret]:
                del self._volumes[secret]
        if not event.deleted:
            self._put_volume(event.entry)

    def _put_volume(self, entry: Entry) -> None:
        secrets = volume_secrets(entry.decode())
        if secrets:
            self._secrets[entry.name] = secrets
            for secret in secrets:
                self._volumes.setdefault(secret, set()).add(entry.name)
