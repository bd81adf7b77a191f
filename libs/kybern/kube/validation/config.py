"""ConfigMap, Secret, Namespace."""

import base64

from kybern.kube.field import forbidden, invalid, required, too_long
from kybern.kube.go_json import syntax_error
from kybern.kube.validation.fields import IMMUTABLE, Errors, Object, child, items, text
from kybern.kube.validation.metadata import validate_finalizer_name
from kybern.kube.validation.names import config_map_key

MAX_SIZE = 1024 * 1024
_IMMUTABLE_SET = "field is immutable when `immutable` is set"


def validate_config_map(obj: Object) -> Errors:
    data, binary = child(obj, "data"), child(obj, "binaryData")
    size = 0
    for key, value in data.items():
        yield from text(key, f"data[{key}]", config_map_key)
        if key in binary:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        size += len(value.encode())
    for key, value in binary.items():
        yield from text(key, f"binaryData[{key}]", config_map_key)
        size += len(value) * 3 // 4
    if size > MAX_SIZE:
        yield too_long("[]", MAX_SIZE)


def validate_config_map_update(obj: Object, old: Object) -> Errors:
    yield from _immutable_data(obj, old)
    yield from validate_config_map(obj)


def _immutable_data(obj: Object, old: Object) -> Errors:
    """With `immutable: true` neither the data nor that flag changes again."""
    if old.get("immutable"):
        if not obj.get("immutable"):
            yield forbidden("immutable", _IMMUTABLE_SET)
        for name in ("data", "binaryData"):
            if (obj.get(name) or {}) != (old.get(name) or {}):
                yield forbidden(name, _IMMUTABLE_SET)


# Secret type → keys its data must have.
_SECRET_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"


def validate_secret(obj: Object) -> Errors:
    data, kind = child(obj, "data"), obj.get("type") or ""
    size = 0
    for key, value in data.items():
        yield from text(key, f"data[{key}]", config_map_key)
        size += len(value) * 3 // 4
    if size > MAX_SIZE:
        yield too_long("data", MAX_SIZE)
    for key in _SECRET_KEYS.get(kind, ()):
        if key not in data:
            yield required(f"data[{key}]")
        elif "docker" in kind and (problem := syntax_error(base64.b64decode(data[key]))):
            yield invalid(f"data[{key}]", "<secret contents redacted>", problem)
    if kind == "kubernetes.io/basic-auth" and not ("username" in data or "password" in data):
        yield required("data[username]")
        yield required("data[password]")
    if kind == "kubernetes.io/service-account-token":
        annotations = child(child(obj, "metadata"), "annotations")
        if not annotations.get(_SERVICE_ACCOUNT_NAME):
            yield required(f"metadata.annotations[{_SERVICE_ACCOUNT_NAME}]")


def secret_warnings(obj: Object, old: Object | None) -> list[str]:
    """A certificate and key that no server could use."""
    if obj.get("type") == "kubernetes.io/tls":
        for key, what in (("tls.crt", "certificate"), ("tls.key", "key")):
            if b"-----BEGIN " not in base64.b64decode(child(obj, "data").get(key) or ""):
                return [f"tls: failed to find any PEM data in {what} input"]
    return []


def validate_secret_update(obj: Object, old: Object) -> Errors:
    if obj.get("type") != old.get("type"):
        yield invalid("type", obj.get("type"), IMMUTABLE)
    yield from _immutable_data(obj, old)
    yield from validate_secret(obj)


def validate_namespace(obj: Object) -> Errors:
    for name in items(child(obj, "spec"), "finalizers"):
        yield from validate_finalizer_name(name, "spec.finalizers")
