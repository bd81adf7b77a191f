"""Validation of Endpoints and EndpointSlices."""

import ipaddress

from kybern.kube.field import duplicate, invalid, not_supported, required, too_many
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    immutable,
    items,
    one_of,
    text,
)  # fmt: skip
from kybern.kube.validation.names import (
    LEADING_ZEROS,
    dns1123_label,
    dns1123_subdomain,
    ip_address,
    label_value,
    port_number,
    qualified_name,
    strict_ip_address,
)  # fmt: skip

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")


PROTOCOLS = ("SCTP", "TCP", "UDP")


def validate_endpoints(obj: Object) -> Errors:
    for index, subset in enumerate(items(obj, "subsets")):
        at = f"subsets[{index}]"
        if not items(subset, "addresses") and not items(subset, "notReadyAddresses"):
            yield required(at, "must specify `addresses` or `notReadyAddresses`")
        for name in ("addresses", "notReadyAddresses"):
            for position, address in enumerate(items(subset, name)):
                yield from _subset_address(address, f"{at}.{name}[{position}]")
        ports = items(subset, "ports")
        for position, port in enumerate(ports):
            path = f"{at}.ports[{position}]"
            if len(ports) > 1 and not port.get("name"):
                yield required(f"{path}.name")
            elif port.get("name"):
                yield from text(port["name"], f"{path}.name", dns1123_label)
            for problem in port_number(port.get("port") or 0):
                yield invalid(f"{path}.port", port.get("port") or 0, problem)
            yield from one_of(port, "protocol", path, PROTOCOLS, must=True)
            if port.get("appProtocol") is not None:
                yield from text(port["appProtocol"], f"{path}.appProtocol", qualified_name)


def _subset_address(address: Object, path: str) -> Errors:
    value = address.get("ip") or ""
    problems, has_zeros = ip_address(value), strict_ip_address(value) == LEADING_ZEROS
    for problem in LEADING_ZEROS if has_zeros else problems:
        yield invalid(f"{path}.ip", value, problem)
    if address.get("hostname"):
        yield from text(address["hostname"], f"{path}.hostname", dns1123_label)
    if address.get("nodeName") is not None:
        yield from text(address["nodeName"], f"{path}.nodeName", dns1123_subdomain)
    if problems and not has_zeros:
        yield invalid(f"{path}.ip", value, "must be a valid IP address")
    elif not problems:
        yield from _endpoint_address(value, f"{path}.ip")


def _endpoint_address(value: str, path: str) -> Errors:
    problems = ip_address(value)
    for problem in problems:
        yield invalid(path, value, problem)
    if not problems:
        address = ipaddress.ip_address(value)
        if address.is_unspecified:
            yield invalid(path, value, f"may not be unspecified ({value})")
        if address.is_loopback:
            yield invalid(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
        if address.is_link_local:
            yield invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")


def validate_endpoint_slice(obj: Object) -> Errors:
    kind = obj.get("addressType") or ""
    endpoints, ports = items(obj, "endpoints"), items(obj, "ports")
    if not kind:
        yield required("addressType")
    elif kind not in _ADDRESS_TYPES:
        yield not_supported("addressType", kind, _ADDRESS_TYPES)
    if len(ports) > 20000:
        yield too_many("ports", len(ports), 20000)
    names = set()
    for index, port in enumerate(ports):
        at, name = f"ports[{index}]", port.get("name") or ""
        if name:
            yield from text(name, f"{at}.name", dns1123_label)
        if name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        if port.get("protocol") is None:
            yield required(f"{at}.protocol")
        elif port["protocol"] not in PROTOCOLS:
            yield not_supported(f"{at}.protocol", port["protocol"], PROTOCOLS)
        if port.get("appProtocol") is not None:
            yield from text(port["appProtocol"], f"{at}.appProtocol", qualified_name)
    if len(endpoints) > 1000:
        yield too_many("endpoints", len(endpoints), 1000)
    for index, endpoint in enumerate(endpoints):
        yield from _slice_endpoint(endpoint, kind, f"endpoints[{index}]")


def _slice_endpoint(endpoint: Object, kind: str, path: str) -> Errors:
    addresses = items(endpoint, "addresses")
    if not addresses:
        yield required(f"{path}.addresses", "must contain at least 1 address")
    elif len(addresses) > 100:
        yield too_many(f"{path}.addresses", len(addresses), 100)
    for index, address in enumerate(addresses):
        at = f"{path}.addresses[{index}]"
        if kind == "FQDN":
            yield from _domain(address, at)
        elif kind in ("IPv4", "IPv6"):
            problems = strict_ip_address(address)
            if problems:
                yield invalid(at, address, problems[0])
                continue
            if f"IPv{ipaddress.ip_address(address).version}" != kind:
                yield invalid(f"{path}.addresses", address, f"must be an {kind} address")
            yield from _endpoint_address(address, at)
    for name, check in (("nodeName", dns1123_subdomain), ("hostname", dns1123_label)):
        if endpoint.get(name) is not None:
            yield from text(endpoint[name], f"{path}.{name}", check)
    yield from _hints(child(endpoint, "hints"), f"{path}.hints")


def _domain(name: str, path: str) -> Errors:
    """A name with at least one dot."""
    if not name:
        yield required(path)
        return
    wrong = list(text(name, path, dns1123_subdomain))
    yield from wrong
    if not wrong and "." not in name:
        yield invalid(path, name, "should be a domain with at least two segments separated by dots")


def _hints(hints: Object, path: str) -> Errors:
    """Zones and nodes, each once."""
    for member, check in (("forZones", label_value), ("forNodes", dns1123_subdomain)):
        seen, given = set(), items(hints, member)
        if len(given) > 8:
            yield too_many(f"{path}.{member}", len(given), 8)
            return
        for index, one in enumerate(given):
            name, at = one.get("name") or "", f"{path}.{member}[{index}].name"
            if name in seen:
                yield duplicate(at, name)
            seen.add(name)
            yield from text(name, at, check)


def endpoint_slice_warnings(obj: Object, old: Object | None) -> list[str]:
    """What other kinds say better."""
    new = old is None and obj.get("addressType") == "FQDN"
    return ["spec.addressType: FQDN endpoints are deprecated"] if new else []


def validate_endpoint_slice_update(obj: Object, old: Object) -> Errors:
    yield from validate_endpoint_slice(obj)
    yield from immutable(obj.get("addressType"), old.get("addressType"), "addressType")
