"""Evaluators: for each kind, which quota names are about it and what one object uses of them.

Every kind is counted under `count/<resource>.<group>`; Pods, Services, PersistentVolumeClaims and ResourceClaims are
measured besides.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from kybern.kube.quantity import Quantity, from_int, parse
from kybern.kube.quota import pods
from kybern.kube.quota.amounts import Amounts, add
from kybern.kube.quota.scopes import Requirement, attributes_classes, claim_scope, ends, no_scope, pod_scope

Object = dict[str, Any]
CREATE, UPDATE = "CREATE", "UPDATE"
IGNORED = frozenset({("", "bindings"), ("", "componentstatuses"), ("", "events"), ("events.k8s.io", "events")})
CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
DEVICE_SUFFIX = ".deviceclass.resource.k8s.io/devices"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
ALL_DEVICES = 32  # the most that one claim can be given
_ALSO_BY_NAME = ("configmaps", "replicationcontrollers", "resourcequotas", "secrets")


@dataclass(frozen=True)
class Evaluator:
    """How one kind counts. `operations`: the (operation, subresource) pairs that may change what is used.

    Of updates of `sometimes` only those count that this function says do.
    """

    group: str
    resource: str
    tracks: Callable[[str], bool]
    usage: Callable[[Object, datetime], Amounts]
    operations: frozenset[tuple[str, str]] = frozenset({(CREATE, "")})
    in_scope: Callable[[Requirement, Object], bool] = no_scope
    missing: Callable[[Object, Iterable[str]], str] = lambda obj, required: ""
    sometimes: Mapping[tuple[str, str], Callable[[Object, Object], bool]] = field(default_factory=dict)

    def handles(self, operation: str, subresource: str, new: Object, old: Object | None) -> bool:
        """Whether a write may change what is used, or of which quota."""
        if (operation, subresource) not in self.operations:
            return False
        judge = self.sometimes.get((operation, subresource))
        return judge is None or old is None or judge(new, old)

    def tracked(self, names: Iterable[str]) -> list[str]:
        """Those of the quota's names that are about this kind."""
        return [name for name in names if self.tracks(name)]


@lru_cache(maxsize=1024)
def evaluator(group: str, resource: str) -> Evaluator:
    """The evaluator of a kind."""
    return _MEASURED.get((group, resource)) or _counting(group, resource)


def count_name(group: str, resource: str) -> str:
    """`count/deployments.apps`, `count/pods`."""
    return f"count/{resource}.{group}" if group else f"count/{resource}"


def counted(name: str) -> tuple[str, str] | None:
    """(group, resource) that a `count/…` name, or a plain one of old, is about; None for other names."""
    if name in _ALSO_BY_NAME:
        return "", name
    if not name.startswith("count/"):
        return None
    resource, _, group = name.removeprefix("count/").partition(".")
    return group, resource


def measured() -> Mapping[tuple[str, str], Evaluator]:
    """The kinds of which more than the number counts."""
    return _MEASURED


def _counting(group: str, resource: str) -> Evaluator:
    names = [count_name(group, resource)]
    if not group and resource in _ALSO_BY_NAME:
        names.append(resource)
    one: Amounts = {name: from_int(1) for name in names}
    return Evaluator(group, resource, frozenset(names).__contains__, lambda obj, now: one)


# Services

_SERVICE_NAMES = frozenset({"count/services", "services", "services.nodeports", "services.loadbalancers"})


def _service_usage(service: Object, now: datetime) -> Amounts:
    spec = service.get("spec") or {}
    ports, kind = spec.get("ports") or [], spec.get("type")
    node_ports = 0
    if kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False):
        node_ports = len(ports)
    elif kind == "LoadBalancer":
        node_ports = sum(bool(port.get("nodePort")) for port in ports)
    balancers = int(kind == "LoadBalancer")
    amounts = {"services.nodeports": node_ports, "services.loadbalancers": balancers}
    return {name: from_int(amounts.get(name, 1)) for name in _SERVICE_NAMES}


# PersistentVolumeClaims

_CLAIM_NAMES = frozenset({"count/persistentvolumeclaims", "persistentvolumeclaims", "requests.storage"})
_CLASS_NAMES = (f"{CLASS_SUFFIX}requests.storage", f"{CLASS_SUFFIX}persistentvolumeclaims")


def _tracks_claim(name: str) -> bool:
    return name in _CLAIM_NAMES or name.endswith(_CLASS_NAMES)


def storage_class(claim: Object) -> str:
    """The class a claim asks for; "" for none."""
    annotations = (claim.get("metadata") or {}).get("annotations") or {}
    if BETA_CLASS in annotations:
        return str(annotations[BETA_CLASS])
    return (claim.get("spec") or {}).get("storageClassName") or ""


def _claim_usage(claim: Object, now: datetime) -> Amounts:
    name = storage_class(claim)
    found = {what: from_int(1) for what in ("count/persistentvolumeclaims", "persistentvolumeclaims")}
    if name:
        found[f"{name}{CLASS_SUFFIX}persistentvolumeclaims"] = from_int(1)
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    allocated = (status.get("allocatedResources") or {}).get("storage")
    sizes = [_whole(parse(size)) for size in (asked, allocated) if size is not None]
    if asked is not None:
        found["requests.storage"] = max(sizes)
        if name:
            found[f"{name}{CLASS_SUFFIX}requests.storage"] = max(sizes)
    return found


def _whole(size: Quantity) -> Quantity:
    """Whole bytes, as quotas are stated."""
    return from_int(size.value(), size.format)


def _claim_status_changed(new: Object, old: Object) -> bool:
    """Whether a volume grew, or changed its class of attributes."""
    before, after = (set(attributes_classes(claim)) for claim in (old, new))
    return before != after or _allocated(old) != _allocated(new)


def _allocated(claim: Object) -> Any:
    return ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage")


# Pods


def _deadline_changed(new: Object, old: Object) -> bool:
    """Whether a pod has come to be among those that end of themselves."""
    return ends(new.get("spec") or {}) != ends(old.get("spec") or {})


# ResourceClaims

_COUNT_CLAIMS = "count/resourceclaims.resource.k8s.io"


def _resource_claim_usage(claim: Object, now: datetime) -> Amounts:
    found: Amounts = {_COUNT_CLAIMS: from_int(1)}
    for request in ((claim.get("spec") or {}).get("devices") or {}).get("requests") or ():
        most: dict[str, int] = {}  # of alternatives, the largest of each class
        for choice in [request.get("exactly") or {}, *(request.get("firstAvailable") or ())]:
            name = choice.get("deviceClassName")
            if name:
                devices = ALL_DEVICES if choice.get("allocationMode") == "All" else choice.get("count") or 1
                most[name] = max(most.get(name, 0), devices)
        found = add(found, {f"{name}{DEVICE_SUFFIX}": from_int(devices) for name, devices in most.items()})
    return found


_MEASURED = {
    ("", "pods"): Evaluator(
        "", "pods", pods.tracks, pods.usage, frozenset({(CREATE, ""), (UPDATE, ""), (UPDATE, "resize")}), pod_scope,
        pods.missing, {(UPDATE, ""): _deadline_changed},
    ),
    ("", "services"): Evaluator(
        "", "services", _SERVICE_NAMES.__contains__, _service_usage, frozenset({(CREATE, ""), (UPDATE, "")})
    ),
    ("", "persistentvolumeclaims"): Evaluator(
        "", "persistentvolumeclaims", _tracks_claim, _claim_usage,
        frozenset({(CREATE, ""), (UPDATE, ""), (UPDATE, "status")}), claim_scope,
        sometimes={(UPDATE, "status"): _claim_status_changed},
    ),
    ("resource.k8s.io", "resourceclaims"): Evaluator(
        "resource.k8s.io", "resourceclaims", lambda name: name == _COUNT_CLAIMS or name.endswith(DEVICE_SUFFIX),
        _resource_claim_usage, frozenset({(CREATE, ""), (UPDATE, "")}),
    ),
}  # fmt: skip
