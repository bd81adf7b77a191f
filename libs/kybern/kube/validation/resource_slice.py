"""ResourceSlice: the devices of one driver's pool, where they are, and what they are like."""

import re

from kybern.kube.field import Struct, duplicate, invalid, not_supported, required, too_long, too_many
from kybern.kube.go_struct import go_struct
from kybern.kube.validation.device_capacity import validate_request_policy
from kybern.kube.validation.devices import driver_name, driver_warnings, qualified_name, repeated, validate_bindings
from kybern.kube.validation.fields import IMMUTABLE, Errors, Object, child, immutable, items, text
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain, label_key, label_value
from kybern.kube.validation.resource_claim import pool_name
from kybern.kube.validation.scheduling import validate_node_selector

MOST_DEVICES, MOST_DEMANDING, MOST_COUNTERS, LONGEST_VALUE = 128, 64, 8, 64
MOST_VALUES, MOST_TAINTS, MOST_CONSUMED, MOST_COUNTED = 32, 16, 2, 32
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_ONE_PLACE = f"exactly one of {', '.join(f'`{place}`' for place in _PLACES)} is required"
_SET_OR_NOT = "must be either unset or set to true"
_ONE_DEVICE_PLACE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to "
    "true in the ResourceSlice spec"
)
_VALUES = {"int": "IntValue", "bool": "BoolValue", "string": "StringValue", "version": "VersionValue"}
_LISTS = ("IntValues", "BoolValues", "StringValues", "VersionValues")
_NUMBER, _PART = r"(0|[1-9]\d*)", r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII
)


def validate_resource_slice(obj: Object) -> Errors:
    yield from _slice(obj, None)


def validate_resource_slice_update(obj: Object, old: Object) -> Errors:
    """A slice stays with its driver, its pool and its node."""
    yield from _slice(obj, child(old, "spec"))


def _slice(obj: Object, before: Object | None) -> Errors:
    spec = child(obj, "spec")
    pool = child(spec, "pool")
    yield from driver_name(spec.get("driver") or "", "spec.driver")
    yield from pool_name(pool.get("name") or "", "spec.pool.name")
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        yield invalid("spec.pool.resourceSliceCount", count, "must be greater than zero")
    if generation < 0:
        yield invalid("spec.pool.generation", generation, "must be greater than or equal to zero")
    if before is not None:
        yield from immutable(pool.get("name") or "", child(before, "pool").get("name") or "", "spec.pool.name")
        yield from immutable(spec.get("driver") or "", before.get("driver") or "", "spec.driver")
        if spec.get("nodeName") != before.get("nodeName"):
            yield invalid("spec.nodeName", spec.get("nodeName"), IMMUTABLE)
    yield from _place(spec)
    devices, counters = items(spec, "devices"), items(spec, "sharedCounters")
    if devices and counters:
        yield invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed")
    most = MOST_DEMANDING if any(map(_is_demanding, devices)) else MOST_DEVICES
    if len(devices) > most:
        yield too_many("spec.devices", len(devices), most)
    else:
        for index, device in enumerate(devices):
            yield from _device(device, spec, f"spec.devices[{index}]")
        yield from repeated(devices, "name", "spec.devices")
    yield from _counters(counters)


def _is_demanding(device: Object) -> bool:
    return bool(items(device, "taints") or items(device, "consumesCounters"))


def _place(spec: Object) -> Errors:
    given = []
    name = spec.get("nodeName")
    if name == "":
        yield invalid("spec.nodeName", "", "must be either unset or set to a non-empty string")
    elif name is not None:
        given.append("nodeName")
        yield from text(name, "spec.nodeName", dns1123_subdomain)
    selector = spec.get("nodeSelector")
    if selector is not None:
        given.append("nodeSelector")
        yield from _node_selector(selector, "spec.nodeSelector")
    for name in ("allNodes", "perDeviceNodeSelection"):
        if spec.get(name):
            given.append(name)
        elif spec.get(name) is False:
            yield invalid(f"spec.{name}", False, _SET_OR_NOT)
    yield from _one_of(given, "spec", _ONE_PLACE, f"{_ONE_PLACE}, but multiple fields are set")


def _one_of(given: list[str], path: str, why: str, why_not_both: str) -> Errors:
    if not given:
        yield required(path, why)
    elif len(given) > 1:
        yield invalid(path, "{" + ", ".join(f"`{name}`" for name in given) + "}", why_not_both)


def _node_selector(selector: Object, path: str) -> Errors:
    yield from validate_node_selector(selector, path)
    terms = items(selector, "nodeSelectorTerms")
    if len(terms) != 1:
        shown = [go_struct("k8s.io.api.core.v1.NodeSelectorTerm", term) for term in terms]
        yield invalid(f"{path}.nodeSelectorTerms", shown or None, "must have exactly one node selector term")


def _device(device: Object, spec: Object, path: str) -> Errors:
    yield from text(device.get("name") or "", f"{path}.name", dns1123_label)
    attributes, capacity = child(device, "attributes"), child(device, "capacity")
    count = len(attributes) + len(capacity)
    if count > MOST_VALUES:
        detail = f"the total number of attributes and capacities must not exceed {MOST_VALUES}"
        yield invalid(path, count, detail)
    for name, attribute in attributes.items():
        yield from qualified_name(name, f"{path}.attributes")
        yield from _attribute(attribute or {}, f"{path}.attributes[{name}]")
    shared = bool(device.get("allowMultipleAllocations"))
    for name, value in capacity.items():
        yield from qualified_name(name, f"{path}.capacity")
        yield from validate_request_policy(value or {}, f"{path}.capacity[{name}]", shared=shared)
    taints = items(device, "taints")
    if len(taints) > MOST_TAINTS:
        yield too_many(f"{path}.taints", len(taints), MOST_TAINTS)
    for index, taint in enumerate(taints if len(taints) <= MOST_TAINTS else ()):
        yield from _taint(taint, f"{path}.taints[{index}]")
    yield from _consumed(items(device, "consumesCounters"), f"{path}.consumesCounters")
    yield from _device_place(device, spec, path)
    yield from validate_bindings(device, path)


def _consumed(consumed: list[Object], path: str) -> Errors:
    if len(consumed) > MOST_CONSUMED:
        yield too_many(path, len(consumed), MOST_CONSUMED)
        return
    for index, used in enumerate(consumed):
        at, counters = f"{path}[{index}]", child(used, "counters")
        if not used.get("counterSet"):
            yield required(f"{at}.counterSet")
        else:
            yield from text(used["counterSet"], f"{at}.counterSet", dns1123_label)
        yield from _counter_names(counters, f"{at}.counters")
        if (used.get("counterSet") or "") in [other.get("counterSet") or "" for other in consumed[:index]]:
            yield duplicate(at, used.get("counterSet") or "")


def _device_place(device: Object, spec: Object, path: str) -> Errors:
    if not spec.get("perDeviceNodeSelection"):
        if any(device.get(name) is not None for name in ("nodeName", "nodeSelector", "allNodes")):
            detail = "can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
            yield invalid(path, None, f"`nodeName`, `nodeSelector` and `allNodes` {detail}")
        return
    given, name, selector = [], device.get("nodeName"), device.get("nodeSelector")
    if name == "":
        yield invalid(f"{path}.nodeName", "", "must not be empty")
    elif name is not None:
        given.append("nodeName")
        yield from text(name, f"{path}.nodeName", dns1123_subdomain)
    if selector is not None:
        given.append("nodeSelector")
        yield from validate_node_selector(selector, f"{path}.nodeSelector")
    if device.get("allNodes"):
        given.append("allNodes")
    elif device.get("allNodes") is False:
        yield invalid(f"{path}.allNodes", False, _SET_OR_NOT)
    yield from _one_of(given, path, _ONE_DEVICE_PLACE, _ONE_DEVICE_PLACE)


def _attribute(attribute: Object, path: str) -> Errors:
    version, words = attribute.get("version"), attribute.get("string")
    if words is not None and len(words) > LONGEST_VALUE:
        yield too_long(f"{path}.string", LONGEST_VALUE)
    if version is not None:
        if _VERSION.fullmatch(version) is None:
            yield invalid(f"{path}.version", version, "must be a string compatible with semver.org spec 2.0.0")
        if len(version) > LONGEST_VALUE:
            yield too_long(f"{path}.version", LONGEST_VALUE)
    given = [name for name in _VALUES if attribute.get(name) is not None]
    if len(given) != 1:
        shown = Struct({shown: attribute.get(name) for name, shown in _VALUES.items()} | dict.fromkeys(_LISTS))
        yield invalid(path, shown if given else "", "exactly one value must be specified")


def _taint(taint: Object, path: str) -> Errors:
    yield from text(taint.get("key") or "", f"{path}.key", label_key)
    yield from text(taint.get("value") or "", f"{path}.value", label_value)
    effect = taint.get("effect") or ""
    if not effect:
        yield required(f"{path}.effect")
    elif effect not in _EFFECTS:
        yield not_supported(f"{path}.effect", effect, _EFFECTS)


def _counters(sets: list[Object]) -> Errors:
    if len(sets) > MOST_COUNTERS:
        yield too_many("spec.sharedCounters", len(sets), MOST_COUNTERS)
        return
    for index, one in enumerate(sets):
        at = f"spec.sharedCounters[{index}]"
        if not one.get("name"):
            yield required(f"{at}.name")
        else:
            yield from text(one["name"], f"{at}.name", dns1123_label)
        yield from _counter_names(child(one, "counters"), f"{at}.counters")
    yield from repeated(sets, "name", "spec.sharedCounters")


def _counter_names(counters: Object, path: str) -> Errors:
    if not counters:
        yield required(path)
    if len(counters) > MOST_COUNTED:
        yield too_many(path, len(counters), MOST_COUNTED)
        return
    for name in counters:
        yield from text(name, path, dns1123_label)


def slice_warnings(obj: Object, old: Object | None) -> list[str]:
    """Drivers are named in lower case."""
    return driver_warnings(child(obj, "spec").get("driver") or "", "spec.driver")
