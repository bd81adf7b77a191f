"""Containers of every sort: names, images, ports, mounts, devices, resize policies."""

from collections.abc import Mapping

from kybern.kube.field import duplicate, forbidden, invalid, not_found, not_supported, required
from kybern.kube.validation.env import validate_env, validate_env_from
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    items,
    one_of,
    required_text,
    text,
)
from kybern.kube.validation.names import (
    dns1123_label,
    port_name,
    port_number,
)
from kybern.kube.validation.resources import validate_requirements
from kybern.kube.validation.security import validate_security_context

PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")


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
    yield from validate_env(items(container, "env"), f"{path}.env")
    yield from validate_env_from(items(container, "envFrom"), f"{path}.envFrom")
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
