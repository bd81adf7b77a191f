"""Containers of every sort: names, images, ports, mounts, devices, resize policies."""

from collections.abc import Mapping
from dataclasses import dataclass

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
from kybern.kube.validation.paths import relative_path
from kybern.kube.validation.resources import validate_requirements
from kybern.kube.validation.security import validate_security_context

PROTOCOLS = ("TCP", "UDP", "SCTP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")
DEFAULT_GRACE = 30


@dataclass(frozen=True)
class Surroundings:
    """What of a pod its containers are checked against."""

    volumes: Mapping[str, Object]
    claims: frozenset[str] = frozenset()
    host_network: bool = False
    host_users: bool = True
    grace: int = DEFAULT_GRACE
    restarts: bool = True


def surroundings(spec: Object, volumes: Mapping[str, Object]) -> Surroundings:
    """Of a pod's spec; `volumes` are those with nothing wrong."""
    return Surroundings(
        volumes,
        frozenset(claim["name"] for claim in items(spec, "resourceClaims") if claim.get("name")),
        bool(spec.get("hostNetwork")),
        spec.get("hostUsers") is not False,
        spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE),
        spec.get("restartPolicy") != "Never",
    )


PADDED = "must not have leading or trailing whitespace"
_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def is_padded(image: str) -> bool:
    """Whether there is white space around an image's name, which pods alone may not have."""
    return image != image.strip(_SPACES)


def validate_container(container: Object, pod: Surroundings, path: str) -> Errors:
    """What every container must satisfy whatever its role; names are checked for repetition by the caller."""
    yield from required_text(container, "name", path, dns1123_label)
    image = container.get("image") or ""
    if not image:
        yield required(f"{path}.image")
    policies = ("File", "FallbackToLogsOnError")
    yield from one_of(container, "terminationMessagePolicy", path, policies, must=True, in_order=True)
    yield from _ports(items(container, "ports"), pod.host_network, f"{path}.ports")
    yield from validate_env(items(container, "env"), f"{path}.env")
    yield from validate_env_from(items(container, "envFrom"), f"{path}.envFrom")
    yield from _mounts(container, pod.volumes, f"{path}.volumeMounts")
    yield from _devices(container, pod, f"{path}.volumeDevices")
    yield from one_of(container, "imagePullPolicy", path, _PULL_POLICIES, must=True)
    yield from validate_requirements(child(container, "resources"), f"{path}.resources", claims=pod.claims)
    yield from _resize_policy(items(container, "resizePolicy"), pod.restarts, f"{path}.resizePolicy")
    context = child(container, "securityContext")
    yield from validate_security_context(context, f"{path}.securityContext", host_users=pod.host_users)


def _ports(ports: list[Object], host_network: bool, path: str) -> Errors:
    names = set()
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        name = port.get("name") or ""
        if name:
            problems = [*text(name, f"{at}.name", port_name)]
            yield from problems
            if not problems:
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
        yield from one_of(port, "protocol", at, PROTOCOLS, must=True)
        if host_network and host_port and host_port != number:
            yield invalid(f"{at}.hostPort", host_port, "must match `containerPort` when `hostNetwork` is true")


def host_port_conflicts(containers: list[Object], path: str) -> Errors:
    """One pod cannot take the same host port twice."""
    taken = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(items(container, "ports")):
            if port.get("hostPort"):
                key = f"{port.get('protocol') or ''}/{port.get('hostIP') or ''}/{port['hostPort']}"
                if key in taken:
                    yield duplicate(f"{path}[{index}].ports[{position}].hostPort", key)
                taken.add(key)


def _mounts(container: Object, volumes: Mapping[str, Object], path: str) -> Errors:
    devices = items(container, "volumeDevices")
    device_names, device_paths = ({device.get(field) or "" for device in devices} for field in ("name", "devicePath"))
    seen = set()
    for index, mount in enumerate(items(container, "volumeMounts")):
        at = f"{path}[{index}]"
        name, where = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            yield required(f"{at}.name")
        if name not in volumes:
            yield not_found(f"{at}.name", name)
        if not where:
            yield required(f"{at}.mountPath")
        if where in seen:
            yield invalid(f"{at}.mountPath", where, "must be unique")
        seen.add(where)
        if name in device_names:
            yield invalid(f"{at}.name", name, "must not already exist in volumeDevices")
        if where in device_paths:
            yield invalid(f"{at}.mountPath", where, "must not already exist as a path in volumeDevices")
        if mount.get("subPath"):
            yield from relative_path(mount["subPath"], f"{path}.subPath")
        if mount.get("subPathExpr"):
            if mount.get("subPath"):
                detail = "subPathExpr and subPath are mutually exclusive"
                yield invalid(f"{path}.subPathExpr", mount["subPathExpr"], detail)
            yield from relative_path(mount["subPathExpr"], f"{path}.subPathExpr")
        yield from _propagation(mount, container, f"{path}.mountPropagation")
        yield from _recursive_read_only(mount, f"{path}.recursiveReadOnly")
        yield from _image_mount(mount, volumes.get(name), at)


def _image_mount(mount: Object, volume: Object | None, path: str) -> Errors:
    """Images are mounted whole and are not written."""
    if volume is None or volume.get("image") is None:
        return
    if mount.get("subPathExpr"):
        yield invalid(f"{path}.subPathExpr", mount["subPathExpr"], "not supported for image volumes")


def _propagation(mount: Object, container: Object, path: str) -> Errors:
    value = mount.get("mountPropagation")
    if value is None:
        return
    if value not in _PROPAGATIONS:
        yield not_supported(path, value, _PROPAGATIONS)
    if value == "Bidirectional" and not child(container, "securityContext").get("privileged"):
        yield forbidden(path, "Bidirectional mount propagation is available only to privileged containers")


def _recursive_read_only(mount: Object, path: str) -> Errors:
    value = mount.get("recursiveReadOnly")
    if value is None:
        return
    if value in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            yield forbidden(path, "may only be specified when readOnly is true")
        if mount.get("mountPropagation") not in (None, "None"):
            yield forbidden(path, "may only be specified when mountPropagation is None or not specified")
    elif value != "Disabled":
        yield not_supported(path, value, ("Disabled", "Enabled", "IfPossible"))


def _devices(container: Object, pod: Surroundings, path: str) -> Errors:
    devices = items(container, "volumeDevices")
    if devices and not pod.host_users:
        yield forbidden(path, "when `hostUsers` is false")
    mounts = items(container, "volumeMounts")
    mount_names, mount_paths = ({mount.get(field) or "" for mount in mounts} for field in ("name", "mountPath"))
    names, paths = set(), set()
    for index, device in enumerate(devices):
        at = f"{path}[{index}]"
        name, where = device.get("name") or "", device.get("devicePath") or ""
        if not name:
            yield required(f"{at}.name")
        if name in names:
            yield invalid(f"{at}.name", name, "must be unique")
        volume = pod.volumes.get(name)
        if volume is None:
            yield not_found(f"{at}.name", name)
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            yield invalid(f"{at}.name", name, detail)
        if not where:
            yield required(f"{at}.devicePath")
        if where in paths:
            yield invalid(f"{at}.devicePath", where, "must be unique")
        if where and ".." in where.split("/"):
            yield invalid(f"{at}.devicePath", where, "can not contain backsteps ('..')")
        else:
            paths.add(where)
        if name in mount_names:
            yield invalid(f"{at}.name", name, "must not already exist in volumeMounts")
        if where in mount_paths:
            yield invalid(f"{at}.devicePath", where, "must not already exist as a path in volumeMounts")
        if name:
            names.add(name)


def _resize_policy(policies: list[Object], restarts: bool, path: str) -> Errors:
    """What is wrong with any policy is said of the whole list."""
    seen = set()
    for index, policy in enumerate(policies):
        name, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if name in seen:
            yield duplicate(f"{path}[{index}]", name)
        seen.add(name)
        if not name:
            yield required(path)
        elif name not in ("cpu", "memory"):
            yield not_supported(path, name, ("cpu", "memory"))
        if not restart:
            yield required(path)
        elif restart not in _RESIZE_POLICIES:
            yield not_supported(path, restart, _RESIZE_POLICIES)
        if not restarts and restart != "NotRequired":
            yield invalid(path, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'")
