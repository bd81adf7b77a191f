"""Rows of the storage kinds: PersistentVolume, PersistentVolumeClaim, StorageClass, CSI objects."""

from __future__ import annotations

from datetime import datetime

from kybern.kube import meta, quantity
from kybern.kube.meta import Object, name
from kybern.kube.tables.cells import NONE, UNSET, Cells, access_modes, age, joined, spec, status

_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _phase(obj: Object) -> str:
    return "Terminating" if meta.is_deleting(obj) else status(obj).get("phase") or ""


def _class(obj: Object) -> str:
    return meta.annotations(obj).get(_BETA_CLASS) or spec(obj).get("storageClassName") or ""


def _storage(capacity: Object | None) -> str:
    found = (capacity or {}).get("storage")
    return "0" if found is None else quantity.canonical(found)


def persistent_volume_cells(obj: Object, now: datetime) -> Cells:
    claim = spec(obj).get("claimRef")
    return [
        name(obj),
        _storage(spec(obj).get("capacity")),
        access_modes(spec(obj).get("accessModes")),
        spec(obj).get("persistentVolumeReclaimPolicy", ""),
        _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(obj),
        spec(obj).get("volumeAttributesClassName") or UNSET,
        status(obj).get("reason") or "",
        age(obj, now),
        spec(obj).get("volumeMode") or UNSET,
    ]


def persistent_volume_claim_cells(obj: Object, now: datetime) -> Cells:
    volume = spec(obj).get("volumeName") or ""
    return [
        name(obj),
        _phase(obj),
        volume,
        _storage(status(obj).get("capacity")) if volume else "",
        access_modes(status(obj).get("accessModes")) if volume else "",
        _class(obj),
        spec(obj).get("volumeAttributesClassName") or UNSET,
        age(obj, now),
        spec(obj).get("volumeMode") or UNSET,
    ]


def storage_class_cells(obj: Object, now: datetime) -> Cells:
    default = any(meta.annotations(obj).get(mark) == "true" for mark in _DEFAULT_CLASS)
    return [
        f"{name(obj)} (default)" if default else name(obj),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate",
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def volume_attributes_class_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), obj.get("driverName", ""), age(obj, now)]


def volume_attachment_cells(obj: Object, now: datetime) -> Cells:
    return [
        name(obj),
        spec(obj).get("attacher", ""),
        (spec(obj).get("source") or {}).get("persistentVolumeName") or "",
        spec(obj).get("nodeName", ""),
        bool(status(obj).get("attached")),
        age(obj, now),
    ]


def csi_driver_cells(obj: Object, now: datetime) -> Cells:
    fields = spec(obj)
    return [
        name(obj),
        fields.get("attachRequired", True),
        bool(fields.get("podInfoOnMount")),
        bool(fields.get("storageCapacity")),
        joined((request.get("audience", "") for request in fields.get("tokenRequests") or ()), UNSET),
        bool(fields.get("requiresRepublish")),
        joined(fields.get("volumeLifecycleModes") or (), NONE),
        age(obj, now),
    ]


def csi_node_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), len(spec(obj).get("drivers") or ()), age(obj, now)]
