"""Node: taints, pod CIDRs, capacity and features; spec.podCIDRs and providerID are set once."""

import ipaddress
import re

from kybern.kube.field import Struct, duplicate, forbidden, internal, invalid
from kybern.kube.validation.fields import Errors, Object, child, items, resource_amount, same
from kybern.kube.validation.names import cidr
from kybern.kube.validation.resources import validate_whole
from kybern.kube.validation.scheduling import validate_taints

_FEATURE = re.compile(r"[A-Z][A-Za-z0-9]*(/[A-Za-z0-9]+)*")
_LONGEST_FEATURE = 253
_ONE_A_FAMILY = "may specify no more than one CIDR for each IP family"


def validate_node(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from validate_taints(items(spec, "taints"), "metadata.taints")
    yield from _resources(obj)
    ranges = items(spec, "podCIDRs")
    for index, value in enumerate(ranges):
        for problem in cidr(value):
            yield invalid(f"spec.podCIDRs[{index}]", value, problem)
    if len(ranges) < 2:
        return
    wrong = [index for index, value in enumerate(ranges) if cidr(value)]
    if wrong:
        why = f"invalid CIDR[{wrong[0]}]: <nil> (invalid CIDR address: {ranges[wrong[0]]})"
        yield internal("spec.podCIDRs", f"invalid PodCIDRs. failed to check with dual stack with error:{why}")
    families = {ipaddress.ip_network(value, strict=False).version for value in ranges if not cidr(value)}
    if wrong or len(ranges) > 2 or len(families) == 1:
        yield invalid("spec.podCIDRs", ranges, _ONE_A_FAMILY)


def _resources(obj: Object) -> Errors:
    """What a node has of everything is never negative, and whole where it is counted."""
    for field in ("capacity", "allocatable"):
        for name, amount in child(child(obj, "status"), field).items():
            yield from resource_amount(amount, f"status.{field}.{name}")
            yield from validate_whole(name, amount, f"status.{field}.{name}")


def validate_node_update(obj: Object, old: Object) -> Errors:
    spec, before = child(obj, "spec"), child(old, "spec")
    if before.get("podCIDRs") and not same(spec.get("podCIDRs"), before["podCIDRs"]):
        yield forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        yield forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
    yield from validate_taints(items(spec, "taints"), "metadata.taints")
    if not same(spec.get("externalID"), before.get("externalID")):
        yield forbidden("spec.externalID", "may not be updated")


def validate_node_status(obj: Object, old: Object) -> Errors:
    """What an agent reports of its node."""
    status = child(obj, "status")
    yield from _resources(obj)
    seen: list[Object] = []
    for index, address in enumerate(items(status, "addresses")):
        shown = Struct(Type=address.get("type") or "", Address=address.get("address") or "")
        if shown in seen:
            yield duplicate(f"status.addresses[{index}]", shown)
        seen.append(shown)
    yield from _features(items(status, "declaredFeatures"))


def _features(names: list[str]) -> Errors:
    """Features that a node declares: named as gates are, in order, each once."""
    for index, name in enumerate(names):
        at = f"status.declaredFeatures[{index}]"
        repeated = bool(index) and name == names[index - 1]
        if repeated:
            yield duplicate(at, name)
        if len(name) > _LONGEST_FEATURE:
            yield invalid(at, name, f'invalid feature name "{name}": must be no more than 253 characters')
        elif not _FEATURE.fullmatch(name):
            yield invalid(
                at,
                name,
                f'invalid feature name "{name}": must start with an UpperCamelCase segment, with subsequent segments '
                "separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric "
                "characters and slashes",
            )
        if not repeated and index and name < names[index - 1]:
            yield invalid(at, name, "list must be sorted alphabetically")


def node_warnings(obj: Object, old: Object | None) -> list[str]:
    """Members that nothing reads any more."""
    if child(obj, "spec").get("externalID"):
        return ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]
    return []
