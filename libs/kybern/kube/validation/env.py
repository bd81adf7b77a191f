"""Environment of a container: variables, where their values come from, and whole sources of variables."""

from collections.abc import Callable

from kybern.kube.field import invalid, not_supported, required
from kybern.kube.validation.fields import (
    Errors,
    Object,
    required_text,
    text,
)
from kybern.kube.validation.names import (
    config_map_key,
    dns1123_subdomain,
    env_var_name,
)

_FIELD_PATHS = frozenset(
    {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    }
)  # fmt: skip
_CONTAINER_RESOURCES = frozenset(f"{kind}.{name}" for kind in ("limits", "requests")
                                 for name in ("cpu", "memory", "ephemeral-storage"))  # fmt: skip
_ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


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
    listed = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
    if not given:
        yield invalid(path, "", f"must specify one of: {listed}")
        return
    if variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")
    for name in given:
        yield from _SOURCE_CHECKS[name](source[name], f"{path}.{name}")


def validate_field_ref(ref: Object, path: str, supported: frozenset[str] = _FIELD_PATHS) -> Errors:
    if not ref.get("apiVersion"):
        yield required(f"{path}.apiVersion")
    field = ref.get("fieldPath") or ""
    if not field:
        yield required(f"{path}.fieldPath")
        return
    base, bracket, rest = field.partition("[")
    if bracket and base in ("metadata.labels", "metadata.annotations") and rest.endswith("']") and rest[0] == "'":
        return
    if field not in supported:
        if field.startswith(("metadata.", "spec.", "status.")):
            yield not_supported(f"{path}.fieldPath", field, supported)
        else:
            yield invalid(f"{path}.fieldPath", field, f"error converting fieldPath: field label not supported: {field}")


def validate_resource_field_ref(ref: Object, path: str, *, volume: bool = False) -> Errors:
    resource = ref.get("resource") or ""
    if volume and not ref.get("containerName"):
        yield required(f"{path}.containerName")
    if not resource:
        yield required(f"{path}.resource")
    elif resource not in _CONTAINER_RESOURCES and not resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        yield not_supported(f"{path}.resource", resource, _CONTAINER_RESOURCES)


def _key_ref(ref: Object, path: str) -> Errors:
    if not ref.get("name"):
        yield required(f"{path}.name")
    yield from required_text(ref, "key", path, config_map_key)


def _file_key_ref(ref: Object, path: str) -> Errors:
    for name in ("key", "volumeName", "path"):
        yield from required_text(ref, name, path)


_SOURCE_CHECKS: dict[str, Callable[[Object, str], Errors]] = {
    "fieldRef": validate_field_ref,
    "resourceFieldRef": validate_resource_field_ref,
    "configMapKeyRef": _key_ref,
    "secretKeyRef": _key_ref,
    "fileKeyRef": _file_key_ref,
}


def validate_env_from(sources: list[Object], path: str) -> Errors:
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        if source.get("prefix"):
            yield from text(source["prefix"], f"{at}.prefix", env_var_name)
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in given:
            yield from required_text(source[name], "name", f"{at}.{name}", dns1123_subdomain)
        if not given:
            yield invalid(at, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(given) > 1:
            yield invalid(at, "", "may not have more than one field specified at a time")
