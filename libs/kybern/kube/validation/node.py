"""Node: taints, pod CIDRs and capacity; spec.podCIDRs and providerID are set once."""

import ipaddress

from kybern.kube.field import forbidden, invalid
from kybern.kube.validation.fields import Errors, Object, child, items, resource_amount, same
from kybern.kube.validation.names import cidr
from kybern.kube.validation.resources import validate_resource_list
from kybern.kube.validation.scheduling import validate_taints


def validate_node(obj: Object) -> Errors:
    spec, status = child(obj, "spec"), child(obj, "status")
    yield from validate_taints(items(spec, "taints"), "metadata.taints")
    for name in ("capacity", "allocatable"):
        yield from validate_resource_list(child(status, name), f"status.{name}")
    ranges = items(spec, "podCIDRs")
    for index, value in enumerate(ranges):
        for problem in cidr(value):
            yield invalid(f"spec.podCIDRs[{index}]", value, problem)
    if len(ranges) > 2:
        yield invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family")
    elif len(ranges) == 2 and not any(map(cidr, ranges)):
        families = {ipaddress.ip_network(value, strict=False).version for value in ranges}
        if len(families) == 1:
            yield invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family")


def validate_node_update(obj: Object, old: Object) -> Errors:
    spec, before = child(obj, "spec"), child(old, "spec")
    if before.get("podCIDRs") and not same(spec.get("podCIDRs"), before["podCIDRs"]):
        yield forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        yield forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
    for name, amount in child(child(obj, "status"), "capacity").items():
        yield from resource_amount(amount, f"status.capacity[{name}]")
