"""StorageClass, VolumeAttributesClass, CSIStorageCapacity: what volumes can be had, and what stays as it was made."""

from kybern.kube.field import Struct, duplicate, forbidden, invalid, not_supported, required, too_long
from kybern.kube.validation.fields import IMMUTABLE, Errors, Object, child, items, resource_amount, same, text
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import dns1123_subdomain, qualified_name

_MAX_PARAMETERS, _MAX_BYTES = 512, 256 * 1024


def validate_storage_class(obj: Object) -> Errors:
    provisioner = obj.get("provisioner") or ""
    if not provisioner:
        yield required("provisioner", provisioner)
    else:
        yield from text(provisioner.lower(), "provisioner", qualified_name)
    yield from _parameters(child(obj, "parameters"))
    if obj.get("reclaimPolicy") and obj["reclaimPolicy"] not in ("Delete", "Retain"):
        yield not_supported("reclaimPolicy", obj["reclaimPolicy"], ("Delete", "Retain"))
    mode = obj.get("volumeBindingMode")
    if mode is None:
        yield required("volumeBindingMode")
    elif mode not in ("Immediate", "WaitForFirstConsumer"):
        yield not_supported("volumeBindingMode", mode, ("Immediate", "WaitForFirstConsumer"))
    terms = items(obj, "allowedTopologies")
    for index, term in enumerate(terms):
        at = f"allowedTopologies[{index}].matchLabelExpressions"
        count = sum(same(term, other) for other in terms[:index])
        if not items(term, "matchLabelExpressions"):  # is told once more for each term
            count += len(terms)
        yield from [duplicate(at, "")] * count
        yield from _topology(items(term, "matchLabelExpressions"), at)


def _topology(requirements: list[Object], path: str) -> Errors:
    keys = set()
    for index, requirement in enumerate(requirements):
        at, key, values = f"{path}[{index}]", requirement.get("key") or "", requirement.get("values") or []
        if not values:
            yield required(f"{at}.values")
        for place, value in enumerate(values):
            if value in values[:place]:
                yield duplicate(f"{at}.values[{place}]", value)
        yield from text(key, f"{at}.key", qualified_name)
        if key in keys:
            yield duplicate(f"{at}.key", key)
        keys.add(key)


def validate_storage_class_update(obj: Object, old: Object) -> Errors:
    yield from validate_storage_class(obj)
    for name in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        empty = "" if name == "provisioner" else None
        if (obj.get(name) or empty) != (old.get(name) or empty):
            yield invalid(name, obj.get(name) or ({} if name == "parameters" else obj.get(name, empty)), IMMUTABLE)


def _parameters(parameters: Object) -> Errors:
    """What a driver is told: named, and not too much."""
    if len(parameters) > _MAX_PARAMETERS:
        yield too_long("parameters", _MAX_PARAMETERS)
        return
    for key in parameters:
        if not key:
            yield invalid("parameters", key, "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > _MAX_BYTES:
        yield too_long("parameters", _MAX_BYTES)


def validate_attributes_class(obj: Object) -> Errors:
    name, parameters = obj.get("driverName") or "", child(obj, "parameters")
    if not name:
        yield required("driverName")
    else:
        yield from text(name.lower(), "driverName", qualified_name)
    if parameters:
        yield from _parameters(parameters)
    else:
        yield required("parameters", "must contain at least one key/value pair")


def validate_attributes_class_update(obj: Object, old: Object) -> Errors:
    for name in ("driverName", "parameters"):
        if not same(obj.get(name), old.get(name), name):
            yield forbidden(name, f"updates to {name} are forbidden.")
    yield from validate_attributes_class(obj)


def validate_storage_capacity(obj: Object) -> Errors:
    yield from validate_selector(obj.get("nodeTopology"), "nodeTopology")
    yield from text(obj.get("storageClassName") or "", "storageClassName", dns1123_subdomain)
    if obj.get("capacity") is not None:
        yield from resource_amount(obj["capacity"], "capacity")


def validate_storage_capacity_update(obj: Object, old: Object) -> Errors:
    topology, before = obj.get("nodeTopology"), old.get("nodeTopology")
    if (topology is None) != (before is None) or not same(topology, before):
        yield invalid("nodeTopology", None if topology is None else _shown(topology), IMMUTABLE)
    if obj.get("storageClassName") != old.get("storageClassName"):
        yield invalid("storageClassName", obj.get("storageClassName") or "", IMMUTABLE)


def _shown(selector: Object) -> Struct:
    """A selector in the order in which it is written."""
    labels = child(selector, "matchLabels")
    found = Struct(matchLabels=dict(sorted(labels.items()))) if labels else Struct()
    if expressions := items(selector, "matchExpressions"):
        found["matchExpressions"] = [
            {
                "key": one.get("key") or "",
                "operator": one.get("operator") or "",
                **({"values": one["values"]} if one.get("values") else {}),
            }
            for one in expressions
        ]
    return found
