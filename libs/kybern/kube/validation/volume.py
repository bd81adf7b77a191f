"""Volumes of a pod: unique names, exactly one source each, and what the sources of every cluster must say."""

from collections.abc import Callable, Mapping

from kybern.kube.field import duplicate, forbidden, invalid, required, too_long
from kybern.kube.quantity import parse
from kybern.kube.validation.env import validate_field_ref, validate_resource_field_ref
from kybern.kube.validation.fields import Errors, Object, child, chosen, items, one_of, required_text, text
from kybern.kube.validation.metadata import validate_annotations, validate_labels
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain
from kybern.kube.validation.paths import file_name, no_backsteps
from kybern.kube.validation.volume_plugins import PLUGINS

_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_MODE_MAX = 0o777
_DRIVER_LENGTH = 63
_TOKEN_SECONDS = (600, 2**32)
_VOLUME_FIELDS = frozenset(
    {"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"}
)

Source = Callable[[Object, str], Errors]


def validate_volumes(
    volumes: list[Object], path: str, pod_name: str = "", usable: dict[str, Object] | None = None
) -> Errors:
    """`pod_name`: of a pod that has one, for the names of the claims that are made for it. `usable` takes the volumes
    with nothing wrong, which containers may mount."""
    names = usable if usable is not None else {}
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        problems = [*_source(volume, at), *_made_claim(volume, at, pod_name)]
        name = volume.get("name") or ""
        if not name:
            problems.append(required(f"{at}.name"))
        else:
            problems += text(name, f"{at}.name", dns1123_label)
            if name in names:
                problems.append(duplicate(f"{at}.name", name))
        if not problems:
            names[name] = volume
        yield from problems


def _made_claim(volume: Object, path: str, pod_name: str) -> Errors:
    name = volume.get("name") or ""
    if pod_name and name and volume.get("ephemeral") is not None:
        claim = f"{pod_name}-{name}"
        for problem in dns1123_subdomain(claim):
            yield invalid(f"{path}.name", name, f'PVC name "{claim}": {problem}')


def _source(volume: Object, path: str) -> Errors:
    given = [name for name in _SOURCES if volume.get(name) is not None]
    if not given:
        yield required(path, "must specify a volume type")
        return
    name = given[0]
    at = f"{path}.{_SHOWN_AS.get(name, name)}"
    yield from _SOURCES[name](volume[name], at)
    if name == "iscsi":
        yield from _interface(volume, f"{path}.name")
    for name in given[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 volume type")


def _interface(volume: Object, path: str) -> Errors:
    """The interface of an initiator of its own is named after the volume and the portal."""
    name, source = volume.get("name") or "", volume["iscsi"]
    if source.get("initiatorName") and len(f"{name}:{source.get('targetPortal') or ''}") > 64:
        detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
        yield invalid(path, name, f"{detail}iscsi.initiatorName is specified.")


def empty_dir(source: Object, path: str) -> Errors:
    if source.get("sizeLimit") is not None and parse(source["sizeLimit"]).nanos < 0:
        yield forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def host_path(source: Object, path: str) -> Errors:
    where = source.get("path") or ""
    if not where:
        yield required(f"{path}.path")
        return
    yield from no_backsteps(where, f"{path}.path")
    yield from chosen(source, "type", path, _HOST_PATH_TYPES)


def _key_to_paths(entries: list[Object], path: str) -> Errors:
    for index, entry in enumerate(entries):
        at = f"{path}[{index}]"
        yield from required_text(entry, "key", at)
        if not entry.get("path"):
            yield required(f"{at}.path")
        yield from file_name(entry.get("path") or "", f"{at}.path")
        yield from _mode(entry, "mode", at)


def _mode(source: Object, name: str, path: str) -> Errors:
    mode = source.get(name)
    if mode is not None and not 0 <= mode <= _MODE_MAX:
        yield invalid(f"{path}.{name}", mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _named(key: str) -> Source:
    """A ConfigMap or Secret source, named by `key`."""

    def check(source: Object, path: str) -> Errors:
        if not source.get(key):
            yield required(f"{path}.{key}")
        yield from _mode(source, "defaultMode", path)
        yield from _key_to_paths(items(source, "items"), f"{path}.items")

    return check


def downward_api(source: Object, path: str) -> Errors:
    """What is wrong with any file is said of the whole source."""
    yield from _mode(source, "defaultMode", path)
    for entry in items(source, "items"):
        if not entry.get("path"):
            yield required(f"{path}.path")
        yield from file_name(entry.get("path") or "", f"{path}.path")
        if entry.get("fieldRef") is not None:
            yield from validate_field_ref(entry["fieldRef"], f"{path}.fieldRef", _VOLUME_FIELDS)
            if entry.get("resourceFieldRef") is not None:
                yield invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
        elif entry.get("resourceFieldRef") is not None:
            yield from validate_resource_field_ref(entry["resourceFieldRef"], f"{path}.resourceFieldRef", volume=True)
        else:
            yield required(path, "one of fieldRef and resourceFieldRef is required")
        yield from _mode(entry, "mode", path)


def projected(source: Object, path: str) -> Errors:
    yield from _mode(source, "defaultMode", path)
    taken: set[str] = set()
    for index, entry in enumerate(items(source, "sources")):
        at = f"{path}.sources[{index}]"
        given = [name for name in _PROJECTIONS if entry.get(name) is not None]
        for place, name in enumerate(given):
            if place:
                yield forbidden(at, "may not specify more than 1 volume type per source")
            elif name == "serviceAccountToken":
                yield from _token(entry[name], at, path)
            else:
                yield from _PROJECTIONS[name](entry[name], f"{at}.{name}")
            for file in _files(entry[name]):
                if file in taken:
                    yield invalid(path, child(entry, name).get("name") or file, "conflicting duplicate paths")
                taken.add(file)


def _files(projection: Object) -> list[str]:
    """The paths that a source of a projected volume writes."""
    paths = [projection.get("path"), *(entry.get("path") for entry in items(projection, "items"))]
    return [path for path in paths if path]


def _token(source: Object, path: str, whole: str) -> Errors:
    """Its path is spoken of as the volume's."""
    low, high = _TOKEN_SECONDS
    seconds, at = source.get("expirationSeconds", 3600), f"{path}.serviceAccountToken.expirationSeconds"
    if seconds < low:
        yield invalid(at, seconds, "may not specify a duration less than 10 minutes")
    elif seconds > high:
        yield invalid(at, seconds, "may not specify a duration larger than 2^32 seconds")
    if not source.get("path"):
        yield required(f"{whole}.path")
    else:
        yield from file_name(source["path"], f"{whole}.path")


def _claim(source: Object, path: str) -> Errors:
    yield from required_text(source, "claimName", path)


def nfs(source: Object, path: str) -> Errors:
    yield from required_text(source, "server", path)
    yield from required_text(source, "path", path)
    if not (source.get("path") or "").startswith("/"):
        yield invalid(f"{path}.path", source.get("path") or "", "must be an absolute path")


def csi_driver_name(name: str, path: str) -> Errors:
    if not name:
        yield required(path)
        return
    if len(name) > _DRIVER_LENGTH:
        yield too_long(path, _DRIVER_LENGTH)
    for problem in dns1123_subdomain(name.lower()):
        yield invalid(path, name, problem)


def _csi(source: Object, path: str) -> Errors:
    yield from csi_driver_name(source.get("driver") or "", f"{path}.driver")
    secret = source.get("nodePublishSecretRef")
    if secret is not None:
        if not secret.get("name"):
            yield required(f"{path}.nodePublishSecretRef.name")
        else:
            yield from text(secret["name"], f"{path}.name", dns1123_subdomain)


def _image(source: Object, path: str) -> Errors:
    yield from required_text(source, "reference", path)
    yield from one_of(source, "pullPolicy", path, ("Always", "IfNotPresent", "Never"))


def _ephemeral(source: Object, path: str) -> Errors:
    from kybern.kube.validation.persistent_volume_claim import (
        validate_claim_spec,  # which takes checks of sources from here
    )

    template = source.get("volumeClaimTemplate")
    if template is None:
        yield required(f"{path}.volumeClaimTemplate")
        return
    metadata, at = child(template, "metadata"), f"{path}.volumeClaimTemplate"
    yield from validate_annotations(metadata.get("annotations"), f"{at}.metadata.annotations")
    yield from validate_labels(metadata.get("labels"), f"{at}.metadata.labels")
    for name in metadata:
        if metadata[name] and name not in ("annotations", "labels", "creationTimestamp"):
            yield forbidden(f"{at}.metadata.{name}", "cannot be set for an ephemeral volume")
    yield from validate_claim_spec(child(template, "spec"), f"{at}.spec")


_SOURCES: Mapping[str, Source] = {
    "emptyDir": empty_dir,
    "hostPath": host_path,
    "gitRepo": PLUGINS["gitRepo"],
    "gcePersistentDisk": PLUGINS["gcePersistentDisk"],
    "awsElasticBlockStore": PLUGINS["awsElasticBlockStore"],
    "secret": _named("secretName"),
    "nfs": nfs,
    "iscsi": PLUGINS["iscsi"],
    "glusterfs": PLUGINS["glusterfs"],
    "flocker": PLUGINS["flocker"],
    "persistentVolumeClaim": _claim,
    "rbd": PLUGINS["rbd"],
    "cinder": PLUGINS["cinder"],
    "cephfs": PLUGINS["cephfs"],
    "quobyte": PLUGINS["quobyte"],
    "downwardAPI": downward_api,
    "fc": PLUGINS["fc"],
    "flexVolume": PLUGINS["flexVolume"],
    "configMap": _named("name"),
    "azureFile": PLUGINS["azureFile"],
    "vsphereVolume": PLUGINS["vsphereVolume"],
    "photonPersistentDisk": PLUGINS["photonPersistentDisk"],
    "portworxVolume": PLUGINS["portworxVolume"],
    "azureDisk": PLUGINS["azureDisk"],
    "storageos": PLUGINS["storageos"],
    "projected": projected,
    "scaleIO": PLUGINS["scaleIO"],
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
}
_SHOWN_AS = {"gcePersistentDisk": "persistentDisk"}
_PROJECTIONS: Mapping[str, Source] = {
    "secret": _named("name"),
    "configMap": _named("name"),
    "downwardAPI": downward_api,
    "serviceAccountToken": lambda source, path: iter(()),
}
