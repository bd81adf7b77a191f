"""From a Service and its pods to the slices that should exist, changing as few of the existing ones as possible."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kybern.controllers.core import pods as podlib
from kybern.controllers.core.services import (
    HEADLESS_LABEL,
    LAST_CHANGE_TRIGGER_TIME,
    find_port,
    hostname,
    ip_family,
    is_headless,
    is_reachable,
    last_change,
    pod_ips,
    target_reference,
)
from kybern.controllers.core.slices import MANAGED_BY_LABEL, SERVICE_NAME_LABEL, SliceChanges, new_slice, ports_key
from kybern.kube import meta
from kybern.kube.meta import Object

MANAGED_BY = "endpointslice-controller.k8s.io"
ZONE_LABEL = "topology.kubernetes.io/zone"
MAX_ENDPOINTS = 100


def compute_slices(
    service: Object, behind: Sequence[Object], nodes: Mapping[str, Object], existing: Sequence[Object]
) -> SliceChanges:
    """The changes for one Service. `behind` are the pods it selects, `existing` its slices."""
    families = service["spec"].get("ipFamilies") or ["IPv4"]
    labels, annotations = _labels(service), _annotations(service, behind)
    create: list[Object] = []
    update: list[Object] = []
    delete = [s for s in existing if s.get("addressType") not in families and not meta.is_deleting(s)]
    for family in families:
        by_ports: dict[bytes, list[Object]] = {}
        for known in existing:
            if known.get("addressType") == family and not meta.is_deleting(known):
                by_ports.setdefault(ports_key(known.get("ports") or []), []).append(known)
        unused: list[Object] = []
        made: list[tuple[list[Object], list[Object]]] = []  # ports, endpoints
        for group, (ports, endpoints) in _wanted(service, behind, nodes, family).items():
            filled = _fill(by_ports.pop(group, []), endpoints)
            made += [(ports, page) for page in filled.new]
            unused += filled.dropped
            for known, page in filled.kept:
                if page is not None or meta.labels(known) != labels:
                    update.append(_changed(known, known.get("ports") or [], page, labels, annotations))
        unused += [known for slices in by_ports.values() for known in slices]
        for ports, page in made:  # a slice of no use to its ports becomes the new one of others
            if unused:
                update.append(_changed(unused.pop(0), ports, page, labels, annotations))
            else:
                create.append(new_slice(service, family, ports, page, labels, annotations))
        delete += unused
    return SliceChanges(tuple(create), tuple(update), tuple(delete))


def _wanted(
    service: Object, behind: Iterable[Object], nodes: Mapping[str, Object], family: str
) -> dict[bytes, tuple[list[Object], dict[str, Object]]]:
    """Ports and endpoints by address, for each distinct set of ports. Without pods: one empty placeholder."""
    groups: dict[bytes, tuple[list[Object], dict[str, Object]]] = {}
    for pod in behind:
        if not is_reachable(pod, include_terminating=True):
            continue
        addresses = [ip for ip in pod_ips(pod) if ip_family(ip) == family]
        if not addresses:
            continue
        ports = endpoint_ports(service, pod)
        _, endpoints = groups.setdefault(ports_key(ports), (ports, {}))
        endpoint = endpoint_of(service, pod, nodes.get(podlib.node_name(pod)), addresses[:1])
        endpoints[f"{addresses[0]}/{meta.uid(pod)}"] = endpoint
    if not groups:
        groups[ports_key([])] = ([], {})
    return groups


def endpoint_of(service: Object, pod: Object, node: Object | None, addresses: list[str]) -> Object:
    """One pod as an endpoint. Ready means: receives new connections."""
    serving = podlib.is_ready(pod)
    terminating = meta.is_deleting(pod)
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    endpoint: Object = {
        "addresses": addresses,
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": target_reference(pod),
    }
    if podlib.node_name(pod):
        endpoint["nodeName"] = podlib.node_name(pod)
    zone = meta.labels(node).get(ZONE_LABEL) if node is not None else None
    if zone:
        endpoint["zone"] = zone
    name = hostname(pod, service)
    if name:
        endpoint["hostname"] = name
    return endpoint


def endpoint_ports(service: Object, pod: Object) -> list[Object]:
    """The Service's ports as this pod has them; those it does not have are left out."""
    ports: list[Object] = []
    for service_port in service["spec"].get("ports") or ():
        number = find_port(pod, service_port)
        if number is None:
            continue
        port: Object = {
            "name": service_port.get("name", ""),
            "port": number,
            "protocol": service_port.get("protocol", "TCP"),
        }
        if service_port.get("appProtocol"):
            port["appProtocol"] = service_port["appProtocol"]
        ports.append(port)
    return ports


@dataclass(frozen=True)
class _Filled:
    kept: list[tuple[Object, list[Object] | None]]  # slices with their new endpoints, None if unchanged
    new: list[list[Object]]
    dropped: list[Object]


def _fill(existing: list[Object], wanted: dict[str, Object]) -> _Filled:
    """Endpoints stay in the slice they are in; new ones go where something changes anyway, or where all of them fit."""
    left = dict(wanted)
    pages: list[list[Object]] = []
    changed: list[bool] = []
    for known in existing:
        page: list[Object] = []
        for endpoint in known.get("endpoints") or ():
            stays = left.pop(_endpoint_key(endpoint), None)
            if stays is not None:
                page.append(stays)
        pages.append(page)
        changed.append(page != (known.get("endpoints") or []))
    waiting = [*left.values()]
    order = sorted(range(len(pages)), key=lambda i: (not changed[i], -len(pages[i])))
    for i in order:
        room = MAX_ENDPOINTS - len(pages[i])
        if waiting and room > 0 and (changed[i] or len(waiting) <= room):
            pages[i] += waiting[:room]
            del waiting[:room]
            changed[i] = True
    new = [waiting[i : i + MAX_ENDPOINTS] for i in range(0, len(waiting), MAX_ENDPOINTS)]
    kept: list[tuple[Object, list[Object] | None]] = []
    dropped: list[Object] = []
    populated = bool(new) or any(pages)
    for known, page, is_changed in zip(existing, pages, changed, strict=True):
        if not page and (populated or kept):
            dropped.append(known)
        else:
            kept.append((known, page if is_changed else None))
    if not kept and not new:
        new = [[]]
    return _Filled(kept, new, dropped)


def _endpoint_key(endpoint: Object) -> str:
    return f"{endpoint['addresses'][0]}/{(endpoint.get('targetRef') or {}).get('uid', '')}"


def _labels(service: Object) -> dict[str, str]:
    labels = {**meta.labels(service), SERVICE_NAME_LABEL: meta.name(service), MANAGED_BY_LABEL: MANAGED_BY}
    labels.pop(HEADLESS_LABEL, None)
    return {**labels, HEADLESS_LABEL: ""} if is_headless(service) else labels


def _annotations(service: Object, behind: Sequence[Object]) -> dict[str, str]:
    time = last_change(service, [*behind])
    return {LAST_CHANGE_TRIGGER_TIME: meta.format_time(time)} if time is not None else {}


def _changed(
    known: Object,
    ports: list[Object],
    endpoints: list[Object] | None,
    labels: dict[str, str],
    annotations: dict[str, str],
) -> Object:
    metadata = {**known["metadata"], "labels": labels, "annotations": {**meta.annotations(known), **annotations}}
    endpoints = known.get("endpoints") or [] if endpoints is None else endpoints
    return {**known, "metadata": metadata, "ports": ports, "endpoints": endpoints}
