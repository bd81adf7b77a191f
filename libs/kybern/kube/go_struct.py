"""Whole values as field errors show them: Kubernetes' internal structs as JSON, with Go's names in Go's order.

    go_struct("k8s.io.api.resource.v1.ResourceClaimSpec", {...}) -> Struct(Devices=Struct(Requests=...))

Members and their order come from the wire table, what is a pointer (`null` when absent) from the table of zero values.
Messages of apimachinery (metadata, selectors, conditions) have JSON names there, too, and are shown as they are.
"""

from functools import cache
from typing import Any

from kybern.kube import schema
from kybern.kube.field import Struct
from kybern.kube.protobuf.messages import SCALARS, FieldPlan, plan

_V1 = "k8s.io.api.core.v1."
_WORDS = {
    "cel": "CEL", "ips": "IPs", "uid": "UID", "ip": "IP", "os": "OS", "tty": "TTY", "nfs": "NFS", "iscsi": "ISCSI",
    "iqn": "IQN", "rbd": "RBD", "fc": "FC", "csi": "CSI", "cephfs": "CephFS", "storageos": "StorageOS", "grpc": "GRPC",
    "wwids": "WWIDs", "apiGroup": "APIGroup", "apiVersion": "APIVersion", "fsType": "FSType", "fsGroup": "FSGroup",
    "fsGroupChangePolicy": "FSGroupChangePolicy", "dnsPolicy": "DNSPolicy", "dnsConfig": "DNSConfig",
    "httpGet": "HTTPGet", "httpHeaders": "HTTPHeaders", "tcpSocket": "TCPSocket", "pdName": "PDName",
    "gcePersistentDisk": "GCEPersistentDisk", "awsElasticBlockStore": "AWSElasticBlockStore",
    "seLinuxOptions": "SELinuxOptions", "seLinuxChangePolicy": "SELinuxChangePolicy", "sslEnabled": "SSLEnabled",
    "iscsiInterface": "ISCSIInterface", "chapAuthDiscovery": "DiscoveryCHAPAuth",
    "chapAuthSession": "SessionCHAPAuth", "diskURI": "DataDiskURI",
}  # fmt: skip
_RBD = {"monitors": "CephMonitors", "image": "RBDImage", "pool": "RBDPool", "user": "RadosUser"}
_ATTRIBUTE = ("int", "bool", "string", "version")
_MEMBERS = {
    ("k8s.io.api.resource.v1.DeviceAttribute", f"{kind}{plural}"): f"{kind.capitalize()}Value{plural}"
    for kind in _ATTRIBUTE
    for plural in ("", "s")
}
for _kind in ("VolumeSource", "PersistentVolumeSource"):
    _MEMBERS |= {(f"{_V1}RBD{_kind}", name): shown for name, shown in _RBD.items()}
    _MEMBERS[f"{_V1}Glusterfs{_kind}", "endpoints"] = "EndpointsName"
# Which members stand elsewhere than their numbers say: these first, or after the named one.
_MOVED = {
    f"{_V1}PodSpec": {"SetHostnameAsFQDN": "Subdomain", "PreemptionPolicy": "Priority", "Overhead": "RuntimeClassName"},
    f"{_V1}Volume": {"Quobyte": "RBD"},
    f"{_V1}PodSecurityContext": {"FSGroupChangePolicy": "FSGroup"},
    f"{_V1}PersistentVolumeSource": {
        "Glusterfs": "HostPath", "NFS": "Glusterfs", "RBD": "NFS", "Quobyte": "RBD", "ISCSI": "Quobyte",
        "FlexVolume": "ISCSI", "Cinder": "FlexVolume",
    },
}  # fmt: skip
_POINTERS = {(f"{_V1}ScaleIO{kind}", "secretRef") for kind in ("VolumeSource", "PersistentVolumeSource")}
_OF_PODS = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
_ZEROS: dict[str, Any] = {"string": "", "bool": False, "int32": 0, "int64": 0, "double": 0}
_RAW = "k8s.io.apimachinery.pkg.runtime.RawExtension"
_EMBEDDED = ("k8s.io.apimachinery.pkg.apis.meta.v1.ObjectMeta",)
_NOTHING: tuple[Any, ...] = (None, [], {})
_AS_THEY_ARE = ("k8s.io.apimachinery.",)


def go_struct(message: str, value: dict[str, Any] | None) -> Any:
    """The struct of a message; None is a nil pointer."""
    if value is None:
        return None
    if message.startswith(_AS_THEY_ARE):
        return _as_it_is(message, value)
    shown = Struct()
    if message == f"{_V1}PodSpec":
        value = _pod_spec(value)
    elif message == f"{_V1}PodSecurityContext":  # where the internal type keeps what the pod shares with its host
        for name in _OF_PODS:
            shown[_go_name(message, name)] = value.get(name) if name in _OF_PODS[3:] else bool(value.get(name))
    for one in plan(message):
        if one.type in _EMBEDDED:
            shown.update(_as_it_is(one.type, value.get("metadata") or {}))
        elif message == f"{_V1}PodSpec" and one.json in (*_OF_PODS, "serviceAccount"):
            continue
        elif one.json:
            shown[_go_name(message, one.json)] = _member(message, one, value)
        else:  # the members of an embedded struct
            shown.update(go_struct(one.type, value))
    for name, after in _MOVED.get(message, {}).items():
        shown = _moved(shown, name, after)
    return shown


def _as_it_is(message: str, value: dict[str, Any]) -> dict[str, Any]:
    """Members by their names in JSON, what is absent left out."""
    keeps = _keeps(message)
    if not _is_plain(message):
        return value
    shown: dict[str, Any] = Struct()
    for field in plan(message):
        found = value.get(field.json, keeps.get(field.json))
        if found is None:
            continue
        if field.map:
            found = dict(sorted(found.items()))
        elif field.repeated:
            found = [_one(field.type, one) for one in found]
        shown[field.json] = _one(field.type, found)
    return shown


def _is_plain(message: str) -> bool:
    return message.startswith("k8s.io.apimachinery.pkg.apis.meta.v1.") and not message.endswith(("Time", "FieldsV1"))


def _pod_spec(spec: dict[str, Any]) -> dict[str, Any]:
    context = {name: spec[name] for name in _OF_PODS if name in spec}
    return {**spec, "securityContext": {**(spec.get("securityContext") or {}), **context}}


def _moved(shown: Struct, name: str, after: str) -> Struct:
    names = [one for one in shown if one != name]
    names.insert(names.index(after) + 1, name)
    return Struct({one: shown[one] for one in names})


def _go_name(message: str, name: str) -> str:
    return _MEMBERS.get((message, name)) or _WORDS.get(name) or f"{name[0].upper()}{name[1:]}"


def _member(message: str, field: FieldPlan, value: dict[str, Any]) -> Any:
    found = value.get(field.json)
    if field.map:
        return None if found is None else {key: _one(field.type, item) for key, item in sorted(found.items())}
    if field.repeated:
        return None if found is None else [_one(field.type, {} if item is None else item) for item in found]
    if found is None:
        found = _absent(message, field)
    return _one(field.type, found)


def _absent(message: str, field: FieldPlan) -> Any:
    """Null for a pointer, else the zero value."""
    keeps = {} if field.type == _RAW else _keeps(message)
    if field.json in keeps and (message, field.json) not in _POINTERS:
        return {} if field.type not in SCALARS and keeps[field.json] is None else keeps[field.json]
    return _ZEROS.get(field.type) if field.type in SCALARS and not field.optional else None


def same_struct(new: Any, old: Any) -> bool:
    """Whether two structs mean the same: an empty list or map is as good as none, a pointer to zero is not."""
    if isinstance(new, dict) and isinstance(old, dict):
        return new == old or (
            (isinstance(new, Struct) or new.keys() == old.keys())
            and all(same_struct(new.get(name), old.get(name)) for name in new.keys() | old.keys())
        )
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(same_struct, new, old))
    return bool(new == old) or (new in _NOTHING and old in _NOTHING)


@cache
def _keeps(message: str) -> Any:
    zeros = schema.load().zeros.get(f"io.{message}".replace("io.k8s.io.", "io.k8s."))
    return {} if zeros is None else zeros.keeps


def _one(type_name: str, value: Any) -> Any:
    return value if type_name in SCALARS or not isinstance(value, dict) else go_struct(type_name, value)
