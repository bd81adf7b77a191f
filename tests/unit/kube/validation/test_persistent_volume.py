"""What a PersistentVolume may say of its source, what may change, and what is warned of."""

from typing import Any

import pytest

from kybern.kube.validation.persistent_volume import validate_volume, validate_volume_update
from kybern.kube.volume_warnings import volume_warnings

Object = dict[str, Any]
HOST = {"hostPath": {"path": "/p"}}
TWO = "Forbidden: may not specify more than 1 volume type"
NEEDED = "Required value"
GONE = "field is immutable, except for updating from beta label to GA"
ISCSI = {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:a"}
ZONE, BETA_ZONE = "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"


def on_nodes(key: str) -> Object:
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": key, "operator": "Exists"}]}]}}


def volume(**spec: Any) -> Object:
    whole = {"capacity": {"storage": "1"}, "accessModes": ["ReadWriteOnce"], "nodeAffinity": on_nodes("k"), **spec}
    return {"metadata": {"name": "v"}, "spec": whole}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (HOST, []),
        ({}, ["spec: Required value: must specify a volume type"]),
        ({"rbd": {}}, [f"spec.rbd.monitors: {NEEDED}", f"spec.rbd.image: {NEEDED}"]),
        ({"csi": {}, "rbd": {"monitors": ["m"], "image": "i"}}, [f"spec.csi: {TWO}"]),
        ({"cephfs": {}, **HOST}, [f"spec.cephFS: {TWO}"]),
        ({"flexVolume": {}, **HOST}, [f"spec.flexVolume.driver: {NEEDED}"]),
        ({"gcePersistentDisk": {}}, [f"spec.persistentDisk.pdName: {NEEDED}"]),
        ({"cinder": {"volumeID": "v", "secretRef": {"name": "s"}}}, [f"spec.cinder.secretRef.namespace: {NEEDED}"]),
        ({"iscsi": {**ISCSI, "iqn": "x"}}, ['spec.iscsi.iqn: Invalid value: "x": must be valid format']),
        ({"iscsi": {**ISCSI, "secretRef": {}}}, [f"spec.iscsi.secretRef.name: {NEEDED}"]),
        (
            {"iscsi": {**ISCSI, "targetPortal": "p" * 63, "initiatorName": ISCSI["iqn"]}},
            [
                f'spec.iscsi.targetportal: Invalid value: "{"p" * 63}": Total length of <volume name>:'
                "<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."
            ],
        ),
        (
            {"glusterfs": {"endpoints": "e", "path": "p", "endpointsNamespace": ""}},
            [
                'spec.glusterfs.endpointsNamespace: Invalid value: "": '
                "if the endpointnamespace is set, it must be a valid namespace name"
            ],
        ),
        (
            {"azureFile": {"secretName": "s", "shareName": "s", "secretNamespace": ""}},
            [f"spec.azureFile.secretNamespace: {NEEDED}"],
        ),
        (
            {"csi": {"driver": "d", "volumeHandle": "h", "nodePublishSecretRef": {}, "nodeStageSecretRef": {}}},
            [f"spec.csi.nodePublishSecretRef.name: {NEEDED}", f"spec.csi.nodePublishSecretRef.namespace: {NEEDED}"],
        ),
        (
            {"local": {"path": "/p"}, "nodeAffinity": None},
            ["spec.nodeAffinity: Required value: Local volume requires node affinity"],
        ),
        (
            {**HOST, "capacity": {"storage": "-1500m"}},
            [
                "spec.capacity[storage]: Invalid value: -2: must be a valid resource quantity",
                'spec.capacity[storage]: Invalid value: "-1500m": must be greater than zero',
            ],
        ),
        ({**HOST, "accessModes": None}, [f"spec.accessModes: {NEEDED}"]),
    ],
)
def test_what_is_refused(spec: Object, wanted: list[str]) -> None:
    assert [str(error) for error in validate_volume(volume(**spec))] == wanted


@pytest.mark.parametrize("kind", ["hostPath", "nfs"])
def test_mount_options_of_old(kind: str) -> None:
    source = {"server": "s", "path": "/p"} if kind == "nfs" else {"path": "/p"}
    annotated = volume(**{kind: source})
    annotated["metadata"]["annotations"] = {"volume.beta.kubernetes.io/mount-options": "ro"}
    refused = [error.field for error in validate_volume(annotated)]
    at = "metadata.annotations.volume.beta.kubernetes.io/mount-options"
    assert refused == ([at] if kind == "hostPath" else [])


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (HOST, {"hostPath": {"path": "/p", "type": None}}, []),
        (HOST, {"nfs": {"server": "s", "path": "/p"}}, ["spec.persistentvolumesource"]),
        (HOST, {**HOST, "flocker": {}}, ["spec.flocker", "spec.persistentvolumesource"]),
        ({"nodeAffinity": on_nodes(BETA_ZONE)}, {"nodeAffinity": on_nodes(ZONE)}, []),
        ({"nodeAffinity": on_nodes(ZONE)}, {"nodeAffinity": on_nodes(BETA_ZONE)}, ["nodeAffinity"]),
        ({"nodeAffinity": on_nodes("k")}, {"nodeAffinity": None}, ["nodeAffinity"]),
        (
            {"volumeAttributesClassName": "a", "csi": {"driver": "d", "volumeHandle": "h"}, "hostPath": None},
            {"csi": {"driver": "d", "volumeHandle": "h"}, "hostPath": None},
            ["spec.volumeAttributesClassName"],
        ),
    ],
)
def test_what_may_not_change(old: Object, new: Object, wanted: list[str]) -> None:
    errors = validate_volume_update(volume(**{**HOST, **new}), volume(**{**HOST, **old}))
    assert [error.field for error in errors if error.field != "spec.nfs"] == wanted


def test_nodes_are_shown_as_a_struct() -> None:
    (error,) = validate_volume_update(volume(**HOST, nodeAffinity=None), volume(**HOST))
    assert str(error) == f"nodeAffinity: Invalid value: null: {GONE}"


def test_warnings() -> None:
    old = volume(rbd={}, nodeAffinity=on_nodes(BETA_ZONE), persistentVolumeReclaimPolicy="Recycle")
    old["metadata"]["annotations"] = {"volume.beta.kubernetes.io/storage-class": "x"}
    assert [warning.split(": ")[0] for warning in volume_warnings(old)] == [
        "metadata.annotations[volume.beta.kubernetes.io/storage-class]",
        "spec.persistentVolumeReclaimPolicy",
        "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key",
        "spec.rbd",
    ]
    assert volume_warnings(volume(**HOST)) == []
