"""Ingress, IngressClass, NetworkPolicy."""

import ipaddress

from kybern.kube.field import forbidden, invalid, not_supported, required, too_long
from kybern.kube.validation.domain_paths import domain_prefixed_path
from kybern.kube.validation.endpoints import PROTOCOLS
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    chosen,
    immutable,
    items,
    port_number_or_name,
    required_text,
    text,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import (
    cidr,
    dns1123_label,
    dns1123_subdomain,
    ip_address,
    path_segment,
    port_number,
    wildcard_subdomain,
)  # fmt: skip


def validate_ingress(obj: Object) -> Errors:
    spec = child(obj, "spec")
    rules, default = items(spec, "rules"), spec.get("defaultBackend")
    if not rules and default is None:
        yield invalid("spec", spec or None, "either `defaultBackend` or `rules` must be specified")
    if default is not None:
        yield from _backend(default, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        at, host = f"spec.rules[{index}]", rule.get("host") or ""
        if host:
            yield from _host(host, f"{at}.host")
        if rule.get("http") is not None:
            paths = items(rule["http"], "paths")
            if not paths:
                yield required(f"{at}.http.paths")
            for position, path in enumerate(paths):
                yield from _http_path(path, f"{at}.http.paths[{position}]")
    for index, tls in enumerate(items(spec, "tls")):
        for position, host in enumerate(items(tls, "hosts")):
            yield from _host(host, f"spec.tls[{index}].hosts[{position}]")
        if tls.get("secretName"):
            yield from text(tls["secretName"], f"spec.tls[{index}].secretName", dns1123_subdomain)
    if spec.get("ingressClassName") is not None:
        yield from text(spec["ingressClassName"], "spec.ingressClassName", dns1123_subdomain)


def _host(host: str, path: str) -> Errors:
    if "*" in host:
        yield from text(host, path, wildcard_subdomain)
        return
    if not ip_address(host):
        yield invalid(path, host, "must be a DNS name, not an IP address")
    yield from text(host, path, dns1123_subdomain)


def _http_path(path: Object, at: str) -> Errors:
    kind, value = path.get("pathType"), path.get("path") or ""
    if kind is None:
        yield required(f"{at}.pathType", "pathType must be specified")
        return
    elif kind in ("Exact", "Prefix"):
        if not value.startswith("/"):
            yield invalid(f"{at}.path", value, "must be an absolute path")
        for sequence in ("//", "/./", "/../", "%2f", "%2F"):
            if sequence in value:
                yield invalid(f"{at}.path", value, f"must not contain '{sequence}'")
        for suffix in ("/..", "/."):
            if value.endswith(suffix):
                yield invalid(f"{at}.path", value, f"cannot end with '{suffix}'")
    elif kind == "ImplementationSpecific":
        if value and not value.startswith("/"):
            yield invalid(f"{at}.path", value, "must be an absolute path")
    else:
        yield not_supported(f"{at}.pathType", kind, ("Exact", "ImplementationSpecific", "Prefix"))
    yield from _backend(child(path, "backend"), f"{at}.backend")


def _backend(backend: Object, path: str) -> Errors:
    service, resource = backend.get("service"), backend.get("resource")
    if resource is not None and service is not None:
        yield invalid(path, "", "cannot set both resource and service backends")
    elif resource is not None:
        yield from _reference(resource, f"{path}.resource")
    elif service is None:
        yield invalid(path, "", "resource or service backend is required")
    else:
        yield from _service_backend(service, path)


def _reference(reference: Object, path: str) -> Errors:
    """An object of the same namespace, or of none."""
    if reference.get("apiGroup") is not None:
        yield from text(reference["apiGroup"], f"{path}.apiGroup", dns1123_subdomain)
    for name in ("kind", "name"):
        yield from required_text(reference, name, path, path_segment)


def _service_backend(service: Object, path: str) -> Errors:
    yield from required_text(service, "name", f"{path}.service", dns1123_label)
    port = child(service, "port")
    name, number = port.get("name") or "", port.get("number") or 0
    if name and number:
        yield invalid(path, "", "cannot set both port name & port number")
    elif name:
        yield from port_number_or_name(name, f"{path}.service.port.name")
    elif number:
        yield from port_number_or_name(number, f"{path}.service.port.number")
    else:
        yield required(path, "port name or number is required")


def validate_ingress_class(obj: Object) -> Errors:
    spec = child(obj, "spec")
    controller = spec.get("controller") or ""
    if not controller:
        yield required("spec.controller")
    if len(controller) > 250:
        yield too_long("spec.controller", 250)
    if controller:
        yield from domain_prefixed_path("spec.controller", controller)
    parameters = spec.get("parameters")
    if parameters is not None:
        yield from _reference(parameters, "spec.parameters")
        if parameters.get("scope") is None:
            yield required("spec.parameters.scope")
        yield from chosen(parameters, "scope", "spec.parameters", ("Cluster", "Namespace"))
        scope, namespace = parameters.get("scope"), parameters.get("namespace")
        if scope == "Namespace" and namespace is None:
            yield required("spec.parameters.namespace", "`parameters.scope` is set to 'Namespace'")
        elif scope == "Namespace":
            yield from text(namespace, "spec.parameters.namespace", dns1123_label)
        elif scope == "Cluster" and namespace is not None:
            yield forbidden("spec.parameters.namespace", "`parameters.scope` is set to 'Cluster'")


def validate_ingress_class_update(obj: Object, old: Object) -> Errors:
    new, before = (child(one, "spec").get("controller") or "" for one in (obj, old))
    yield from immutable(new, before, "spec.controller")
    yield from validate_ingress_class(obj)


def validate_network_policy(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from validate_selector(child(spec, "podSelector"), "spec.podSelector")
    for field, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(items(spec, field)):
            at = f"spec.{field}[{index}]"
            for position, port in enumerate(items(rule, "ports")):
                yield from _policy_port(port, f"{at}.ports[{position}]")
            for position, peer in enumerate(items(rule, peers)):
                yield from _policy_peer(peer, f"{at}.{peers}[{position}]")
    types = items(spec, "policyTypes")
    if len(types) > 2:
        yield invalid("spec.policyTypes", types, "may not specify more than two policyTypes")
        return
    for index, kind in enumerate(types):
        if kind not in ("Ingress", "Egress"):
            yield not_supported(f"spec.policyTypes[{index}]", kind, ("Ingress", "Egress"), in_order=True)


def _policy_port(port: Object, path: str) -> Errors:
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        yield not_supported(f"{path}.protocol", protocol, ("TCP", "UDP", "SCTP"), in_order=True)
    if number is None:
        if end is not None:
            yield invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified")
        return
    wrong = list(port_number_or_name(number, f"{path}.port"))
    if isinstance(number, str):
        if end is not None:
            yield invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric")
        yield from wrong
        return
    yield from wrong
    if end is not None:
        if end < number:
            yield invalid(f"{path}.endPort", number, "must be greater than or equal to `port`")
        for problem in port_number(end):
            yield invalid(f"{path}.endPort", end, problem)


def _policy_peer(peer: Object, path: str) -> Errors:
    for name in ("podSelector", "namespaceSelector"):
        yield from validate_selector(peer.get(name), f"{path}.{name}")
    block = peer.get("ipBlock")
    if block is not None:
        yield from _ip_block(block, f"{path}.ipBlock")
        if peer.get("podSelector") is not None or peer.get("namespaceSelector") is not None:
            yield forbidden(path, "may not specify both ipBlock and another peer")
    elif peer.get("podSelector") is None and peer.get("namespaceSelector") is None:
        yield required(path, "must specify a peer")


def _ip_block(block: Object, path: str) -> Errors:
    value = block.get("cidr") or ""
    if not value:
        yield required(f"{path}.cidr")
        return
    problems = cidr(value)
    for problem in problems:
        yield invalid(f"{path}.cidr", value, problem)
    if problems:
        return
    whole = ipaddress.ip_network(value, strict=False)
    for index, exception in enumerate(items(block, "except")):
        at = f"{path}.except[{index}]"
        if problems := cidr(exception):
            yield invalid(at, exception, problems[0])
            continue
        part = ipaddress.ip_network(exception, strict=False)
        if part.version != whole.version or part == whole or not part.subnet_of(whole):  # type: ignore[arg-type]  # of one version
            yield invalid(at, exception, "must be a strict subset of `cidr`")
