"""Service: type, ports, addresses, traffic policies, and what an update may not take away."""

import ipaddress
import re

from kybern.kube.field import FieldError, Struct, duplicate, forbidden, invalid, not_supported, required
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    items,
    one_of,
    port_number_or_name,
    text,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_labels
from kybern.kube.validation.names import (
    dns1123_label,
    dns1123_subdomain,
    ip_address,
    port_number,
    qualified_name,
    strict_cidr,
    strict_ip_address,
)  # fmt: skip

_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
TRAFFIC_POLICIES = ("Cluster", "Local")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MAX_AFFINITY_SECONDS = 86400


def validate_service(obj: Object) -> Errors:
    spec = child(obj, "spec")
    kind, ports = spec.get("type") or "", items(spec, "ports")
    if not ports and spec.get("clusterIP") != "None" and kind != "ExternalName":
        yield required("spec.ports")
    yield from _for_type(spec, kind)
    names: set[str] = set()
    for index, port in enumerate(ports):
        yield from _port(port, len(ports) > 1, names, f"spec.ports[{index}]")
    yield from validate_labels(spec.get("selector"), "spec.selector")
    yield from _affinity(spec)
    if kind != "ExternalName":
        yield from validate_addresses(spec)
    for index, address in enumerate(items(spec, "externalIPs")):
        yield from _external_ip(address, f"spec.externalIPs[{index}]")
    yield from one_of(spec, "type", "spec", _TYPES, must=True)
    for index, port in enumerate(ports):
        if kind == "ClusterIP" and port.get("nodePort"):
            yield forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
    yield from _duplicate_ports(ports)
    yield from _source_ranges(spec, kind)
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        yield forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'")
    yield from _load_balancer_class(spec, kind)
    yield from _traffic(spec, kind)


def _for_type(spec: Object, kind: str) -> Errors:
    headless = spec.get("clusterIP") == "None"
    if kind in ("LoadBalancer", "NodePort") and headless:
        yield invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind == "ExternalName":
        yield from _no_addresses(spec)
        name = (spec.get("externalName") or "").removesuffix(".")
        if name:
            yield from text(name, "spec.externalName", dns1123_subdomain)
        else:
            yield required("spec.externalName")


def _port(port: Object, must_name: bool, names: set[str], path: str) -> Errors:
    name, protocol = port.get("name") or "", port.get("protocol") or ""
    if must_name and not name:
        yield required(f"{path}.name")
    elif name:
        yield from text(name, f"{path}.name", dns1123_label)
        if name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
    for problem in port_number(port.get("port") or 0):
        yield invalid(f"{path}.port", port.get("port") or 0, problem)
    yield from one_of({"protocol": protocol}, "protocol", path, _PROTOCOLS, must=True)
    yield from port_number_or_name(port.get("targetPort") or 0, f"{path}.targetPort")
    if port.get("appProtocol") is not None:
        yield from text(port["appProtocol"], f"{path}.appProtocol", qualified_name)


def _affinity(spec: Object) -> Errors:
    affinity, config = spec.get("sessionAffinity") or "", spec.get("sessionAffinityConfig")
    yield from one_of(spec, "sessionAffinity", "spec", ("ClientIP", "None"), must=True)
    if affinity == "ClientIP":
        seconds = child(config or {}, "clientIP").get("timeoutSeconds")
        path = "spec.sessionAffinityConfig"
        if config is None:
            yield required(path, "when session affinity type is ClientIP")
        elif seconds is None:
            yield required(f"{path}.clientIP.timeoutSeconds", "when session affinity type is ClientIP")
        elif not 0 < seconds <= _MAX_AFFINITY_SECONDS:
            detail = f"must be greater than 0 and less than {_MAX_AFFINITY_SECONDS}"
            yield invalid(f"{path}.clientIP.timeoutSeconds", seconds, detail)
    elif affinity == "None" and config is not None:
        yield forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None")


def _no_addresses(spec: Object) -> Errors:
    """A service outside of the cluster has none."""
    had = {**spec, "clusterIPs": spec.get("clusterIPs") or spec.get("clusterIP")}
    for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if had.get(name) or (name == "ipFamilyPolicy" and had.get(name) is not None):
            yield forbidden(f"spec.{name}", "may not be set for ExternalName services")


def validate_addresses(spec: Object, before: Object | None = None) -> Errors:
    """Addresses and families of a service in the cluster agree, one by one; that it was without one was right."""
    was_headless = "None" in items(before or {}, "clusterIPs")
    families = items(spec, "ipFamilies")
    first, addresses = spec.get("clusterIP") or "", items(spec, "clusterIPs")
    if first and not addresses:
        addresses = [first]
    elif addresses and not first:
        yield invalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified")
    elif addresses and first != addresses[0]:
        yield invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    yield from _families(spec, families)
    if "None" in addresses and len(addresses) > 1:
        yield invalid("spec.clusterIPs", addresses, "'None' must be the first and only value")
    seen: list[str] = []
    others: list[FieldError] = []
    for index, address in enumerate(addresses):
        at = f"spec.clusterIPs[{index}]"
        if address == "None" and (was_headless or not index):
            continue
        problems = strict_ip_address(address)
        for problem in problems:
            yield invalid(at, address, problem)
        if problems:
            continue
        family = f"IPv{ipaddress.ip_address(address).version}"
        seen.append(family)
        if index < len(families) and families[index] in _FAMILIES and families[index] != family:
            why = f"expected an {families[index]} value as indicated by `ipFamilies[{index}]`"
            others.append(invalid(at, address, why))
    if len(addresses) > 2:
        yield invalid("spec.clusterIPs", addresses, "may only hold up to 2 values")
    elif len(seen) > len(set(seen)):
        yield invalid("spec.clusterIPs", addresses, "may specify no more than one IP for each IP family")
    yield from others


def _families(spec: Object, families: list[str]) -> Errors:
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            yield not_supported(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in families[:index]:
            yield duplicate(f"spec.ipFamilies[{index}]", family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        yield not_supported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES)


def _external_ip(address: str, path: str) -> Errors:
    problems = strict_ip_address(address)
    for problem in problems:
        yield invalid(path, address, problem)
    if problems:
        return
    found = ipaddress.ip_address(address)
    for bad, detail in (
        (found.is_unspecified, f"may not be unspecified ({found})"),
        (found.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (found.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (found.is_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"),
    ):
        if bad:
            yield invalid(path, address, detail)


def _duplicate_ports(ports: list[Object]) -> Errors:
    node_ports, numbers = set(), set()
    for index, port in enumerate(ports):
        protocol = port.get("protocol")
        if port.get("nodePort"):
            if (protocol, port["nodePort"]) in node_ports:
                yield duplicate(f"spec.ports[{index}].nodePort", port["nodePort"])
            node_ports.add((protocol, port["nodePort"]))
        key = (protocol, port.get("port") or 0)
        if key in numbers:
            shown = Struct(Name="", Protocol=protocol, AppProtocol=None, Port=key[1], TargetPort=0, NodePort=0)
            yield duplicate(f"spec.ports[{index}]", shown)
        numbers.add(key)


def _source_ranges(spec: Object, kind: str) -> Errors:
    ranges, path = items(spec, "loadBalancerSourceRanges"), "spec.LoadBalancerSourceRanges"
    if ranges and kind != "LoadBalancer":
        yield forbidden(path, "may only be used when `type` is 'LoadBalancer'")
    for index, value in enumerate(ranges):
        yield from text(value.strip(), f"{path}[{index}]", strict_cidr)


def _traffic(spec: Object, kind: str) -> Errors:
    external, node_port = spec.get("externalTrafficPolicy") or "", spec.get("healthCheckNodePort") or 0
    outside = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and spec.get("externalIPs"))
    if external and not outside:
        yield invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services")
    elif outside and not external:
        yield required("spec.externalTrafficPolicy")
    elif outside and external not in TRAFFIC_POLICIES:
        yield not_supported("spec.externalTrafficPolicy", external, TRAFFIC_POLICIES)
    if node_port and not (kind == "LoadBalancer" and external == "Local"):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid("spec.healthCheckNodePort", node_port, detail)
    elif node_port:
        for problem in port_number(node_port):
            yield invalid("spec.healthCheckNodePort", node_port, problem)
    internal = spec.get("internalTrafficPolicy")
    if internal is not None and internal not in TRAFFIC_POLICIES:
        yield not_supported("spec.internalTrafficPolicy", internal, TRAFFIC_POLICIES)
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        yield not_supported("spec.trafficDistribution", distribution, _DISTRIBUTIONS, in_order=True)


def _load_balancer_class(spec: Object, kind: str) -> Errors:
    name = spec.get("loadBalancerClass")
    if name is None:
        return
    if kind != "LoadBalancer":
        yield forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'")
    else:
        yield from text(name, "spec.loadBalancerClass", qualified_name)


def validate_service_update(obj: Object, old: Object) -> Errors:
    """What stays for as long as the service has it, then everything else."""
    spec, before = child(obj, "spec"), child(old, "spec")
    kind, was = spec.get("type"), before.get("type")
    yield from kept_addresses(spec, before)
    if _has_health_port(spec) and _has_health_port(before):
        port = spec.get("healthCheckNodePort") or 0
        if port != (before.get("healthCheckNodePort") or 0):
            yield forbidden("spec.healthCheckNodePort", "field is immutable")
    if kind == was == "LoadBalancer" and spec.get("loadBalancerClass") != before.get("loadBalancerClass"):
        yield invalid("spec.loadBalancerClass", spec.get("loadBalancerClass"), "may not change once set")
    yield from _load_balancer_class(spec, kind or "")
    yield from validate_service(obj)


def _has_health_port(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def kept_addresses(spec: Object, before: Object) -> Errors:
    """A service in the cluster keeps its first address."""
    if "ExternalName" in (spec.get("type"), before.get("type")) or not before.get("clusterIP"):
        return
    was = before.get("clusterIPs") or [before["clusterIP"]]
    now = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    if not now:
        yield invalid("spec.clusterIPs[0]", now, "primary clusterIP can not be unset")
    elif now[0] != was[0] and spec.get("clusterIP") != before["clusterIP"]:
        yield invalid("spec.clusterIPs[0]", now, "may not change once set")
    if len(was) == len(now) == 2 and now[1] != was[1]:
        yield invalid("spec.clusterIPs[1]", now, "may not change once set")
    elif len(was) == 2 and len(now) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be 'SingleStack' to release the secondary cluster IP"
        yield invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why)


def service_warnings(obj: Object, old: Object | None) -> list[str]:
    """What of a valid service means nothing, or is to be written otherwise."""
    spec, found = child(obj, "spec"), []
    for index, address in enumerate(items(spec, "externalIPs")):
        found += ip_warnings(f"spec.externalIPs[{index}]", address)
    if spec.get("loadBalancerIP"):
        found += ip_warnings("spec.loadBalancerIP", spec["loadBalancerIP"])
    if spec.get("clusterIP") == "None":
        if spec.get("loadBalancerIP"):
            found.append("spec.loadBalancerIP is ignored for headless services")
        if spec.get("externalIPs"):
            found.append("spec.externalIPs is ignored for headless services")
        if spec.get("sessionAffinity") not in (None, "", "None"):
            found.append("spec.SessionAffinity is ignored for headless services")
    elif spec.get("externalIPs") and spec.get("type") != "ExternalName":
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if spec.get("externalName") and spec.get("type") != "ExternalName":
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    if spec.get("externalIPs") and spec.get("type") == "ExternalName":
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    return found


def ip_warnings(path: str, address: str) -> list[str]:
    """An address that is not written as all others write it."""
    plain = re.sub(r"(^|\.)0+(?=\d)", r"\1", address) if ":" not in address else address
    if ip_address(plain):
        return []
    canonical = str(ipaddress.ip_address(plain))
    if plain != address:
        return [f'{path}: non-standard IP address "{address}" is invalid: use "{canonical}"']
    if canonical != address:
        return [f'{path}: IPv6 address "{address}" should be in RFC 5952 canonical format ("{canonical}")']
    return []
