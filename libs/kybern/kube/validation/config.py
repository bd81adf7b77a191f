"""ConfigMap, Secret, ServiceAccount, Namespace, LimitRange, ResourceQuota, Event."""

import base64

import orjson

from kybern.kube import quantity
from kybern.kube.field import duplicate, forbidden, invalid, required, too_long
from kybern.kube.validation.fields import IMMUTABLE, Errors, Object, child, items, same, text
from kybern.kube.validation.metadata import validate_finalizer_name
from kybern.kube.validation.names import config_map_key, dns1123_subdomain, qualified_name
from kybern.kube.validation.resources import validate_resource_list

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
        if key in data:
            yield invalid(f"binaryData[{key}]", key, "duplicate of key present in data")
        size += len(value) * 3 // 4
    if size > MAX_SIZE:
        yield too_long("[]", MAX_SIZE)


def validate_immutable_data(obj: Object, old: Object) -> Errors:
    """With `immutable: true` neither the data nor that flag changes again."""
    if old.get("immutable"):
        if not obj.get("immutable"):
            yield forbidden("immutable", _IMMUTABLE_SET)
        for name in ("data", "binaryData"):
            if not same(obj.get(name), old.get(name)):
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
        elif "docker" in kind and not _is_json(data[key]):
            yield invalid(f"data[{key}]", "<secret contents redacted>", "invalid character in JSON text")
    if kind == "kubernetes.io/basic-auth" and not ("username" in data or "password" in data):
        yield required("data[username]")
        yield required("data[password]")
    if kind == "kubernetes.io/service-account-token":
        annotations = child(child(obj, "metadata"), "annotations")
        if not annotations.get(_SERVICE_ACCOUNT_NAME):
            yield required(f"metadata.annotations[{_SERVICE_ACCOUNT_NAME}]")


def _is_json(encoded: str) -> bool:
    try:
        orjson.loads(base64.b64decode(encoded))
    except ValueError:
        return False
    return True


def validate_secret_update(obj: Object, old: Object) -> Errors:
    if obj.get("type") != old.get("type"):
        yield invalid("type", obj.get("type"), IMMUTABLE)
    yield from validate_immutable_data(obj, old)


def validate_namespace(obj: Object) -> Errors:
    for index, name in enumerate(items(child(obj, "spec"), "finalizers")):
        yield from validate_finalizer_name(name, f"spec.finalizers[{index}]")


_SCOPES = ("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating",
           "VolumeAttributesClass")  # fmt: skip


def validate_resource_quota(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from validate_resource_list(child(spec, "hard"), "spec.hard")
    scopes = items(spec, "scopes")
    for index, scope in enumerate(scopes):
        if scope not in _SCOPES:
            yield invalid("spec.scopes", scopes, "unsupported scope")
        if scope in scopes[:index]:
            yield duplicate(f"spec.scopes[{index}]", scope)


def validate_resource_quota_update(obj: Object, old: Object) -> Errors:
    new, before = (set(items(child(quota, "spec"), "scopes")) for quota in (obj, old))
    if new != before:
        yield invalid("spec.scopes", sorted(new), IMMUTABLE)


_LIMIT_TYPES = ("Container", "PersistentVolumeClaim", "Pod")


def validate_limit_range(obj: Object) -> Errors:
    seen = set()
    for index, item in enumerate(items(child(obj, "spec"), "limits")):
        path, kind = f"spec.limits[{index}]", item.get("type") or ""
        yield from text(kind, f"{path}.type", qualified_name)
        if "/" not in kind and kind not in _LIMIT_TYPES:
            yield invalid(f"{path}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            yield duplicate(f"{path}.type", kind)
        seen.add(kind)
        if kind == "Pod":
            for name in ("default", "defaultRequest"):
                if item.get(name):
                    yield forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'")
        if kind == "PersistentVolumeClaim" and not {"storage"} & {*child(item, "min"), *child(item, "max")}:
            yield required(
                f"{path}.limits", "either minimum or maximum storage value is required, but neither was provided"
            )
        yield from _limit_order(item, path)


# In each row the left amount may not exceed the right one.
_ORDER = (
    ("min", "max", "min value {0} is greater than max value {1}"),
    ("min", "defaultRequest", "min value {0} is greater than default request value {1}"),
    ("defaultRequest", "max", "default request value {0} is greater than max value {1}"),
    ("defaultRequest", "default", "default request value {0} is greater than default limit value {1}"),
    ("min", "default", "min value {0} is greater than default value {1}"),
    ("default", "max", "default value {0} is greater than max value {1}"),
)


def _limit_order(item: Object, path: str) -> Errors:
    for low, high, wording in _ORDER:
        lows, highs = child(item, low), child(item, high)
        at = low if high != "defaultRequest" else high
        for name in sorted(lows.keys() & highs.keys()):
            if quantity.parse(lows[name]) > quantity.parse(highs[name]):
                detail = wording.format(lows[name], highs[name])
                yield invalid(f"{path}.{at}[{name}]", child(item, at)[name], detail)
    for name, ratio in child(item, "maxLimitRequestRatio").items():
        if quantity.parse(ratio).nanos < quantity.NANO:
            yield invalid(f"{path}.maxLimitRequestRatio[{name}]", ratio, f"ratio {ratio} is less than 1")


def validate_service_account(obj: Object) -> Errors:
    for index, secret in enumerate(items(obj, "imagePullSecrets")):
        if secret.get("name"):
            yield from text(secret["name"], f"imagePullSecrets[{index}].name", dns1123_subdomain)
