"""ResourceSlice: the devices of one driver's pool, where they are, and what they are like."""

import re

from kybern.kube.field import Struct, duplicate, invalid, not_supported, required, too_long, too_many
from kybern.kube.validation.devices import driver_name, qualified_name, repeated
from kybern.kube.validation.fields import Errors, Object, child, immutable, items, text
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain, label_key, label_value
from kybern.kube.validation.resource_claim import pool_name
from kybern.kube.validation.scheduling import validate_node_selector

MOST_DEVICES, MOST_COUNTERS, LONGEST_VALUE = 128, 8, 64
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_ONE_PLACE = f"exactly one of {', '.join(f'`{place}`' for place in _PLACES)} is required"
_VALUES = {"int": "IntValue", "bool": "BoolValue", "string": "StringValue", "version": "VersionValue"}
_LISTS = ("IntValues", "BoolValues", "StringValues", "VersionValues")
_NUMBER, _PART = r"(0|[1-9]\d*)", r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII
)


def validate_resource_slice(obj: Object) -> Errors:
    spec = child(obj, "spec")
    pool = child(spec, "pool")
    yield from driver_name(spec.get("driver") or "", "spec.driver")
    yield from pool_name(pool.get("name") or "", "spec.pool.name")
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        yield invalid("spec.pool.resourceSliceCount", count, "must be greater than zero")
    if generation < 0:
        yield invalid("spec.pool.generation", generation, "must be greater than or equal to zero")
    yield from _place(spec)
    devices, counters = items(spec, "devices"), items(spec, "sharedCounters")
    if devices and counters:
        yield invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed")
    if len(devices) > MOST_DEVICES:
        yield too_many("spec.devices", len(devices), MOST_DEVICES)
    for index, device in enumerate(devices):
        yield from _device(device, spec, f"spec.devices[{index}]")
    yield from repeated(devices, "name", "spec.devices")
    yield from _counters(counters)


def validate_resource_slice_update(obj: Object, old: Object) -> Errors:
    """A slice stays with its driver, its pool and its node."""
    new, before = child(obj, "spec"), child(old, "spec")
    yield from immutable(child(new, "pool").get("name"), child(before, "pool").get("name"), "spec.pool.name")
    for name in ("driver", "nodeName"):
        yield from immutable(new.get(name), before.get(name), f"spec.{name}")


def _place(spec: Object) -> Errors:
    given = []
    if spec.get("nodeName") is not None:
        given.append("nodeName")
        yield from text(spec["nodeName"], "spec.nodeName", dns1123_subdomain)
    selector = spec.get("nodeSelector")
    if selector is not None:
        given.append("nodeSelector")
        yield from validate_node_selector(selector, "spec.nodeSelector")
        terms = items(selector, "nodeSelectorTerms")
        if len(terms) != 1:
            names = {"MatchExpressions": "matchExpressions", "MatchFields": "matchFields"}
            shown = [Struct({name: term.get(field) for name, field in names.items()}) for term in terms]
            yield invalid("spec.nodeSelector.nodeSelectorTerms", shown, "must have exactly one node selector term")
    for name in ("allNodes", "perDeviceNodeSelection"):
        if spec.get(name):
            given.append(name)
        elif spec.get(name) is False:
            yield invalid(f"spec.{name}", False, "must be either unset or set to true")
    if not given:
        yield required("spec", _ONE_PLACE)
    elif len(given) > 1:
        both = "{" + ", ".join(f"`{name}`" for name in given) + "}"
        yield invalid("spec", both, f"{_ONE_PLACE}, but multiple fields are set")


def _device(device: Object, spec: Object, path: str) -> Errors:
    yield from text(device.get("name") or "", f"{path}.name", dns1123_label)
    for name, attribute in child(device, "attributes").items():
        yield from qualified_name(name, f"{path}.attributes")
        yield from _attribute(attribute, f"{path}.attributes[{name}]")
    for name in child(device, "capacity"):
        yield from qualified_name(name, f"{path}.capacity")
    for index, taint in enumerate(items(device, "taints")):
        yield from _taint(taint, f"{path}.taints[{index}]")
    for index, used in enumerate(items(device, "consumesCounters")):
        at, counters = f"{path}.consumesCounters[{index}]", child(used, "counters")
        if not used.get("counterSet"):
            yield required(f"{at}.counterSet")
        else:
            yield from text(used["counterSet"], f"{at}.counterSet", dns1123_label)
        yield from _counter_names(counters, f"{at}.counters")
    places = [name for name in ("nodeName", "nodeSelector", "allNodes") if device.get(name) is not None]
    if places and not spec.get("perDeviceNodeSelection"):
        detail = "can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
        yield invalid(path, None, f"`nodeName`, `nodeSelector` and `allNodes` {detail}")


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
    for index, one in enumerate(sets):
        at = f"spec.sharedCounters[{index}]"
        if not one.get("name"):
            yield required(f"{at}.name")
        else:
            yield from text(one["name"], f"{at}.name", dns1123_label)
        yield from _counter_names(child(one, "counters"), f"{at}.counters")
    names = [one.get("name") or "" for one in sets]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield duplicate(f"spec.sharedCounters[{index}]", name)


def _counter_names(counters: Object, path: str) -> Errors:
    if not counters:
        yield required(path)
    for name in counters:
        yield from text(name, path, dns1123_label)
