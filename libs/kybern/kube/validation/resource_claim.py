"""ResourceClaim and ResourceClaimTemplate: devices that are asked for, and what became of it in the status."""

import ipaddress
import re

from kybern.kube.field import Struct, duplicate, forbidden, invalid, not_supported, required, too_long, too_many
from kybern.kube.go_struct import go_struct, same_struct
from kybern.kube.validation.conditions import validate_conditions
from kybern.kube.validation.devices import (
    MOST,
    driver_name,
    raw_object,
    request_names,
    validate_bindings,
    validate_configuration,
    validate_devices,
    validate_references,
)
from kybern.kube.validation.fields import (
    IMMUTABLE,
    Errors,
    Object,
    child,
    items,
    required_text,
    text,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_annotations, validate_labels
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain
from kybern.kube.validation.scheduling import validate_node_selector

_MOST_CONSUMERS, _MOST_CONDITIONS, _MOST_ADDRESSES, _LONGEST_POOL = 256, 8, 16, 253
_ALLOCATION = "k8s.io.api.resource.v1.AllocationResult"
_LONGEST = {"interfaceName": 256, "hardwareAddress": 128}
_SOURCES = ("FromClaim", "FromClass")
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CIDR = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"


_NOT_OF_TEMPLATES = (
    "name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields",
)  # fmt: skip


def validate_resource_claim(obj: Object) -> Errors:
    yield from validate_devices(child(child(obj, "spec"), "devices"), "spec.devices")


def validate_resource_claim_template(obj: Object) -> Errors:
    spec = child(obj, "spec")
    metadata = child(spec, "metadata")
    yield from validate_annotations(metadata.get("annotations"), "spec.metadata.annotations")
    yield from validate_labels(metadata.get("labels"), "spec.metadata.labels")
    for name in _NOT_OF_TEMPLATES:
        if metadata.get(name) or (name == "deletionGracePeriodSeconds" and metadata.get(name) is not None):
            yield forbidden(f"spec.metadata.{'uID' if name == 'uid' else name}", "cannot be set")
    yield from validate_devices(child(child(spec, "spec"), "devices"), "spec.spec.devices")


def validate_claim_update(obj: Object, old: Object) -> Errors:
    """What is asked for stays."""
    yield from _fixed(obj, old, "ResourceClaimSpec")


def validate_claim_template_update(obj: Object, old: Object) -> Errors:
    """The same of a template."""
    yield from _fixed(obj, old, "ResourceClaimTemplateSpec")


def _fixed(obj: Object, old: Object, message: str) -> Errors:
    new, before = (go_struct(f"k8s.io.api.resource.v1.{message}", child(one, "spec")) for one in (obj, old))
    if not same_struct(new, before):
        yield invalid("spec", new, IMMUTABLE)


def validate_claim_status(obj: Object, old: Object) -> Errors:
    """A write of the status: an allocation of what was asked for, who uses it, and what drivers say of the devices."""
    status, before = child(obj, "status"), child(old, "status")
    names, allocation = request_names(child(child(obj, "spec"), "devices")), status.get("allocation")
    reserved = items(status, "reservedFor")
    yield from _consumers(reserved, "status.reservedFor")
    yield from _devices(items(status, "devices"), allocation or {}, "status.devices")
    if reserved and allocation is None:
        yield forbidden("status.reservedFor", "may not be specified when `allocated` is not set")
    if child(obj, "metadata").get("deletionTimestamp"):
        yield from _deleted(status, before)
    if allocation is None:
        return
    if before.get("allocation") is None:
        yield from _allocation(allocation, names, "status.allocation")
        return
    new, kept = (go_struct(_ALLOCATION, one) for one in (allocation, before["allocation"]))
    if not same_struct(new, kept):
        yield invalid("status.allocation", new, IMMUTABLE)


def _deleted(status: Object, before: Object) -> Errors:
    """Nobody else gets to use what goes away."""
    known = items(before, "reservedFor")
    if any(consumer not in known for consumer in items(status, "reservedFor")):
        why = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        yield forbidden("status.reservedFor", why)


def _consumers(consumers: list[Object], path: str) -> Errors:
    if len(consumers) > _MOST_CONSUMERS:
        yield too_many(path, len(consumers), _MOST_CONSUMERS)
        return
    uids = [consumer.get("uid") for consumer in consumers]
    for index, consumer in enumerate(consumers):
        for name in ("resource", "name", "uid"):
            yield from required_text(consumer, name, f"{path}[{index}]")
        if consumer.get("uid") and consumer["uid"] in uids[:index]:
            yield duplicate(f"{path}[{index}]", consumer["uid"])


def _allocation(allocation: Object, names: frozenset[str], path: str) -> Errors:
    devices, at = child(allocation, "devices"), f"{path}.devices"
    results, configs = items(devices, "results"), items(devices, "config")
    if len(results) > MOST:
        yield too_many(f"{at}.results", len(results), MOST)
        results = []
    for index, result in enumerate(results):
        yield from _result(result, names, f"{at}.results[{index}]")
    if len(configs) > 2 * MOST:
        yield too_many(f"{at}.config", len(configs), 2 * MOST)
        configs = []
    for index, config in enumerate(configs):
        place, source = f"{at}.config[{index}]", config.get("source") or ""
        if not source:
            yield required(f"{place}.source")
        elif source not in _SOURCES:
            yield not_supported(f"{place}.source", source, _SOURCES)
        yield from validate_references(items(config, "requests"), names, f"{place}.requests")
        yield from validate_configuration(config, place)
    if allocation.get("nodeSelector") is not None:
        yield from validate_node_selector(allocation["nodeSelector"], f"{path}.nodeSelector")


def _result(result: Object, names: frozenset[str], path: str) -> Errors:
    for error in validate_references([result.get("request") or ""], names, path):
        yield invalid(f"{path}.request", error.bad_value, error.detail)
    yield from _device_id(result, path)
    yield from validate_bindings(result, path)
    yield from _share(result, path)


def _share(device: Object, path: str) -> Errors:
    share = device.get("shareID")
    if share is None:
        return
    if len(share) != 36:
        yield invalid(f"{path}.shareID", share, f"error validating uid: invalid UUID length: {len(share)}")
    elif _UUID.fullmatch(share.lower()) is None:
        yield invalid(f"{path}.shareID", share, "error validating uid: invalid UUID format")
    elif share != share.lower():
        form = "`xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters"
        yield invalid(f"{path}.shareID", share, f"uid must be in RFC 4122 normalized form, {form}")


def _device_id(device: Object, path: str) -> Errors:
    yield from driver_name(device.get("driver") or "", f"{path}.driver")
    yield from pool_name(device.get("pool") or "", f"{path}.pool")
    yield from text(device.get("device") or "", f"{path}.device", dns1123_label)


def pool_name(name: str, path: str) -> Errors:
    """Subdomains with slashes between them."""
    if not name:
        yield required(path)
        return
    if len(name) > _LONGEST_POOL:
        yield too_long(path, _LONGEST_POOL)
    for part in name.split("/"):
        yield from text(part, path, dns1123_subdomain)


def _devices(devices: list[Object], allocation: Object, path: str) -> Errors:
    allocated = [_key(result) for result in items(child(allocation, "devices"), "results")]
    keys = [_key(device) for device in devices]
    for index, device in enumerate(devices):
        at, conditions = f"{path}[{index}]", items(device, "conditions")
        yield from _device_id(device, at)
        yield from _share(device, at)
        if keys[index] not in allocated:
            yield invalid(at, keys[index], "must be an allocated device in the claim")
        if len(conditions) > _MOST_CONDITIONS:
            yield too_many(f"{at}.conditions", len(conditions), _MOST_CONDITIONS)
        yield from validate_conditions(conditions, f"{at}.conditions")
        if device.get("data") is not None:
            yield from raw_object(device["data"], f"{at}.data")
        yield from _network(child(device, "networkData"), f"{at}.networkData")
        if keys[index] in keys[:index]:
            yield duplicate(at, keys[index])


def _key(device: Object) -> Struct:
    names = {"Driver": "driver", "Pool": "pool", "Device": "device", "ShareID": "shareID"}
    return Struct({shown: device.get(name) or "" for shown, name in names.items()})


def _network(data: Object, path: str) -> Errors:
    for name, limit in _LONGEST.items():
        if len(data.get(name) or "") > limit:
            yield too_long(f"{path}.{name}", limit)
    addresses = items(data, "ips")
    if len(addresses) > _MOST_ADDRESSES:
        yield too_many(f"{path}.ips", len(addresses), _MOST_ADDRESSES)
        return
    for index, address in enumerate(addresses):
        at = f"{path}.ips[{index}]"
        if not _is_interface(address):
            yield invalid(at, address, _CIDR)
        elif str(ipaddress.ip_interface(address)) != address:
            yield invalid(at, address, f'must be in canonical form ("{ipaddress.ip_interface(address)}")')
    for index, address in enumerate(addresses):
        if address in addresses[:index]:
            yield duplicate(f"{path}.ips[{index}]", address)


def _is_interface(address: str) -> bool:
    try:
        ipaddress.ip_interface(address)
    except ValueError:
        return False
    return "/" in address
