"""Volumes of a pod: unique names, exactly one source each, and what each source must say."""

from collections.abc import Callable

from kybern.kube.field import duplicate, forbidden, invalid, required
from kybern.kube.validation.container import local_path
from kybern.kube.validation.env import validate_field_ref, validate_resource_field_ref
from kybern.kube.validation.fields import Errors, Object, child, items, one_of, required_text, resource_amount, text
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain

_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_MODE_MAX = 0o777
_VOLUME_FIELDS = frozenset(
    {"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"}
)


def validate_volumes(volumes: list[Object], path: str) -> Errors:
    names = set()
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        name = volume.get("name") or ""
        if not name:
            yield required(f"{at}.name")
        else:
            yield from text(name, f"{at}.name", dns1123_label)
            if name in names:
                yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from _source(volume, at)


def _source(volume: Object, path: str) -> Errors:
    given = [name for name, value in volume.items() if name != "name" and value is not None]
    for name in given[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 volume type")
    if not given:
        yield required(path, "must specify a volume type")
        return
    check = _SOURCES.get(given[0])
    if check is not None:
        yield from check(volume[given[0]], f"{path}.{given[0]}")


def empty_dir(source: Object, path: str) -> Errors:
    if source.get("sizeLimit") is not None:
        yield from resource_amount(source["sizeLimit"], f"{path}.sizeLimit")


def host_path(source: Object, path: str) -> Errors:
    where = source.get("path") or ""
    if not where:
        yield required(f"{path}.path")
    elif ".." in where.split("/"):
        yield invalid(f"{path}.path", where, "must not contain '..'")
    yield from one_of(source, "type", path, _HOST_PATH_TYPES)


def _key_to_paths(entries: list[Object], path: str) -> Errors:
    for index, entry in enumerate(entries):
        at = f"{path}[{index}]"
        yield from required_text(entry, "key", at)
        if not entry.get("path"):
            yield required(f"{at}.path")
        yield from local_path(entry.get("path") or "", f"{at}.path")
        yield from _mode(entry, "mode", at)


def _mode(source: Object, name: str, path: str) -> Errors:
    mode = source.get(name)
    if mode is not None and not 0 <= mode <= _MODE_MAX:
        yield invalid(f"{path}.{name}", mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _named(key: str) -> Callable[[Object, str], Errors]:
    """A ConfigMap or Secret source, named by `key`."""

    def check(source: Object, path: str) -> Errors:
        if not source.get(key):
            yield required(f"{path}.{key}")
        yield from _mode(source, "defaultMode", path)
        yield from _key_to_paths(items(source, "items"), f"{path}.items")

    return check


def downward_api(source: Object, path: str) -> Errors:
    yield from _mode(source, "defaultMode", path)
    for index, entry in enumerate(items(source, "items")):
        at = f"{path}.items[{index}]"
        if not entry.get("path"):
            yield required(f"{at}.path")
        yield from local_path(entry.get("path") or "", f"{at}.path")
        if entry.get("fieldRef") is not None:
            yield from validate_field_ref(entry["fieldRef"], f"{at}.fieldRef", _VOLUME_FIELDS)
            if entry.get("resourceFieldRef") is not None:
                yield invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif entry.get("resourceFieldRef") is not None:
            yield from validate_resource_field_ref(entry["resourceFieldRef"], f"{at}.resourceFieldRef", volume=True)
        else:
            yield required(at, "one of fieldRef and resourceFieldRef is required")
        yield from _mode(entry, "mode", at)


def _token(source: Object, path: str) -> Errors:
    seconds = source.get("expirationSeconds", 3600)
    if seconds < 600:
        yield invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    elif seconds > 2**32:
        yield invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    if not source.get("path"):
        yield required(f"{path}.path")
    yield from local_path(source.get("path") or "", f"{path}.path")


def projected(source: Object, path: str) -> Errors:
    yield from _mode(source, "defaultMode", path)
    for index, entry in enumerate(items(source, "sources")):
        at = f"{path}.sources[{index}]"
        given = [name for name in entry if entry[name] is not None]
        for name in given[1:]:
            yield forbidden(f"{at}.{name}", "may not specify more than 1 volume type per source")
        if not given:
            yield required(at, "must specify a volume type")
        elif given[0] in _PROJECTIONS:
            yield from _PROJECTIONS[given[0]](entry[given[0]], f"{at}.{given[0]}")


def _claim(source: Object, path: str) -> Errors:
    yield from required_text(source, "claimName", path, dns1123_subdomain)


def _nfs(source: Object, path: str) -> Errors:
    yield from required_text(source, "server", path)
    yield from required_text(source, "path", path)
    if source.get("path") and not source["path"].startswith("/"):
        yield invalid(f"{path}.path", source["path"], "must be an absolute path")


def _csi(source: Object, path: str) -> Errors:
    yield from required_text(source, "driver", path)


def _image(source: Object, path: str) -> Errors:
    yield from required_text(source, "reference", path)
    yield from one_of(source, "pullPolicy", path, ("Always", "IfNotPresent", "Never"))


def _ephemeral(source: Object, path: str) -> Errors:
    if not source.get("volumeClaimTemplate"):
        yield required(f"{path}.volumeClaimTemplate")
    elif not child(source["volumeClaimTemplate"], "spec").get("accessModes"):
        yield required(f"{path}.volumeClaimTemplate.spec.accessModes", "at least 1 access mode is required")


_SOURCES: dict[str, Callable[[Object, str], Errors]] = {
    "emptyDir": empty_dir,
    "hostPath": host_path,
    "configMap": _named("name"),
    "secret": _named("secretName"),
    "downwardAPI": downward_api,
    "projected": projected,
    "persistentVolumeClaim": _claim,
    "nfs": _nfs,
    "csi": _csi,
    "image": _image,
    "ephemeral": _ephemeral,
}
_PROJECTIONS: dict[str, Callable[[Object, str], Errors]] = {
    "configMap": _named("name"),
    "secret": _named("name"),
    "downwardAPI": downward_api,
    "serviceAccountToken": _token,
}
