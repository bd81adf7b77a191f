"""Volume sources of in-tree plugins, most of them gone: what their fields must still say."""

import re
from collections.abc import Callable, Mapping

from kybern.kube.field import invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, chosen, in_range, items, required_text, text
from kybern.kube.validation.names import dns1123_label
from kybern.kube.validation.paths import relative_path

Source = Callable[[Object, str], Errors]

_ISCSI_NAMES = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([a-z0-9.-]+)(:[^,;*&$|\s]+)$"),
    "eui": re.compile(r"^eui.[a-fA-F0-9]{16}$"),
    "naa": re.compile(r"^naa.[a-fA-F0-9]{32}$"),
}
_ISCSI_DETAIL = "must be valid format"
_QUOBYTE = "must be a host:port pair or multiple pairs separated by commas"


def _needs(*names: str) -> Source:
    """A source that says these and nothing else of note."""

    def check(source: Object, path: str) -> Errors:
        for name in names:
            yield from required_text(source, name, path)

    return check


def _disk(name: str) -> Source:
    def check(source: Object, path: str) -> Errors:
        yield from required_text(source, name, path)
        if source.get("partition"):
            yield from in_range(source, "partition", path, 1, 255)

    return check


def _git_repo(source: Object, path: str) -> Errors:
    yield from required_text(source, "repository", path)
    yield from relative_path(source.get("directory") or "", f"{path}.directory")


def iscsi(source: Object, path: str, shapes: str = " starting with iqn, eui, or naa") -> Errors:
    """`shapes`: what is added about names of no known kind."""
    yield from required_text(source, "targetPortal", path)
    iqn = source.get("iqn") or ""
    if not iqn:
        yield required(f"{path}.iqn")
    else:
        yield from _iscsi_name(iqn, f"{path}.iqn", shapes)
    yield from in_range({"lun": source.get("lun") or 0}, "lun", path, 0, 255)
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        yield required(f"{path}.secretRef")
    if source.get("initiatorName") is not None:
        yield from _iscsi_name(source["initiatorName"], f"{path}.initiatorname", shapes)


def _iscsi_name(name: str, path: str, shapes: str) -> Errors:
    pattern = _ISCSI_NAMES.get(name[:3])
    if pattern is None:
        yield invalid(path, name, f"{_ISCSI_DETAIL}{shapes}")
    elif not pattern.match(name):
        yield invalid(path, name, _ISCSI_DETAIL)


def _cinder(source: Object, path: str) -> Errors:
    yield from required_text(source, "volumeID", path)
    if source.get("secretRef") is not None:
        yield from required_text(source["secretRef"], "name", f"{path}.secretRef")


def _cephfs(source: Object, path: str) -> Errors:
    if not items(source, "monitors"):
        yield required(f"{path}.monitors")


def _rbd(source: Object, path: str) -> Errors:
    yield from _cephfs(source, path)
    yield from required_text(source, "image", path)


def _flocker(source: Object, path: str) -> Errors:
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    if not name and not uuid:
        yield required(path, "one of datasetName and datasetUUID is required")
    elif name and uuid:
        yield invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in name:
        yield invalid(f"{path}.datasetName", name, "must not contain '/'")


def fc(source: Object, path: str) -> Errors:
    names, ids = items(source, "targetWWNs"), items(source, "wwids")
    if not names and not ids:
        yield required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both")
    if names and ids:
        yield invalid(f"{path}.targetWWNs", names, "targetWWNs and wwids can not be specified simultaneously")
    if names:
        if source.get("lun") is None:
            yield required(f"{path}.lun", "lun is required if targetWWNs is specified")
        else:
            yield from in_range(source, "lun", path, 0, 255)


def _azure_disk(source: Object, path: str) -> Errors:
    yield from required_text(source, "diskName", path)
    yield from required_text(source, "diskURI", path)
    yield from chosen(source, "cachingMode", path, ("None", "ReadOnly", "ReadWrite"))
    yield from chosen(source, "kind", path, ("Dedicated", "Managed", "Shared"))
    kind, uri = source.get("kind"), source.get("diskURI") or ""
    if kind == "Managed":
        if not uri.startswith("/subscriptions/"):
            shown = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
            yield not_supported(f"{path}.diskURI", uri, (shown,))
    elif kind is not None and not uri.startswith("https://"):
        shown = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
        yield not_supported(f"{path}.diskURI", uri, (shown,))


def _quobyte(source: Object, path: str) -> Errors:
    registry = source.get("registry") or ""
    if not registry:
        yield required(f"{path}.registry", _QUOBYTE)
    elif len(source.get("tenant") or "") >= 65:
        yield required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters")
    else:
        for pair in registry.split(","):
            if pair.count(":") != 1 or not all(pair.split(":")):
                yield invalid(f"{path}.registry", registry, _QUOBYTE)
    yield from required_text(source, "volume", path)


def _scale_io(source: Object, path: str) -> Errors:
    for name in ("gateway", "system", "volumeName"):
        yield from required_text(source, name, path)


def _storage_os(source: Object, path: str) -> Errors:
    name = source.get("volumeName") or ""
    if not name:
        yield required(f"{path}.volumeName")
    else:
        yield from text(name, f"{path}.volumeName", dns1123_label)
    if source.get("volumeNamespace"):
        yield from text(source["volumeNamespace"], f"{path}.volumeNamespace", dns1123_label)
    if source.get("secretRef") is not None:
        yield from required_text(source["secretRef"], "name", f"{path}.secretRef")


def _glusterfs(source: Object, path: str) -> Errors:
    yield from required_text(source, "endpoints", path)
    yield from required_text(source, "path", path)


PLUGINS: Mapping[str, Source] = {
    "awsElasticBlockStore": _disk("volumeID"),
    "azureDisk": _azure_disk,
    "azureFile": _needs("secretName", "shareName"),
    "cephfs": _cephfs,
    "cinder": _cinder,
    "fc": fc,
    "flexVolume": _needs("driver"),
    "flocker": _flocker,
    "gcePersistentDisk": _disk("pdName"),
    "gitRepo": _git_repo,
    "glusterfs": _glusterfs,
    "iscsi": iscsi,
    "photonPersistentDisk": _needs("pdID"),
    "portworxVolume": _needs("volumeID"),
    "quobyte": _quobyte,
    "rbd": _rbd,
    "scaleIO": _scale_io,
    "storageos": _storage_os,
    "vsphereVolume": _needs("volumePath"),
}
