"""Which files a volume holds: configMap, secret, downwardAPI and projected sources as paths, bytes and modes. Pure."""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kybern.kube.meta import Object
from kybern.node.core.resources import startable_containers

DEFAULT_MODE = 0o644


class VolumeError(Exception):
    """A volume cannot be made (yet): shown in a FailedMount event."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a volume, its path relative to the volume. `user` owns it; None is root."""

    data: bytes
    mode: int = DEFAULT_MODE
    user: int | None = field(default=None, compare=False)  # the same for as long as the pod lives


Files = dict[str, File]


def file_user(pod: Object) -> int | None:
    """Who owns a token's file: the one user that all containers run as, if all say so and agree."""
    default = (pod["spec"].get("securityContext") or {}).get("runAsUser")
    users = {(one.get("securityContext") or {}).get("runAsUser", default) for one in startable_containers(pod)}
    return users.pop() if len(users) == 1 else None


def payload(kind: str, obj: Object) -> dict[str, bytes]:
    """The keys of a ConfigMap or Secret, as bytes."""
    data = obj.get("data") or {}
    if kind == "secret":
        return {key: base64.b64decode(value) for key, value in data.items()}
    binary = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {**{key: value.encode() for key, value in data.items()}, **binary}


def decoded(secret: Object | None) -> Object | None:
    """A Secret with its data as text, for environment variables."""
    if secret is None:
        return None
    return {"data": {key: value.decode(errors="replace") for key, value in payload("secret", secret).items()}}


def select(kind: str, name: str, source: Object, obj: Object | None, namespace: str, default_mode: int) -> Files:
    """The files of one ConfigMap or Secret source: all keys, or its `items` under their paths."""
    title = "configmap" if kind == "configmap" else "secret"
    optional = bool(source.get("optional"))
    if obj is None:
        if optional:
            return {}
        raise VolumeError(f'{title} "{name}" not found')
    data = payload(kind, obj)
    items = source.get("items")
    if not items:
        return {key: File(value, default_mode) for key, value in data.items()}
    found: Files = {}
    for item in items:
        if item["key"] not in data:
            if optional:
                continue
            raise VolumeError(f"references non-existent {title.replace('map', '')} key: {item['key']}")
        found[item["path"]] = File(data[item["key"]], mode_of(item, default_mode))
    return found


def mode_of(item: Object, default: int) -> int:
    mode = item.get("mode")
    return default if mode is None else int(mode)


def downward_files(
    items: Iterable[Object], default_mode: int, field: Callable[[str], str], resource: Callable[[Object], str]
) -> Files:
    """The files of a downwardAPI source."""
    found: Files = {}
    for item in items:
        ref = item.get("fieldRef")
        text = field(ref["fieldPath"]) if ref else resource(item["resourceFieldRef"])
        found[item["path"]] = File(text.encode(), mode_of(item, default_mode))
    return found


@dataclass(frozen=True, slots=True)
class Reference:
    """A ConfigMap or Secret that a pod needs."""

    kind: str  # configmap or secret
    name: str


def environment_references(container: Object) -> list[Reference]:
    """The objects behind a container's environment."""
    found = []
    for variable in container.get("env") or []:
        source = variable.get("valueFrom") or {}
        if ref := source.get("configMapKeyRef"):
            found.append(Reference("configmap", ref["name"]))
        if ref := source.get("secretKeyRef"):
            found.append(Reference("secret", ref["name"]))
    for source in container.get("envFrom") or []:
        if ref := source.get("configMapRef"):
            found.append(Reference("configmap", ref["name"]))
        if ref := source.get("secretRef"):
            found.append(Reference("secret", ref["name"]))
    return found
