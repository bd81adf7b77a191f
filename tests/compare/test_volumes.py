"""PersistentVolumes: every source with bad values, on create and update; two sources at once; what is warned of."""

from typing import Any

import pytest
from bad_values import with_bad_values
from same import Both, differences, readable
from test_storage_kinds import update

Object = dict[str, Any]
PATH = "/api/v1/persistentvolumes"
SECRET = {"name": "s", "namespace": "n"}
SOURCES: dict[str, Object] = {
    "rbd": {"monitors": ["m"], "image": "i", "pool": "p", "user": "u", "keyring": "k", "secretRef": SECRET},
    "iscsi": {
        "targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:a", "lun": 1, "iscsiInterface": "default",
        "portals": ["p"], "chapAuthDiscovery": True, "secretRef": SECRET, "initiatorName": "iqn.2001-04.com.x:b"},
    "cephfs": {"monitors": ["m"], "path": "/", "user": "u", "secretFile": "f", "secretRef": SECRET},
    "fc": {"targetWWNs": ["w"], "lun": 1, "fsType": "x"},
    "nfs": {"server": "s", "path": "/p", "readOnly": True},
    "glusterfs": {"endpoints": "e", "path": "p", "endpointsNamespace": "n"},
    "azureDisk": {"diskName": "d", "diskURI": "https://x", "cachingMode": "None", "kind": "Shared", "fsType": "x"},
    "azureFile": {"secretName": "s", "shareName": "s", "secretNamespace": "n"},
    "flexVolume": {"driver": "d", "secretRef": SECRET, "options": {"a": "b"}},
    "portworxVolume": {"volumeID": "v", "fsType": "x"},
    "scaleIO": {"gateway": "g", "system": "s", "secretRef": SECRET, "volumeName": "v", "sslEnabled": True},
    "storageos": {"volumeName": "v", "volumeNamespace": "n", "secretRef": SECRET},
    "vsphereVolume": {"volumePath": "p", "fsType": "x"},
    "photonPersistentDisk": {"pdID": "p", "fsType": "x"},
    "quobyte": {"registry": "h:1", "volume": "v", "tenant": "t"},
    "cinder": {"volumeID": "v", "secretRef": SECRET},
    "flocker": {"datasetName": "d"},
    "gcePersistentDisk": {"pdName": "p", "partition": 1},
    "awsElasticBlockStore": {"volumeID": "v", "partition": 1},
    "hostPath": {"path": "/p", "type": "Directory"},
    "local": {"path": "/p", "fsType": "x"},
    "csi": {
        "driver": "d", "volumeHandle": "h", "volumeAttributes": {"a": "b"}, "nodeStageSecretRef": SECRET,
        "controllerPublishSecretRef": SECRET, "nodePublishSecretRef": SECRET, "controllerExpandSecretRef": SECRET,
        "nodeExpandSecretRef": SECRET},
}  # fmt: skip
# Lists and maps that were given empty are shown as `null` in the difference of a refused update.
EMPTY = ("monitors", "portals", "targetWWNs", "options", "volumeAttributes")


def on_nodes(*keys: str) -> Object:
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": ["v"]}]} for key in keys]
    return {"required": {"nodeSelectorTerms": terms}}


REST: Object = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "nodeAffinity": on_nodes("k")}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(both: Both, namespace: str, kind: str) -> None:
    own, wrong = f"{kind.lower()}-{namespace}", []
    spec = {**REST, kind: SOURCES[kind]}
    made = both.same("POST", PATH, {"metadata": {"name": own}, "spec": spec})
    for what, obj in with_bad_values({"spec": spec}, ("spec", kind)):
        pairs = [both.ask("POST", f"{PATH}?dryRun=All", {**obj, "metadata": {"name": "new"}})]
        if not any(name in what for name in EMPTY):
            pairs.append(update(both, f"{PATH}/{own}", {**obj, "metadata": {"name": own}}, made))
        for pair in pairs:
            wrong += [f"{what}: {line}" for line in differences(readable(pair.kube), readable(pair.kybern))]
    both.same("DELETE", f"{PATH}/{own}")
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:10])


HOST = {"hostPath": {"path": "/p"}}
OPTIONS = {"volume.beta.kubernetes.io/mount-options": "ro"}
SPECS: dict[str, Object] = {
    "all sources": SOURCES,
    "no modes": {**HOST, "accessModes": []},
    "unknown mode": {**HOST, "accessModes": ["x"]},
    "less than nothing": {**HOST, "capacity": {"storage": "-1500m"}},
    "nothing": {**HOST, "capacity": {"storage": "0"}},
    "no size": {**HOST, "capacity": None},
    "recycled": {**HOST, "persistentVolumeReclaimPolicy": "Recycle"},
    "recycled root": {"hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"},
    "many warnings": {
        "rbd": SOURCES["rbd"], "persistentVolumeReclaimPolicy": "Recycle",
        "nodeAffinity": on_nodes("beta.kubernetes.io/os", "beta.kubernetes.io/arch")},
    "local anywhere": {"local": {"path": "/p"}, "nodeAffinity": None},
    "local above": {"local": {"path": "../p"}},
    "wrong everywhere": {"hostPath": {"path": ".."}, "volumeMode": "x", "storageClassName": "X!"},
    "class of others": {**HOST, "volumeAttributesClassName": ""},
}  # fmt: skip


@pytest.mark.parametrize("spec", SPECS)
def test_specs(both: Both, spec: str) -> None:
    body = {"metadata": {"name": "a"}, "spec": {**REST, **SPECS[spec]}}
    both.same("POST", f"{PATH}?dryRun=All", body)


@pytest.mark.parametrize("kind", SOURCES)
def test_old_annotations(both: Both, kind: str) -> None:
    annotations = {**OPTIONS, "volume.beta.kubernetes.io/storage-class": "x"}
    body = {"metadata": {"name": "a", "annotations": annotations}, "spec": {**REST, kind: SOURCES[kind]}}
    both.same("POST", f"{PATH}?dryRun=All", body)


@pytest.mark.parametrize("key", ["topology.kubernetes.io/zone", "topology.kubernetes.io/region", "k", ""])
@pytest.mark.parametrize("old", ["failure-domain.beta.kubernetes.io/zone", "k"])
def test_nodes_renamed(both: Both, namespace: str, old: str, key: str) -> None:
    at = f"{PATH}/n{namespace}"
    body = {"metadata": {"name": f"n{namespace}"}, "spec": {**REST, **HOST, "nodeAffinity": on_nodes(old)}}
    both.same("POST", PATH, body)
    both.same("PATCH", f"{at}?dryRun=All", {"spec": {"nodeAffinity": on_nodes(key)}})
    both.same("DELETE", at)


@pytest.mark.parametrize("name", ["b", "", None])
def test_class_changed(both: Both, namespace: str, name: str | None) -> None:
    at = f"{PATH}/c{namespace}"
    spec = {**REST, "csi": SOURCES["csi"], "volumeAttributesClassName": "a"}
    both.same("POST", PATH, {"metadata": {"name": f"c{namespace}"}, "spec": spec})
    both.same("PATCH", f"{at}?dryRun=All", {"spec": {"volumeAttributesClassName": name}})
    both.same("DELETE", at)
