"""From hand-written Endpoints to the slices that say the same: one for each address family and set of ports."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from kybern.controllers.core.services import ip_family
from kybern.controllers.core.slices import MANAGED_BY_LABEL, SERVICE_NAME_LABEL, SliceChanges, new_slice, ports_key
from kybern.kube import meta
from kybern.kube.meta import Object

MANAGED_BY = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror"
LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MAX_PER_SUBSET = 1000


def is_mirrored(endpoints: Object | None, service: Object | None) -> bool:
    """Whether Endpoints are to be mirrored: nobody objects, and no controller looks after the Service's."""
    if endpoints is None or service is None or meta.is_deleting(endpoints):
        return False
    if meta.labels(endpoints).get(SKIP_LABEL) == "true" or LEADER_ANNOTATION in meta.annotations(endpoints):
        return False
    return not (service.get("spec") or {}).get("selector")


@dataclass
class _Group:
    ports: list[Object]
    endpoints: dict[str, Object] = field(default_factory=dict)


def compute_mirrors(endpoints: Object, existing: Sequence[Object]) -> SliceChanges:
    """The changes that make the slices say what the Endpoints say."""
    wanted = _groups(endpoints)
    labels, annotations = _labels(endpoints), _annotations(endpoints)
    unused: dict[tuple[str, bytes], list[Object]] = {}
    for known in existing:
        if not meta.is_deleting(known):
            unused.setdefault((known.get("addressType") or "", ports_key(known.get("ports") or ())), []).append(known)
    create: list[Object] = []
    update: list[Object] = []
    missing = []
    for of, group in wanted.items():
        same = unused.get(of)
        if not same:
            missing.append((of, group))
            continue
        known = same.pop(0)
        changed = _changed(known, group, labels, annotations)
        if changed != known:
            update.append(changed)
    for (family, _), group in missing:  # a slice of no use to its ports becomes the new one of others
        free = next((slices for (of, _), slices in unused.items() if of == family and slices), None)
        if free is not None:
            update.append(_changed(free.pop(0), group, labels, annotations))
        else:
            create.append(new_slice(endpoints, family, group.ports, [*group.endpoints.values()], labels, annotations))
    return SliceChanges(tuple(create), tuple(update), tuple(known for left in unused.values() for known in left))


def _groups(endpoints: Object) -> dict[tuple[str, bytes], _Group]:
    groups: dict[tuple[str, bytes], _Group] = {}
    for subset in endpoints.get("subsets") or ():
        ports = [_port(port) for port in subset.get("ports") or ()]
        addresses = [(a, True) for a in subset.get("addresses") or ()]
        addresses += [(a, False) for a in subset.get("notReadyAddresses") or ()]
        for address, ready in addresses[:MAX_PER_SUBSET]:
            if not _is_address(address.get("ip") or ""):
                continue
            family = ip_family(address["ip"])
            group = groups.setdefault((family, ports_key(ports)), _Group(ports))
            group.endpoints.setdefault(address["ip"], _endpoint(address, ready))
    return groups


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _port(port: Object) -> Object:
    found: Object = {"name": port.get("name") or "", "port": port["port"], "protocol": port.get("protocol") or "TCP"}
    if port.get("appProtocol"):
        found["appProtocol"] = port["appProtocol"]
    return found


def _endpoint(address: Object, ready: bool) -> Object:
    endpoint: Object = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for member in ("hostname", "targetRef", "nodeName"):
        if address.get(member):
            endpoint[member] = address[member]
    return endpoint


def _labels(endpoints: Object) -> dict[str, str]:
    return {**meta.labels(endpoints), MANAGED_BY_LABEL: MANAGED_BY, SERVICE_NAME_LABEL: meta.name(endpoints)}


def _annotations(endpoints: Object) -> dict[str, str]:
    left_out = (LAST_APPLIED, OVER_CAPACITY)
    return {name: value for name, value in meta.annotations(endpoints).items() if name not in left_out}


def _changed(known: Object, group: _Group, labels: Any, annotations: Any) -> Object:
    metadata = {**known["metadata"], "labels": labels}
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    return {**known, "metadata": metadata, "endpoints": [*group.endpoints.values()], "ports": group.ports}
