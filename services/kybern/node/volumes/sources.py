"""Volumes made of API objects: gather what a volume refers to, and make its files."""

from collections.abc import Callable
from dataclasses import dataclass

from kybern.kube.meta import Object
from kybern.node.core.resources import all_containers, resource_field
from kybern.node.core.volumes import (
    DEFAULT_MODE,
    File,
    Files,
    Reference,
    VolumeError,
    downward_files,
    file_user,
    select,
)
from kybern.node.references import References
from kybern.node.tokens import Tokens

API_KINDS = ("configMap", "secret", "downwardAPI", "projected")


@dataclass(frozen=True)
class PodFacts:
    """What the downward API needs beyond the pod object."""

    field: Callable[[str], str]
    allocatable: dict[str, str]


def is_api_volume(volume: Object) -> bool:
    return any(volume.get(kind) is not None for kind in API_KINDS)


class Sources:
    """Files of API volumes."""

    def __init__(self, references: References, tokens: Tokens) -> None:
        self.references, self.tokens = references, tokens

    async def files(self, pod: Object, volume: Object, facts: PodFacts) -> Files:
        """Every file of a configMap, secret, downwardAPI or projected volume. Raises VolumeError, StatusError."""
        if source := volume.get("projected"):
            mode = source.get("defaultMode")
            return await self._projected(pod, source, facts, DEFAULT_MODE if mode is None else mode)
        for kind in ("configMap", "secret", "downwardAPI"):
            if (one := volume.get(kind)) is not None:
                mode = one.get("defaultMode")
                return await self._one(pod, kind, one, facts, DEFAULT_MODE if mode is None else mode)
        raise VolumeError(f"volume {volume['name']} has no source")

    async def _projected(self, pod: Object, source: Object, facts: PodFacts, mode: int) -> Files:
        found: Files = {}
        for part in source.get("sources") or []:
            if (token := part.get("serviceAccountToken")) is not None:
                value, user = await self.tokens.get(pod, token), file_user(pod)
                grouped = (pod["spec"].get("securityContext") or {}).get("fsGroup") is not None
                owner_only = user is not None or grouped
                found[token["path"]] = File(value.encode(), 0o600 if owner_only else mode, user)
            for kind in ("configMap", "secret", "downwardAPI"):
                if (one := part.get(kind)) is not None:
                    found.update(await self._one(pod, kind, one, facts, mode))
        return found

    async def _one(self, pod: Object, kind: str, source: Object, facts: PodFacts, mode: int) -> Files:
        if kind == "downwardAPI":
            return downward_files(source.get("items") or [], mode, facts.field, resource_reader(pod, facts))
        name = source.get("secretName") or source["name"]
        reference = Reference(kind.lower(), name)
        obj = await self.references.read(pod, reference)
        return select(reference.kind, name, source, obj, pod["metadata"]["namespace"], mode)


def resource_reader(pod: Object, facts: PodFacts, container: Object | None = None) -> Callable[[Object], str]:
    """Resolves a resourceFieldRef, by its containerName or in the given container."""

    def read(ref: Object) -> str:
        named = next((c for c in all_containers(pod) if c["name"] == ref.get("containerName")), container)
        if named is None:
            raise VolumeError(f"resourceFieldRef of an unknown container {ref.get('containerName')}")
        return resource_field(named, ref["resource"], str(ref.get("divisor") or "1"), facts.allocatable)

    return read
