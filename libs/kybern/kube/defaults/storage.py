"""Defaults of volumes, claims, storage classes and CSI drivers."""

from kybern.kube.defaults.rules import Rules, rule

_CORE = "io.k8s.api.core.v1."
_STORAGE = "io.k8s.api.storage.v1."

RULES: Rules = {
    _CORE + "PersistentVolume": rule(status={}),
    _CORE + "PersistentVolumeStatus": rule(phase="Pending"),
    _CORE + "PersistentVolumeSpec": rule(persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem"),
    _CORE + "PersistentVolumeClaim": rule(status={}),
    _CORE + "PersistentVolumeClaimStatus": rule(phase="Pending"),
    _CORE + "PersistentVolumeClaimSpec": rule(volumeMode="Filesystem", resources={}),
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
