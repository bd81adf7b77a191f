"""Devices that are asked for: requests, constraints between them, configuration; in claims, templates, classes."""

from typing import Any

import orjson

from kybern.kube.field import duplicate, invalid, not_supported, required, too_long, too_many
from kybern.kube.validation.fields import Errors, Object, child, items, required_text, text
from kybern.kube.validation.names import c_identifier, dns1123_label, dns1123_subdomain, label_key, label_value

MOST, MOST_CHOICES, MOST_BINDINGS, LONGEST_JSON = 32, 8, 4, 10 * 1024
_LONGEST_DRIVER, _LONGEST_NAME = 63, 32
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_MODES = ("All", "ExactCount")
_EITHER = "exactly one of `exactly` or `firstAvailable` is required"
# Said of none, and not of both.
_ATTRIBUTE = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
_UNKNOWN = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"


def validate_devices(devices: Object, path: str) -> Errors:
    """The `devices` of a claim's spec."""
    requests = items(devices, "requests")
    yield from _at_most(requests, MOST, f"{path}.requests")
    for index, request in enumerate(requests):
        yield from _request(request, f"{path}.requests[{index}]")
    yield from repeated(requests, "name", f"{path}.requests")
    names = request_names(devices)
    constraints, config = items(devices, "constraints"), items(devices, "config")
    yield from _at_most(constraints, MOST, f"{path}.constraints")
    for index, constraint in enumerate(constraints):
        yield from _constraint(constraint, names, f"{path}.constraints[{index}]")
    yield from _at_most(config, MOST, f"{path}.config")
    for index, one in enumerate(config):
        yield from validate_references(items(one, "requests"), names, f"{path}.config[{index}].requests")
        yield from validate_configuration(one, f"{path}.config[{index}]")


def request_names(devices: Object) -> frozenset[str]:
    """How requests are referred to: by name, and alternatives as `request/alternative`."""
    names: set[str] = set()
    for request in items(devices, "requests"):
        name = request.get("name") or ""
        names |= {name, *(f"{name}/{one.get('name') or ''}" for one in items(request, "firstAvailable"))}
    return frozenset(names)


def validate_references(requests: list[str], known: frozenset[str], path: str) -> Errors:
    if len(requests) > MOST:
        yield too_many(path, len(requests), MOST)
        return
    for index, name in enumerate(requests):
        for part in name.split("/"):
            yield from text(part, f"{path}[{index}]", dns1123_label)
        if name not in known:
            yield invalid(f"{path}[{index}]", name, _UNKNOWN)
        if name in requests[:index]:
            yield duplicate(f"{path}[{index}]", name)


def validate_configuration(config: Object, path: str) -> Errors:
    """What a driver is told, which nobody else reads."""
    opaque = config.get("opaque")
    if opaque is None:
        yield required(f"{path}.opaque")
        return
    yield from driver_name(opaque.get("driver") or "", f"{path}.opaque.driver")
    parameters = opaque.get("parameters")
    if parameters is None:
        yield required(f"{path}.opaque.parameters")
    else:
        yield from raw_object(parameters, f"{path}.opaque.parameters")


def raw_object(value: Any, path: str) -> Errors:
    """JSON that is kept as it is."""
    if len(orjson.dumps(value)) > LONGEST_JSON:
        yield too_long(path, LONGEST_JSON)
    elif not isinstance(value, dict):
        yield invalid(path, "<value omitted>", "must be a valid JSON object")


def driver_name(name: str, path: str) -> Errors:
    if not name:
        yield required(path)
        return
    if len(name) > _LONGEST_DRIVER:
        yield too_long(path, _LONGEST_DRIVER)
    for problem in dns1123_subdomain(name.lower()):
        yield invalid(path, name, problem)


def validate_selectors(selectors: list[Object], path: str) -> Errors:
    """Their expressions compile. CEL is loaded when needed."""
    yield from _at_most(selectors, MOST, path)
    for index, selector in enumerate(selectors):
        if selector.get("cel") is None:
            yield required(f"{path}[{index}].cel")
            continue
        from kybern.kube.cel import device_selectors

        yield from device_selectors.problems(selector["cel"].get("expression") or "", f"{path}[{index}].cel.expression")


def repeated(values: list[Any], name: str, path: str) -> Errors:
    """Entries with a key that an earlier one has."""
    keys = [value.get(name) or "" for value in values]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            yield duplicate(f"{path}[{index}]", key)


def qualified_name(name: str, path: str, *, fully: bool = False) -> Errors:
    """A C identifier, with or without a domain before it; nothing is said of names with several slashes."""
    match name.split("/"):
        case [identifier]:
            yield from _identifier(identifier, path)
            if fully:
                yield invalid(path, name, "a fully qualified name must be a domain and a name separated by a slash")
        case [domain, identifier]:
            if domain:
                yield from driver_name(domain, path)
            else:
                yield invalid(path, "", "the domain must not be empty")
            if identifier:
                yield from _identifier(identifier, path)
            else:
                yield invalid(path, "", "the name must not be empty")


def _identifier(name: str, path: str) -> Errors:
    if len(name) > _LONGEST_NAME:
        yield too_long(path, _LONGEST_NAME)
    yield from text(name, path, c_identifier)


def driver_warnings(driver: str, path: str) -> list[str]:
    """What is compared in lower case is better written so."""
    if driver == driver.lower():
        return []
    return [f'{path}: driver names should be lowercase; "{driver}" contains uppercase characters']


def validate_bindings(device: Object, path: str) -> Errors:
    """Conditions that a pod waits for before it is bound, and those that say it never will be: both or neither."""
    names = ("bindingConditions", "bindingFailureConditions")
    lists = [items(device, name) for name in names]
    given = list(zip(names, lists, strict=True))
    for name, conditions in given:
        if len(conditions) > MOST_BINDINGS:
            yield too_many(f"{path}.{name}", len(conditions), MOST_BINDINGS)
            continue
        for index, condition in enumerate(conditions):
            yield from text(condition, f"{path}.{name}[{index}]", label_key)
            if condition in conditions[:index]:
                yield duplicate(f"{path}.{name}[{index}]", condition)
    for (name, had), (other, wanted) in (given[::-1], given):
        if had and not wanted:
            yield invalid(f"{path}.{other}", None, f"{other} are required to use {name}")
    for index, condition in enumerate(lists[1]):
        if condition in lists[0]:
            why = "bindingFailureConditions must not overlap with bindingConditions"
            yield invalid(f"{path}.bindingFailureConditions[{index}]", condition, why)


def _at_most(values: list[Any], limit: int, path: str) -> Errors:
    if len(values) > limit:
        yield too_many(path, len(values), limit)


def _request(request: Object, path: str) -> Errors:
    yield from text(request.get("name") or "", f"{path}.name", dns1123_label)
    exactly, choices = request.get("exactly"), items(request, "firstAvailable")
    if exactly is None and not choices:
        yield required(path, _EITHER)
    elif exactly is not None and choices:
        yield invalid(path, None, f"{_EITHER}, but multiple fields are set")
    elif exactly is not None:
        yield from _wanted(exactly, f"{path}.exactly")
    else:
        yield from _at_most(choices, MOST_CHOICES, f"{path}.firstAvailable")
        for index, choice in enumerate(choices):
            at = f"{path}.firstAvailable[{index}]"
            yield from text(choice.get("name") or "", f"{at}.name", dns1123_label)
            yield from _wanted(choice, at)
        yield from repeated(choices, "name", f"{path}.firstAvailable")


def _wanted(request: Object, path: str) -> Errors:
    yield from required_text(request, "deviceClassName", path, dns1123_subdomain)
    yield from validate_selectors(items(request, "selectors"), f"{path}.selectors")
    mode, count = request.get("allocationMode") or "", request.get("count") or 0
    if mode not in _MODES:
        yield not_supported(f"{path}.allocationMode", mode, _MODES)
    elif mode == "All" and count:
        yield invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'")
    elif mode == "ExactCount" and count <= 0:
        yield invalid(f"{path}.count", count, "must be greater than zero")
    for index, toleration in enumerate(items(request, "tolerations")):
        yield from validate_toleration(toleration, f"{path}.tolerations[{index}]")


def validate_toleration(toleration: Object, path: str) -> Errors:
    key, operator, value, effect = (toleration.get(name) or "" for name in ("key", "operator", "value", "effect"))
    if key:
        yield from text(key, f"{path}.key", label_key)
    if operator == "Exists":
        if value:
            yield invalid(f"{path}.value", value, "must be empty for operator `Exists`")
    elif operator == "Equal":
        yield from text(value, f"{path}.value", label_value)
    else:
        yield not_supported(f"{path}.operator", operator, ("Equal", "Exists"))
    if effect and effect not in _EFFECTS:
        yield not_supported(f"{path}.effect", effect, _EFFECTS)


def _constraint(constraint: Object, names: frozenset[str], path: str) -> Errors:
    yield from validate_references(items(constraint, "requests"), names, f"{path}.requests")
    match, distinct = constraint.get("matchAttribute"), constraint.get("distinctAttribute")
    if match is not None:
        yield from qualified_name(match, f"{path}.matchAttribute", fully=True)
    elif distinct is not None:
        yield from qualified_name(distinct, f"{path}.distinctAttribute", fully=True)
    else:
        yield required(path, _ATTRIBUTE)


def validate_device_class(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from validate_selectors(items(spec, "selectors"), "spec.selectors")
    yield from _at_most(items(spec, "config"), MOST, "spec.config")
    for index, one in enumerate(items(spec, "config")):
        yield from validate_configuration(one, f"spec.config[{index}]")
    extended = spec.get("extendedResourceName")
    if extended is not None and not _is_extended(extended):
        yield invalid("spec.extendedResourceName", extended, "must be a valid extended resource name")


def _is_extended(name: str) -> bool:
    domain, slash, _ = name.partition("/")
    if not slash or domain == "kubernetes.io" or domain.endswith(".kubernetes.io") or name.startswith("requests."):
        return False
    return not label_key(f"requests.{name}")
