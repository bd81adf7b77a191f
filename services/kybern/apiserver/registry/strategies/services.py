"""Services: cluster IPs and node ports, taken before the commit and given back when it fails or the Service goes.

The allocators live in memory: what is stored is what is taken (service_allocations.py). Of two apiservers on one store
that choose the same value in the same moment one fails to claim it (claims.py) and chooses again.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import partial

from kybern.apiserver.core.allocator import OUTSIDE, AllocationError
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
            kept_ones = kept_addresses(spec, before)
            _check(new, [*validate_addresses(spec, before), *kept_ones, *_released_family(spec, before)])
            preferred = given.get("ipFamilyPolicy") == before.get("ipFamilyPolicy") == "PreferDualStack"
            kept = preferred and spec.get("ipFamilies") == before.get("ipFamilies")  # of one that had no selector
            _families(request, new, spec, kept=kept)
            _cluster_ip(request, new, spec, before, undo)
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
    if is_single and spec.get("ipFamilies") == before.get("ipFamilies"):
        spec["ipFamilies"] = (spec.get("ipFamilies") or [])[:1]
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
    """One family is all that the cluster has; `kept` ones are not looked at. Raises StatusError (422)."""
    own = request.server.addresses.family
    if spec.get("clusterIP") == "None" and not spec.get("selector"):
        # addresses of endpoints that somebody else chooses: they may be of any family
        families = spec.get("ipFamilies") or [own]
        if len(families) > 1 and spec.get("ipFamilyPolicy") == "SingleStack":
            _check(new, [field_invalid("spec.ipFamilyPolicy", "SingleStack", _MULTIPLE.format("IP families"))])
        policy = spec["ipFamilyPolicy"] = spec.get("ipFamilyPolicy") or "RequireDualStack"
        other = "IPv6" if families[0] == "IPv4" else "IPv4"
        spec["ipFamilies"] = [*families, other] if policy != "SingleStack" and len(families) == 1 else families
        return
    errors = []
    policy = spec.get("ipFamilyPolicy") or "SingleStack"
    if policy == "SingleStack" and len(spec.get("clusterIPs") or ()) > 1:
        errors.append(field_invalid("spec.ipFamilyPolicy", policy, _MULTIPLE.format("cluster IPs")))
    elif policy == "SingleStack" and len(spec.get("ipFamilies") or ()) > 1:
        _check(new, [field_invalid("spec.ipFamilyPolicy", policy, _MULTIPLE.format("IP families"))])
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        errors.append(field_invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], why))
    for index, family in enumerate(() if kept else spec.get("ipFamilies") or ()):
        if family != own:
            errors.append(field_invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster"))
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    for index, address in enumerate(addresses):
        family = "IPv6" if ":" in address else "IPv4"
        if address not in ("", "None") and family != own and index >= len(spec.get("ipFamilies") or ()):
            why = f"{family} is not configured on this cluster"
            errors.append(field_invalid(f"spec.clusterIPs[{index}]", addresses, why))
    _check(new, errors)


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
        for members in (("clusterIP", "clusterIPs"), ("ipFamilies",), ("ipFamilyPolicy",)):
            if all(spec.get(member) == before.get(member) for member in members):
                _drop(spec, *members)


def forget_balancer(request: Request, new: Object, old: Object) -> None:
    """What is not a load balancer any more has no addresses of one."""
    if _type(old) == "LoadBalancer" and _type(new) != "LoadBalancer":
        new["status"] = {**(new.get("status") or {}), "loadBalancer": {}}


def _type(service: Object) -> str:
    return (service.get("spec") or {}).get("type") or ""


def _cluster_ip(request: Request, new: Object, spec: Object, before: Object, undo: Undo) -> None:
    addresses = request.server.addresses
    wanted = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0] or ""
    had = before.get("clusterIP") or ""
    if wanted == "None":
        spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
    elif wanted and wanted == had:
        spec["clusterIP"], spec["clusterIPs"] = wanted, spec.get("clusterIPs") or [wanted]
    elif wanted:
        try:
            addresses.take(wanted)
        except (AllocationError, ValueError) as error:
            told = addresses.outside(wanted) if request.dry_run and str(error) == OUTSIDE else error
            why = f"failed to allocate IP {wanted}: {told}"
            raise wrong_value(new, "spec.clusterIPs", [wanted], why) from None
        undo.append(partial(addresses.release, wanted))
        spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]
    else:
        try:
            found = addresses.next(request.server.random)
        except AllocationError as error:
            name = new["metadata"].get("name", "")
            raise internal(f'failed to allocate a serviceIP for Service "{name}": {error}') from None
        undo.append(partial(addresses.release, found))
        spec["clusterIP"], spec["clusterIPs"] = found, [found]
    spec["ipFamilies"] = spec.get("ipFamilies") or [addresses.family]
    spec["ipFamilyPolicy"] = spec.get("ipFamilyPolicy") or "SingleStack"


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
