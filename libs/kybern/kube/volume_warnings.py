"""Warnings of volumes, of pods and by themselves, and of claims: what is old, overlaps, or is no whole bytes."""

from collections.abc import Iterator
from typing import Any

from kybern.kube import quantity
from kybern.kube.label_warnings import node_term
from kybern.kube.validation.fields import child, items

Object = dict[str, Any]
Warnings = Iterator[str]

_OLD_VOLUMES = {
    "photonPersistentDisk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "gitRepo": ("gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    "scaleIO": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "flocker": ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "quobyte": ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}
_OLD_PERSISTENT = ("photonPersistentDisk", "scaleIO", "storageos", "glusterfs", "cephfs", "rbd")
_VOLUME_ANNOTATIONS = {
    "volume.beta.kubernetes.io/storage-class": 'deprecated since v1.8; use "storageClassName" attribute instead',
    "volume.beta.kubernetes.io/mount-options": 'deprecated since v1.31; use "mountOptions" attribute instead',
}
_RECYCLE = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."


def volume_warnings(volume: Object) -> list[str]:
    """Of a PersistentVolume: what it should say elsewhere, names of nodes' labels, sources that are gone."""
    annotations, spec = child(child(volume, "metadata"), "annotations"), child(volume, "spec")
    found = [f"metadata.annotations[{key}]: {said}" for key, said in _VOLUME_ANNOTATIONS.items() if key in annotations]
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        found.append(f"spec.persistentVolumeReclaimPolicy: {_RECYCLE}")
    for index, term in enumerate(items(child(child(spec, "nodeAffinity"), "required"), "nodeSelectorTerms")):
        found += node_term(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]")
    for name in _OLD_PERSISTENT:
        if spec.get(name) is not None:
            shown, said = _OLD_VOLUMES[name]
            return [*found, f"spec.{shown}: {said}"]
    return found


def of_volumes(volumes: list[Object], path: str) -> Warnings:
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        for source, (shown, detail) in _OLD_VOLUMES.items():
            if volume.get(source) is not None:
                yield f"{at}.{shown}: {detail}"
        claim = child(child(child(volume, "ephemeral"), "volumeClaimTemplate"), "spec")
        resources = f"{at}.ephemeral.volumeClaimTemplate.spec.resources"
        for side in ("limits", "requests"):
            yield from fractions(child(child(claim, "resources"), side), f"{resources}.{side}", ("storage",))


def claim_sizes(claim: Object, path: str) -> Warnings:
    """Of what a claim's spec at a path asks for."""
    for side in ("requests", "limits"):
        yield from fractions(child(child(claim, "resources"), side), f"{path}.resources.{side}", ("storage",))


def overlaps(volume: Object) -> Warnings:
    """Files of one volume of which one would be another, or its folder."""
    sources = {
        "configMap": ("ConfigMap", "name"),
        "secret": ("Secret", "secretName"),
        "downwardAPI": ("DownwardAPI", ""),
    }
    for source, (title, key) in sources.items():
        given = volume.get(source)
        if given is not None:
            who = f'{title} "{given.get(key) or ""}"' if key else title
            files = [(entry.get("path") or "", "") for entry in items(given, "items")]
            yield from _overlapping(files, f'volume "{volume.get("name")}" ({who})')
    if any(all(value is None for value in entry.values()) for entry in items(child(volume, "projected"), "sources")):
        yield f'volume "{volume.get("name")}" (Projected) has no sources provided'
    projected = [
        (file, f" ({who})")
        for entry in items(child(volume, "projected"), "sources")
        for file, who in _projected_files(entry)
    ]
    yield from _overlapping(projected, f'volume "{volume.get("name")}" (Projected)')


def _projected_files(entry: Object) -> Iterator[tuple[str, str]]:
    for source, title in (("secret", "Secret"), ("configMap", "ConfigMap"), ("downwardAPI", "DownwardAPI")):
        given = entry.get(source)
        if given is not None:
            who = title if source == "downwardAPI" else f'{title} "{given.get("name") or ""}"'
            yield from ((one.get("path") or "", who) for one in items(given, "items"))
    token = entry.get("serviceAccountToken")
    if token is not None:
        yield token.get("path") or "", "ServiceAccountToken"


def _overlapping(files: list[tuple[str, str]], where: str) -> Warnings:
    for index, (file, who) in enumerate(files):
        for other, whose in files[:index]:
            if file == other or file.startswith(f"{other}/") or other.startswith(f"{file}/"):
                yield f'{where}: overlapping paths: "{file}"{who} with "{other}"{whose}'


def fractions(amounts: Object, path: str, names: tuple[str, ...] = ("memory", "ephemeral-storage")) -> Warnings:
    """Bytes come whole."""
    for name, amount in amounts.items():
        if name in names and quantity.parse(amount).nanos % quantity.NANO:
            yield f'{path}[{name}]: fractional byte value "{amount}" is invalid, must be an integer'
