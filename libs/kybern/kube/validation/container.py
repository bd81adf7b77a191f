"""Containers of every sort: names, images, ports, environment, mounts, probes, lifecycle hooks."""

from collections.abc import Callable, Mapping

from kybern.kube.field import duplicate, forbidden, invalid, not_found, not_supported, required
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    in_range,
    items,
    non_negative,
    one_of,
    port_number_or_name,
    required_text,
    text,
)  # fmt: skip
from kybern.kube.validation.names import (
    config_map_key,
    dns1123_label,
    dns1123_subdomain,
    env_var_name,
    http_header_name,
    port_name,
    port_number,
)  # fmt: skip
from kybern.kube.validation.resources import validate_requirements

PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_FIELD_PATHS = frozenset(
    {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    }
)  # fmt: skip
_CONTAINER_RESOURCES = frozenset(f"{kind}.{name}" for kind in ("limits", "requests")
                                 for name in ("cpu", "memory", "ephemeral-storage"))  # fmt: skip
_ENV_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def validate_container(container: Object, volumes: Mapping[str, Object], host_network: bool, path: str) -> Errors:
    """What every container must satisfy whatever its role; names are checked for repetition by the caller."""
    yield from required_text(container, "name", path, dns1123_label)
    image = container.get("image") or ""
    if not image:
        yield required(f"{path}.image")
    elif image != image.strip():
        yield invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    yield from one_of(container, "terminationMessagePolicy", path, ("FallbackToLogsOnError", "File"), must=True)
    yield from one_of(container, "imagePullPolicy", path, _PULL_POLICIES, must=True)
    yield from _ports(items(container, "ports"), host_network, f"{path}.ports")
    yield from _env(items(container, "env"), f"{path}.env")
    yield from _env_from(items(container, "envFrom"), f"{path}.envFrom")
    yield from _mounts(container, volumes, f"{path}.volumeMounts")
    yield from _devices(container, volumes, f"{path}.volumeDevices")
    yield from validate_requirements(child(container, "resources"), f"{path}.resources")
    yield from _resize_policy(items(container, "resizePolicy"), f"{path}.resizePolicy")
    yield from validate_security_context(child(container, "securityContext"), f"{path}.securityContext")


def _ports(ports: list[Object], host_network: bool, path: str) -> Errors:
    names = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        name = port.get("name") or ""
        if name:
            yield from text(name, f"{at}.name", port_name)
            if name in names:
                yield duplicate(f"{at}.name", name)
            names.add(name)
        number = port.get("containerPort") or 0
        if number == 0:
            yield required(f"{at}.containerPort")
        else:
            for problem in port_number(number):
                yield invalid(f"{at}.containerPort", number, problem)
        host_port = port.get("hostPort") or 0
        if host_port:
            for problem in port_number(host_port):
                yield invalid(f"{at}.hostPort", host_port, problem)
        if host_network and host_port != number:
            yield invalid(f"{at}.hostPort", host_port, "must match `containerPort` when `hostNetwork` is true")
        yield from one_of(port, "protocol", at, PROTOCOLS, must=True)


def host_port_conflicts(containers: list[Object], path: str) -> Errors:
    """One pod cannot take the same host port twice."""
    taken = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(items(container, "ports")):
            if port.get("hostPort"):
                key = (port.get("protocol"), port.get("hostIP") or "", port["hostPort"])
                if key in taken:
                    shown = f"{port['hostPort']}/{port.get('protocol')}"
                    yield duplicate(f"{path}[{index}].ports[{position}].hostPort", shown)
                taken.add(key)


def _env(variables: list[Object], path: str) -> Errors:
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


def _env_from(sources: list[Object], path: str) -> Errors:
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


def _mounts(container: Object, volumes: Mapping[str, Object], path: str) -> Errors:
    seen = set()
    for index, mount in enumerate(items(container, "volumeMounts")):
        at = f"{path}[{index}]"
        name, where = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            yield required(f"{at}.name")
        elif name not in volumes:
            yield not_found(f"{at}.name", name)
        if not where:
            yield required(f"{at}.mountPath")
        elif where in seen:
            yield invalid(f"{at}.mountPath", where, "must be unique")
        seen.add(where)
        if mount.get("subPath") and mount.get("subPathExpr"):
            yield invalid(f"{at}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive")
        for field in ("subPath", "subPathExpr"):
            yield from local_path(mount.get(field) or "", f"{at}.{field}")
        yield from one_of(mount, "mountPropagation", at, ("Bidirectional", "HostToContainer", "None"))
        if mount.get("mountPropagation") == "Bidirectional":
            context = child(container, "securityContext")
            if not context.get("privileged"):
                detail = "Bidirectional mount propagation is available only to privileged containers"
                yield forbidden(f"{at}.mountPropagation", detail)


def local_path(value: str, path: str) -> Errors:
    """A relative path that does not climb out of where it starts."""
    if value.startswith("/"):
        yield invalid(path, value, "must be a relative path")
    elif ".." in value.split("/"):
        yield invalid(path, value, "must not contain '..'")


def _devices(container: Object, volumes: Mapping[str, Object], path: str) -> Errors:
    seen = set()
    for index, device in enumerate(items(container, "volumeDevices")):
        at = f"{path}[{index}]"
        name, where = device.get("name") or "", device.get("devicePath") or ""
        if not name:
            yield required(f"{at}.name")
        elif name not in volumes:
            yield not_found(f"{at}.name", name)
        if not where:
            yield required(f"{at}.devicePath")
        elif where in seen:
            yield invalid(f"{at}.devicePath", where, "must be unique")
        seen.add(where)


def _resize_policy(policies: list[Object], path: str) -> Errors:
    seen = set()
    for index, policy in enumerate(policies):
        name = policy.get("resourceName") or ""
        if name in seen:
            yield duplicate(f"{path}[{index}]", name)
        seen.add(name)
        if name not in ("cpu", "memory"):
            yield not_supported(f"{path}[{index}].resourceName", name, ("cpu", "memory"))
        yield from one_of(policy, "restartPolicy", f"{path}[{index}]", ("NotRequired", "RestartContainer"), must=True)


def validate_security_context(context: Object, path: str) -> Errors:
    """The user, group and privileges of one container."""
    for name in ("runAsUser", "runAsGroup"):
        yield from in_range(context, name, path, 0, 2**32 - 1)
    yield from one_of(context, "procMount", path, ("Default", "Unmasked"))
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield invalid(path, context, detail)
        if "SYS_ADMIN" in child(context, "capabilities").get("add", ()):
            detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield invalid(path, context, detail)
    yield from validate_seccomp(child(context, "seccompProfile"), f"{path}.seccompProfile")


def validate_seccomp(profile: Object, path: str) -> Errors:
    if not profile:
        return
    kind = profile.get("type")
    if kind == "Localhost" and not profile.get("localhostProfile"):
        yield required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost")
    elif kind != "Localhost" and profile.get("localhostProfile"):
        yield invalid(
            f"{path}.localhostProfile", profile["localhostProfile"], "can only be set when seccomp type is Localhost"
        )
    yield from one_of(profile, "type", path, ("Localhost", "RuntimeDefault", "Unconfined"), must=True)


def validate_probe(probe: Object, path: str, *, success_must_be_one: bool = False) -> Errors:
    yield from _handler(probe, _HANDLERS, path)
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        yield from non_negative(probe, name, path)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")
    if success_must_be_one and probe.get("successThreshold", 1) != 1:
        yield invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def validate_lifecycle(lifecycle: Object, path: str) -> Errors:
    for name in ("postStart", "preStop"):
        if lifecycle.get(name) is not None:
            yield from _handler(lifecycle[name], ("exec", "httpGet", "tcpSocket", "sleep"), f"{path}.{name}")


def _handler(handler: Object, allowed: tuple[str, ...], path: str) -> Errors:
    given = [name for name in allowed if handler.get(name) is not None]
    for name in given[1:]:
        yield forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
    if not given:
        yield required(path, "must specify a handler type")
        return
    name = given[0]
    yield from _HANDLER_CHECKS[name](handler[name], f"{path}.{name}")


def _exec(action: Object, path: str) -> Errors:
    if not action.get("command"):
        yield required(f"{path}.command")


def _http_get(action: Object, path: str) -> Errors:
    if not action.get("path"):
        yield required(f"{path}.path")
    yield from port_number_or_name(action.get("port") or 0, f"{path}.port")
    yield from one_of(action, "scheme", path, ("HTTP", "HTTPS"))
    for index, header in enumerate(items(action, "httpHeaders")):
        yield from text(header.get("name") or "", f"{path}.httpHeaders[{index}].name", http_header_name)


def _tcp_socket(action: Object, path: str) -> Errors:
    yield from port_number_or_name(action.get("port") or 0, f"{path}.port")


def _sleep(action: Object, path: str) -> Errors:
    if (action.get("seconds") or 0) < 0:
        yield invalid(path, action["seconds"], "must be non-negative")


_HANDLER_CHECKS = {"exec": _exec, "httpGet": _http_get, "tcpSocket": _tcp_socket, "grpc": _tcp_socket, "sleep": _sleep}
