"""Service: type, ports, addresses, traffic policies, and what an update may not take away."""

import ipaddress

from kybern.kube.field import duplicate, forbidden, invalid, not_supported, required, too_many
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    immutable,
    items,
    one_of,
    port_number_or_name,
    text,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_labels
from kybern.kube.validation.names import cidr, dns1123_label, dns1123_subdomain, port_number, qualified_name

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_KUBELET_PORT = 10250
_MAX_AFFINITY_SECONDS = 86400


def validate_service(obj: Object) -> Errors:
    spec = child(obj, "spec")
    kind, ports = spec.get("type") or "", items(spec, "ports")
    if not ports and spec.get("clusterIP") != "None" and kind != "ExternalName":
        yield required("spec.ports")
    yield from _for_type(spec, kind, ports)
    names: set[str] = set()
    for index, port in enumerate(ports):
        yield from _port(port, len(ports) > 1, names, f"spec.ports[{index}]")
    yield from validate_labels(spec.get("selector"), "spec.selector")
    yield from _affinity(spec)
    yield from _cluster_ips(spec, kind)
    for index, address in enumerate(items(spec, "externalIPs")):
        yield from _external_ip(address, f"spec.externalIPs[{index}]")
    yield from one_of(spec, "type", "spec", _TYPES, must=True)
    yield from _duplicate_ports(ports)
    yield from _source_ranges(spec, kind)
    yield from _traffic(spec, kind)


def _for_type(spec: Object, kind: str, ports: list[Object]) -> Errors:
    headless = spec.get("clusterIP") == "None"
    if kind == "LoadBalancer":
        for index, port in enumerate(ports):
            if port.get("port") == _KUBELET_PORT:
                detail = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
                yield invalid(f"spec.ports[{index}]", _KUBELET_PORT, detail)
    if kind in ("LoadBalancer", "NodePort") and headless:
        yield invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind == "ExternalName":
        if spec.get("clusterIP") or spec.get("clusterIPs"):
            yield forbidden("spec.clusterIPs[0]", "may not be set for ExternalName services")
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
    if port.get("appProtocol"):
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


def _cluster_ips(spec: Object, kind: str) -> Errors:
    if kind == "ExternalName":
        return
    first, addresses = spec.get("clusterIP") or "", items(spec, "clusterIPs")
    if addresses and first != addresses[0]:
        yield invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    elif first and first != "None" and not addresses:
        addresses = [first]
    if len(addresses) > 2:
        yield too_many("spec.clusterIPs", len(addresses), 2)
    for index, address in enumerate(addresses):
        if address == "None":
            if index:
                yield invalid(f"spec.clusterIPs[{index}]", "None", "must be a valid IP address")
            continue
        try:
            ipaddress.ip_address(address)
        except ValueError:
            yield invalid(f"spec.clusterIPs[{index}]", address, "must be a valid IP address")
    for index, family in enumerate(items(spec, "ipFamilies")):
        if family not in ("IPv4", "IPv6"):
            yield not_supported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
    yield from one_of(spec, "ipFamilyPolicy", "spec", ("SingleStack", "PreferDualStack", "RequireDualStack"))


def _external_ip(address: str, path: str) -> Errors:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        yield invalid(path, address, "must be a valid IP address")
        return
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
        key = (protocol, port.get("port"))
        if key in numbers:
            yield duplicate(f"spec.ports[{index}]", {"protocol": protocol, "port": port.get("port")})
        numbers.add(key)


def _source_ranges(spec: Object, kind: str) -> Errors:
    ranges, path = items(spec, "loadBalancerSourceRanges"), "spec.loadBalancerSourceRanges"
    if ranges and kind != "LoadBalancer":
        yield forbidden(path, "may only be used when `type` is 'LoadBalancer'")
    for index, value in enumerate(ranges):
        yield from text(value.strip(), f"{path}[{index}]", cidr)


def _traffic(spec: Object, kind: str) -> Errors:
    external, node_port = spec.get("externalTrafficPolicy") or "", spec.get("healthCheckNodePort") or 0
    outside = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and spec.get("externalIPs"))
    if external and not outside:
        yield invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services")
    elif outside and not external:
        yield required("spec.externalTrafficPolicy")
    yield from one_of(spec, "externalTrafficPolicy", "spec", ("Cluster", "Local"))
    yield from one_of(spec, "internalTrafficPolicy", "spec", ("Cluster", "Local"))
    if node_port < 0:
        yield invalid("spec.healthCheckNodePort", node_port, "must be greater than or equal to 0")
    elif node_port and not (kind == "LoadBalancer" and external == "Local"):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid("spec.healthCheckNodePort", node_port, detail)
    if kind == "ClusterIP":
        for index, port in enumerate(items(spec, "ports")):
            if port.get("nodePort"):
                yield forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
    if spec.get("loadBalancerClass"):
        if kind != "LoadBalancer":
            yield forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'")
        yield from text(spec["loadBalancerClass"], "spec.loadBalancerClass", qualified_name)
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        yield forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'")


def validate_service_update(obj: Object, old: Object) -> Errors:
    """A cluster IP stays for as long as the service has one."""
    spec, before = child(obj, "spec"), child(old, "spec")
    if "ExternalName" in (spec.get("type"), before.get("type")):
        return
    if before.get("clusterIP"):
        was = before.get("clusterIPs") or [before["clusterIP"]]
        now = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
        if not now:
            yield invalid("spec.clusterIPs[0]", now, "primary clusterIP can not be unset")
        elif now[0] != was[0]:
            yield invalid("spec.clusterIPs[0]", now, "may not change once set")
    if before.get("healthCheckNodePort") and spec.get("healthCheckNodePort"):
        detail = "field is immutable"
        yield from immutable(
            spec["healthCheckNodePort"], before["healthCheckNodePort"], "spec.healthCheckNodePort", detail
        )
    if spec.get("type") == before.get("type") == "LoadBalancer":
        yield from immutable(
            spec.get("loadBalancerClass"),
            before.get("loadBalancerClass"),
            "spec.loadBalancerClass",
            "may not change once set",
        )
