"""Rows of the network kinds: Service, Endpoints, EndpointSlice, Ingress, NetworkPolicy and their kin."""

from __future__ import annotations

from datetime import datetime

from kybern.kube.meta import Object, name
from kybern.kube.tables.cells import (
    NONE,
    UNSET,
    Cells,
    age,
    first_few,
    joined,
    label_selector_text,
    labels_text,
    or_none,
    spec,
    status,
)


def service_cells(obj: Object, now: datetime) -> Cells:
    addresses = spec(obj).get("clusterIPs") or [spec(obj).get("clusterIP")]
    return [
        name(obj),
        spec(obj).get("type", ""),
        or_none(addresses[0]),
        _external_ip(obj),
        joined(map(_service_port, spec(obj).get("ports") or ())),
        age(obj, now),
        labels_text(spec(obj).get("selector")),
    ]


def _external_ip(service: Object) -> str:
    fields = spec(service)
    if fields.get("type") == "ExternalName":
        return fields.get("externalName") or ""
    external = list(fields.get("externalIPs") or ())
    if fields.get("type") != "LoadBalancer":
        return joined(external)
    return joined([a for a in _load_balancer_addresses(service) if a] + external, nothing="<pending>")


def _load_balancer_addresses(obj: Object) -> list[str]:
    ingress = (status(obj).get("loadBalancer") or {}).get("ingress") or ()
    return sorted({point.get("ip") or point.get("hostname") or "" for point in ingress})


def _service_port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"


def endpoints_cells(obj: Object, now: datetime) -> Cells:
    shown: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [address["ip"] for address in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        shown += addresses if not ports else [_host_port(ip, port["port"]) for port in ports for ip in addresses]
    return [name(obj), first_few(shown), age(obj, now)]


def _host_port(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def endpoint_slice_cells(obj: Object, now: datetime) -> Cells:
    ports = [str(port.get("port") or "*") for port in obj.get("ports") or ()]
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [name(obj), obj.get("addressType", ""), first_few(ports, UNSET), first_few(addresses, UNSET), age(obj, now)]


def ingress_cells(obj: Object, now: datetime) -> Cells:
    hosts = [rule["host"] for rule in spec(obj).get("rules") or () if rule.get("host")]
    return [
        name(obj),
        or_none(spec(obj).get("ingressClassName")),
        first_few(hosts, "*"),
        joined(_load_balancer_addresses(obj), ""),
        "80, 443" if spec(obj).get("tls") else "80",
        age(obj, now),
    ]


def ingress_class_cells(obj: Object, now: datetime) -> Cells:
    parameters = spec(obj).get("parameters")
    shown = NONE
    if parameters:
        group = parameters.get("apiGroup")
        shown = f"{parameters['kind']}{f'.{group}' if group else ''}/{parameters['name']}"
    return [name(obj), spec(obj).get("controller", ""), shown, age(obj, now)]


def ip_address_cells(obj: Object, now: datetime) -> Cells:
    parent = spec(obj).get("parentRef")
    if not parent:
        return [name(obj), NONE, age(obj, now)]
    group, namespace = parent.get("group"), parent.get("namespace")
    resource = f"{parent.get('resource', '')}.{group}" if group else parent.get("resource", "")
    where = "/".join(filter(None, (resource.lower(), namespace, parent.get("name"))))
    return [name(obj), where, age(obj, now)]


def network_policy_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), label_selector_text(spec(obj).get("podSelector")), age(obj, now)]


def service_cidr_cells(obj: Object, now: datetime) -> Cells:
    return [name(obj), ",".join(spec(obj).get("cidrs") or ()), age(obj, now)]
