"""Services: cluster IPs and node ports, taken before the commit and given back when it fails or the Service goes.

The allocators live in memory: what is stored is what is taken (service_allocations.py). Of two apiservers on one store
that choose the same value in the same moment one fails to claim it (claims.py) and chooses again.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import partial

from kybern.apiserver.core.allocator import OUTSIDE, AllocationError
from kybern.apiserver.core.service_addresses import family_of
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategies import claims
from kybern.apiserver.registry.strategies.node_ports import (
    WITH_PORTS,
    Undo,
    needs_health_port,
    take_node_ports,
    wrong_value,
)
from kybern.apiserver.registry.strategies.service_allocations import free_unused, released
from kybern.apiserver.registry.strategy import NOTHING_TAKEN, Allocation, Object, Strategy
from kybern.kube.field import FieldError
from kybern.kube.field import invalid as field_invalid
from kybern.kube.status import internal, invalid
from kybern.kube.validation.service import TRAFFIC_POLICIES, kept_addresses, service_warnings, validate_addresses

_MULTIPLE = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
TYPE_DEPENDENT = {
    "allocateLoadBalancerNodePorts": ("LoadBalancer",),
    "loadBalancerClass": ("LoadBalancer",),
}


def allocate(request: Request, new: Object, old: Object | None) -> Allocation:
    """Fill clusterIP(s), ipFamilies and nodePorts, if the addresses can be. Raises StatusError (422)."""
    spec = new.get("spec")
    if not isinstance(spec, dict):
        return NOTHING_TAKEN
    given = deepcopy(spec)
    undo: Undo = [lambda: spec.clear(), lambda: spec.update(given)]
    before = (old or {}).get("spec") or {}
    _keep_addresses(spec, before)
    try:
        if spec.get("type") != "ExternalName":
            _check(new, [*validate_addresses(spec, before)])
            _check(new, [*kept_addresses(spec, before), *_released_family(spec, before)])
            preferred = given.get("ipFamilyPolicy") == before.get("ipFamilyPolicy") == "PreferDualStack"
            kept = preferred and spec.get("ipFamilies") == before.get("ipFamilies")  # of one that had no selector
            _families(request, new, spec, kept=kept)
            _cluster_ips(request, new, spec, before, undo)
        elif spec.get("internalTrafficPolicy") in TRAFFIC_POLICIES:  # any other is refused
            _drop(spec, "internalTrafficPolicy")
        take_node_ports(request, new, old, spec, undo)
    except BaseException:
        _release(undo)
        raise
    return Allocation(lambda: _release(undo), lambda: free_unused(request, before, spec))


def _keep_addresses(spec: Object, before: Object) -> None:
    """What was given to the Service stays its own when it is not mentioned."""
    if "ExternalName" in (spec.get("type"), before.get("type")):
        return
    if not spec.get("clusterIP") and before.get("clusterIP"):
        spec["clusterIP"] = before["clusterIP"]
    changed = before.get("clusterIP") and spec.get("clusterIP") != before["clusterIP"]
    if changed and spec.get("clusterIPs") == before.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]  # by a client that knows the one member only
    if not spec.get("clusterIPs") and before.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP"):
        spec["clusterIPs"] = before["clusterIPs"]
    if spec.get("ipFamilyPolicy") is None and before.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = before["ipFamilyPolicy"]
    is_single = spec.get("ipFamilyPolicy") == "SingleStack" != before.get("ipFamilyPolicy")
    for member in ("ipFamilies", "clusterIPs") if is_single else ():
        if spec.get(member) == before.get(member):  # the second one is given up
            spec[member] = (spec.get(member) or [])[:1]
    if needs_health_port(spec) and needs_health_port(before) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort") or 0


def _released_family(spec: Object, before: Object) -> Iterator[FieldError]:
    """Only who wants one family gives up the second."""
    families, policy = spec.get("ipFamilies") or (), spec.get("ipFamilyPolicy")
    if len(before.get("ipFamilies") or ()) > 1 == len(families) and policy != "SingleStack":
        yield field_invalid("spec.ipFamilyPolicy", policy, "must be 'SingleStack' to release the secondary IP family")


def _is_outside(spec: Object) -> bool:
    """Whether traffic from outside of the cluster reaches a Service."""
    return spec.get("type") in WITH_PORTS or bool(spec.get("type") == "ClusterIP" and spec.get("externalIPs"))


def _families(request: Request, new: Object, spec: Object, *, kept: bool) -> None:
    """The families of a Service, of those that the cluster has; `kept` ones stay. Raises StatusError (422)."""
    configured = request.server.addresses.families
    policy = spec.get("ipFamilyPolicy")
    if spec.get("clusterIP") == "None" and not spec.get("selector"):
        # addresses of endpoints that somebody else chooses: they may be of any family
        families = spec.get("ipFamilies") or configured[:1]
        if len(families) > 1 and policy == "SingleStack":
            _check(new, [field_invalid("spec.ipFamilyPolicy", "SingleStack", _MULTIPLE.format("IP families"))])
        policy = spec["ipFamilyPolicy"] = policy or "RequireDualStack"
        spec["ipFamilies"] = [*families, _other(families[0])] if policy != "SingleStack" else families
        spec["ipFamilies"] = spec["ipFamilies"][:2]
        return
    errors = []
    single = (policy or "SingleStack") == "SingleStack"
    for member, named in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")) if single else ():
        if len(spec.get(member) or ()) > 1:
            why = _MULTIPLE.format(named)
            errors.append(field_invalid("spec.ipFamilyPolicy", policy or "SingleStack", why))
    found = list(spec.get("ipFamilies") or ())
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    for index, address in enumerate(addresses):
        if address in ("", "None") or index < len(spec.get("ipFamilies") or ()):
            continue
        found.append(family_of(address))
        if found[-1] not in configured:
            why = f"{found[-1]} is not configured on this cluster"
            errors.append(field_invalid(f"spec.clusterIPs[{index}]", addresses, why))
    _check(new, errors)
    if policy == "RequireDualStack" and len(configured) < 2:
        why = "this cluster is not configured for dual-stack services"
        errors.append(field_invalid("spec.ipFamilyPolicy", policy, why))
    for index, family in enumerate(() if kept else spec.get("ipFamilies") or ()):
        if family not in configured:
            errors.append(field_invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster"))
    _check(new, errors)
    found = found or configured[:1]
    if not single and not kept and len(found) == 1 and len(configured) > 1:
        found.append(_other(found[0]))
    spec["ipFamilies"], spec["ipFamilyPolicy"] = found, policy or "SingleStack"


def _other(family: str) -> str:
    return "IPv6" if family == "IPv4" else "IPv4"


def _check(new: Object, errors: list[FieldError]) -> None:
    """Raises StatusError (422)."""
    if errors:
        raise invalid("", "Service", new["metadata"].get("name", ""), errors)


def prepare_update(request: Request, new: Object, old: Object) -> None:
    """What only the former type needed goes with it, unless the client changed it: then validation speaks."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    for member, types in TYPE_DEPENDENT.items():
        needed = before.get("type") in types and spec.get("type") not in types
        if needed and spec.get(member) == before.get(member):
            spec.pop(member, None)
    kept = spec.get("healthCheckNodePort") == before.get("healthCheckNodePort")
    if kept and needs_health_port(before) and not needs_health_port(spec):
        _drop(spec, "healthCheckNodePort")
    policy = spec.get("externalTrafficPolicy")
    if _is_outside(before) and not _is_outside(spec) and policy == before.get("externalTrafficPolicy"):
        _drop(spec, "externalTrafficPolicy")
    if before.get("type") in WITH_PORTS and spec.get("type") not in WITH_PORTS:
        had, has = ({port.get("nodePort") or 0 for port in one.get("ports") or ()} - {0} for one in (before, spec))
        for port in spec.get("ports") or () if had == has else ():
            _drop(port, "nodePort")
    if spec.get("type") == "ExternalName" != before.get("type"):
        if not spec.get("clusterIP") and spec.get("clusterIPs") == before.get("clusterIPs"):
            _drop(spec, "clusterIPs")  # by a client that knows the one member only
        elif spec.get("clusterIP") == before.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = before.get("clusterIPs")
        for members in (("clusterIP", "clusterIPs"), ("ipFamilies",), ("ipFamilyPolicy",)):
            if all(spec.get(member) == before.get(member) for member in members):
                _drop(spec, *members)


def forget_balancer(request: Request, new: Object, old: Object) -> None:
    """What is not a load balancer any more has no addresses of one."""
    if _type(old) == "LoadBalancer" and _type(new) != "LoadBalancer":
        new["status"] = {**(new.get("status") or {}), "loadBalancer": {}}


def _type(service: Object) -> str:
    return (service.get("spec") or {}).get("type") or ""


def _cluster_ips(request: Request, new: Object, spec: Object, before: Object, undo: Undo) -> None:
    """An address of each family; what the Service has, it keeps. Raises StatusError."""
    wanted = [address for address in spec.get("clusterIPs") or [spec.get("clusterIP")] if address]
    if "None" in wanted:
        spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
        return
    had = before.get("clusterIPs") or [before.get("clusterIP")]
    found = []
    for index, family in enumerate(spec["ipFamilies"]):
        if index >= len(wanted):
            found.append(_next_ip(request, new, family, undo))
            continue
        if wanted[index] not in had:
            shown = [*wanted, *[""] * (len(spec["ipFamilies"]) - len(wanted))]
            _take_ip(request, new, shown, index, undo)
        found.append(wanted[index])
    spec["clusterIP"], spec["clusterIPs"] = found[0], found


def _take_ip(request: Request, new: Object, wanted: list[str], index: int, undo: Undo) -> None:
    addresses = request.server.addresses
    try:
        addresses.take(wanted[index])
    except (AllocationError, ValueError) as error:
        told = addresses.outside(wanted[index]) if request.dry_run and str(error) == OUTSIDE else error
        why = f"failed to allocate IP {wanted[index]}: {told}"
        raise wrong_value(new, "spec.clusterIPs", wanted, why) from None
    undo.append(partial(addresses.release, wanted[index]))


def _next_ip(request: Request, new: Object, family: str, undo: Undo) -> str:
    try:
        found: str = request.server.addresses.next(request.server.random, family)
    except AllocationError as error:
        name = new["metadata"].get("name", "")
        raise internal(f'failed to allocate a serviceIP for Service "{name}": {error}') from None
    undo.append(partial(request.server.addresses.release, found))
    return found


def _drop(spec: Object, *members: str) -> None:
    for member in members:
        spec.pop(member, None)


def _release(undo: Undo) -> None:
    for step in undo:
        step()
    undo.clear()


SERVICES = Strategy(
    prepare_update=(prepare_update, forget_balancer),
    allocate=allocate,
    released=released,
    claims=claims.claims,
    create_on_update=True,
    returns_deleted=True,
    warn=service_warnings,
)
