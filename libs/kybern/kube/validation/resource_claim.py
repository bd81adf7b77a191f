"""ResourceClaim and ResourceClaimTemplate: devices that are asked for, and what became of it in the status."""

import ipaddress
import re

from kybern.kube.field import Struct, duplicate, forbidden, invalid, not_supported, required, too_long, too_many
from kybern.kube.validation.conditions import validate_conditions
from kybern.kube.validation.devices import (
    driver_name,
    request_names,
    validate_configuration,
    validate_devices,
    validate_references,
)
from kybern.kube.validation.fields import Errors, Object, child, immutable, items, required_text, same, text
from kybern.kube.validation.metadata import validate_annotations, validate_labels
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain, label_key
from kybern.kube.validation.scheduling import validate_node_selector

_MOST_BINDINGS = 4
_LONGEST = {"interfaceName": 256, "hardwareAddress": 128}
_SOURCES = ("FromClaim", "FromClass")
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CIDR = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"


def validate_resource_claim(obj: Object) -> Errors:
    yield from validate_devices(child(child(obj, "spec"), "devices"), "spec.devices")


def validate_resource_claim_template(obj: Object) -> Errors:
    spec = child(obj, "spec")
    metadata = child(spec, "metadata")
    yield from validate_annotations(metadata.get("annotations"), "spec.metadata.annotations")
    yield from validate_labels(metadata.get("labels"), "spec.metadata.labels")
    for name in ("name", "namespace"):
        if metadata.get(name):
            yield forbidden(f"spec.metadata.{name}", "cannot be set")
    yield from validate_devices(child(child(spec, "spec"), "devices"), "spec.spec.devices")


def validate_claim_status(obj: Object, old: Object) -> Errors:
    """A write of the status: an allocation of what was asked for, who uses it, and what drivers say of the devices."""
    status, before = child(obj, "status"), child(old, "status")
    names, allocation = request_names(child(child(obj, "spec"), "devices")), status.get("allocation")
    if allocation is not None:
        yield from _allocation(allocation, names, "status.allocation")
    reserved = items(status, "reservedFor")
    if reserved and allocation is None:
        yield forbidden("status.reservedFor", "may not be specified when `allocated` is not set")
    else:
        yield from _consumers(reserved, "status.reservedFor")
    yield from _devices(items(status, "devices"), allocation or {}, "status.devices")
    if before.get("allocation") is not None and allocation is not None:
        yield from immutable(allocation, before["allocation"], "status.allocation")


def _consumers(consumers: list[Object], path: str) -> Errors:
    for index, consumer in enumerate(consumers):
        for name in ("resource", "name", "uid"):
            yield from required_text(consumer, name, f"{path}[{index}]")
    uids = [consumer.get("uid") for consumer in consumers]
    for index, uid in enumerate(uids):
        if uid and uid in uids[:index]:
            yield duplicate(f"{path}[{index}]", uid)


def _allocation(allocation: Object, names: frozenset[str], path: str) -> Errors:
    devices, at = child(allocation, "devices"), f"{path}.devices"
    for index, result in enumerate(items(devices, "results")):
        yield from _result(result, names, f"{at}.results[{index}]")
    for index, config in enumerate(items(devices, "config")):
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
    request = result.get("request") or ""
    for part in request.split("/"):
        yield from text(part, f"{path}.request", dns1123_label)
    for error in validate_references([request], names, path):
        yield invalid(f"{path}.request", request, error.detail)
    yield from _device_id(result, path)
    for name in ("bindingConditions", "bindingFailureConditions"):
        conditions = items(result, name)
        if len(conditions) > _MOST_BINDINGS:
            yield too_many(f"{path}.{name}", len(conditions), _MOST_BINDINGS)
        for index, condition in enumerate(conditions):
            if condition in conditions[:index]:
                yield duplicate(f"{path}.{name}[{index}]", condition)
            else:
                yield from text(condition, f"{path}.{name}[{index}]", label_key)
    share = result.get("shareID")
    if share is not None and _UUID.fullmatch(share) is None:
        why = f"invalid UUID length: {len(share)}" if len(share) != 36 else "invalid UUID format"
        yield invalid(f"{path}.shareID", share, f"error validating uid: {why}")


def _device_id(device: Object, path: str) -> Errors:
    yield from driver_name(device.get("driver") or "", f"{path}.driver")
    yield from pool_name(device.get("pool") or "", f"{path}.pool")
    yield from text(device.get("device") or "", f"{path}.device", dns1123_label)


def pool_name(name: str, path: str) -> Errors:
    """Subdomains with slashes between them."""
    if not name:
        yield required(path)
        return
    for part in name.split("/"):
        yield from text(part, path, dns1123_subdomain)


def _devices(devices: list[Object], allocation: Object, path: str) -> Errors:
    allocated = [_key(result) for result in items(child(allocation, "devices"), "results")]
    for index, device in enumerate(devices):
        at = f"{path}[{index}]"
        yield from _device_id(device, at)
        if _key(device) not in allocated:
            yield invalid(at, _key(device), "must be an allocated device in the claim")
        yield from validate_conditions(items(device, "conditions"), f"{at}.conditions")
        if device.get("data") is not None and not isinstance(device["data"], dict):
            yield invalid(f"{at}.data", "<value omitted>", "must be a valid JSON object")
        yield from _network(child(device, "networkData"), f"{at}.networkData")
    for index, device in enumerate(devices):
        if any(same(_key(device), _key(other)) for other in devices[:index]):
            yield duplicate(f"{path}[{index}]", _key(device))


def _key(device: Object) -> Struct:
    names = {"Driver": "driver", "Pool": "pool", "Device": "device", "ShareID": "shareID"}
    return Struct({shown: device.get(name) or "" for shown, name in names.items()})


def _network(data: Object, path: str) -> Errors:
    for name, limit in _LONGEST.items():
        if len(data.get(name) or "") > limit:
            yield too_long(f"{path}.{name}", limit)
    addresses = items(data, "ips")
    for index, address in enumerate(addresses):
        at = f"{path}.ips[{index}]"
        if not _is_interface(address):
            yield invalid(at, address, _CIDR)
        elif address in addresses[:index]:
            yield duplicate(at, address)


def _is_interface(address: str) -> bool:
    try:
        ipaddress.ip_interface(address)
    except ValueError:
        return False
    return "/" in address
