"""Defaults of volumes, claims, storage classes and CSI drivers."""

from kybern.kube.defaults.amounts import thousandths
from kybern.kube.defaults.rules import Object, Rules, child, rule

_CORE = "io.k8s.api.core.v1."
_STORAGE = "io.k8s.api.storage.v1."


def _mode(spec: Object) -> None:
    if spec.get("volumeMode") is None:
        spec["volumeMode"] = "Filesystem"


def _volume(volume: Object) -> None:
    """A volume by itself: the same spec inside an attachment stays as it is."""
    spec = child(volume, "spec")
    if not spec.get("persistentVolumeReclaimPolicy"):
        spec["persistentVolumeReclaimPolicy"] = "Retain"
    _mode(spec)


RULES: Rules = {
    _CORE + "PersistentVolume": rule(_volume, status={}),
    _CORE + "PersistentVolumeSpec": rule(thousandths("capacity")),
    _CORE + "VolumeResourceRequirements": rule(thousandths("limits", "requests")),
    _CORE + "PersistentVolumeStatus": rule(phase="Pending"),
    _CORE + "PersistentVolumeClaim": rule(status={}),
    _CORE + "PersistentVolumeClaimStatus": rule(thousandths("capacity", "allocatedResources"), phase="Pending"),
    _CORE + "PersistentVolumeClaimSpec": rule(_mode, resources={}),
    _STORAGE + "StorageClass": rule(reclaimPolicy="Delete", volumeBindingMode="Immediate"),
    _STORAGE + "CSIDriverSpec": rule(
        attachRequired=True,
        podInfoOnMount=False,
        storageCapacity=False,
        volumeLifecycleModes=["Persistent"],
        fsGroupPolicy="ReadWriteOnceWithFSType",
        requiresRepublish=False,
        seLinuxMount=False,
    ),
}
