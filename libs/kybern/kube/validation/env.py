"""Environment of a container: variables, where their values come from, and whole sources of variables."""

import re
from collections.abc import Callable, Mapping

from kybern.kube import quantity
from kybern.kube.field import invalid, not_found, not_supported, required
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    items,
    required_text,
    text,
)
from kybern.kube.validation.names import (
    config_map_key,
    dns1123_label,
    dns1123_subdomain,
    env_var_name,
    label_key,
)
from kybern.kube.validation.paths import no_backsteps

_FIELD_PATHS = frozenset(
    {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    }
)  # fmt: skip
_CONTAINER_RESOURCES = frozenset(f"{kind}.{name}" for kind in ("limits", "requests")
                                 for name in ("cpu", "memory", "ephemeral-storage"))  # fmt: skip
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
_ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_BYTES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
# Of a resource: its name in messages, and the divisors it takes.
_DIVISORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cpu": ("cpu", ("1m", "1")),
    "memory": ("memory", _BYTES),
    "ephemeral-storage": ("local ephemeral storage", _BYTES),
}
_SUBSCRIPT = re.compile(r"(?P<base>.*)\['(?P<key>.*)'\]", re.DOTALL)

Volumes = Mapping[str, Object]


def validate_env(variables: list[Object], path: str) -> Errors:
    for index, variable in enumerate(variables):
        at = f"{path}[{index}]"
        name = variable.get("name") or ""
        if not name:
            yield required(f"{at}.name")
        else:
            yield from text(name, f"{at}.name", env_var_name)
        source = variable.get("valueFrom")
        if source is not None:
            yield from _env_source(source, variable, f"{at}.valueFrom")


def _env_source(source: Object, variable: Object, path: str) -> Errors:
    given = [name for name in _ENV_SOURCES if source.get(name) is not None]
    for name in given:
        yield from _SOURCE_CHECKS[name](source[name], f"{path}.{name}")
    if not given:
        listed = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield invalid(path, "", f"must specify one of: {listed}")
    elif variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


def validate_field_ref(ref: Object, path: str, supported: frozenset[str] = _FIELD_PATHS) -> Errors:
    if not ref.get("apiVersion"):
        yield required(f"{path}.apiVersion")
        return
    field = ref.get("fieldPath") or ""
    if not field:
        yield required(f"{path}.fieldPath")
        return
    subscript = _SUBSCRIPT.fullmatch(field)
    base = subscript["base"] if subscript else field
    if subscript and base in ("metadata.labels", "metadata.annotations"):
        key = subscript["key"]
        check = label_key if base == "metadata.labels" else _annotation_key
        yield from text(key, path, check)
    elif subscript and base in (_FIELD_PATHS | supported):
        yield invalid(path, base, "does not support subscript")
    elif field in supported:
        return
    elif field in _FIELD_PATHS or field in ("metadata.labels", "metadata.annotations", "spec.restartPolicy",
                                            "spec.schedulerName", "spec.hostNetwork", "status.phase",
                                            "status.nominatedNodeName"):  # fmt: skip
        yield not_supported(f"{path}.fieldPath", field, supported)
    else:
        yield invalid(f"{path}.fieldPath", field, f"error converting fieldPath: field label not supported: {field}")


def _annotation_key(key: str) -> list[str]:
    return label_key(key.lower())


def validate_resource_field_ref(ref: Object, path: str, *, volume: bool = False) -> Errors:
    resource = ref.get("resource") or ""
    if volume and not ref.get("containerName"):
        yield required(f"{path}.containerName")
        return
    if not resource:
        yield required(f"{path}.resource")
        return
    if resource not in _CONTAINER_RESOURCES and not resource.startswith(_HUGE_PAGES):
        yield not_supported(f"{path}.resource", resource, _CONTAINER_RESOURCES)
    yield from _divisor(ref, resource.partition(".")[2], f"{path}.divisor")


def _divisor(ref: Object, resource: str, path: str) -> Errors:
    divisor = ref.get("divisor")
    if divisor is None or quantity.parse(divisor).nanos == 0:
        return
    if resource.startswith("hugepages-"):
        found: tuple[str, tuple[str, ...]] | None = ("hugepages", _BYTES)
    else:
        found = _DIVISORS.get(resource)
    if found is None:
        return
    title, supported = found
    if divisor not in {quantity.canonical(one) for one in supported}:
        *first, last = supported
        listed = f"{', '.join(first)} and {last}" if len(first) > 1 else f"{first[0]} and {last}"
        yield invalid(path, divisor, f"only divisor's values {listed} are supported with the {title} resource")


def _key_ref(ref: Object, path: str) -> Errors:
    yield from text(ref.get("name") or "", f"{path}.name", dns1123_subdomain)
    yield from required_text(ref, "key", path, config_map_key)


def _file_key_ref(ref: Object, path: str) -> Errors:
    yield from required_text(ref, "key", path, env_var_name)
    yield from required_text(ref, "volumeName", path, dns1123_label)
    if not ref.get("path"):
        yield required(f"{path}.path")
    else:
        yield from no_backsteps(ref["path"], f"{path}.path")


def validate_env_volumes(container: Object, volumes: Volumes, path: str) -> Errors:
    """Files with variables are in volumes of the pod, which are emptyDirs."""
    for index, variable in enumerate(items(container, "env")):
        ref = child(variable, "valueFrom").get("fileKeyRef")
        if ref is None:
            continue
        at, name = f"{path}.env[{index}].valueFrom.fileKeyRef.volumeName", ref.get("volumeName") or ""
        if name not in volumes:
            yield not_found(at, name)
        elif volumes[name].get("emptyDir") is None:
            yield invalid(at, name, "referenced volume must be of type emptyDir")


_SOURCE_CHECKS: dict[str, Callable[[Object, str], Errors]] = {
    "fieldRef": validate_field_ref,
    "resourceFieldRef": validate_resource_field_ref,
    "configMapKeyRef": _key_ref,
    "secretKeyRef": _key_ref,
    "fileKeyRef": _file_key_ref,
}


def validate_env_from(sources: list[Object], path: str) -> Errors:
    """What is wrong with a source's choice is said of the whole list."""
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        if source.get("prefix"):
            yield from text(source["prefix"], f"{at}.prefix", env_var_name)
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in given:
            yield from required_text(source[name], "name", f"{at}.{name}", dns1123_subdomain)
        if not given:
            yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(given) > 1:
            yield invalid(path, "", "may not have more than one field specified at a time")
