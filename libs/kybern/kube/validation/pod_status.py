"""The `status` of a Pod: addresses are addresses, what it says of claims and containers is of its spec, and what has
ended for good does not run again."""

from typing import Any

from kybern.kube.container_restarts import restarts_after
from kybern.kube.field import Struct, duplicate, forbidden, internal, invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, immutable, items, text
from kybern.kube.validation.names import (
    dns1123_label,
    dns1123_subdomain,
    ip_address,
    qualified_name,
    range_error,
    strict_ip_address,
)

_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_HEALTH = ("Healthy", "Unhealthy", "Unknown")
_NO_COUNT = "must be a non-negative integer"
_OF_CLAIMS = (
    "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or "
    "'claim:<claimName>' if request is empty"
)


def validate_pod_status_update(pod: Object, old: Object) -> Errors:
    """The `status` subresource."""
    status, before, spec = child(pod, "status"), child(old, "status"), child(pod, "spec")
    for index, condition in enumerate(items(status, "conditions")):
        at = f"status.conditions[{index}]"
        if (condition.get("observedGeneration") or 0) < 0:
            yield invalid(f"{at}.observedGeneration", condition["observedGeneration"], _NO_COUNT)
        yield from text(condition.get("type") or "", f"{at}.Type", qualified_name)
    nominated = status.get("nominatedNodeName")
    if nominated:
        yield from text(nominated, "status.nominatedNodeName", dns1123_subdomain)
        if spec.get("nodeName") and nominated != before.get("nominatedNodeName"):
            yield forbidden("status.nominatedNodeName", "may not be set on pods that are already bound to a node")
    if (status.get("observedGeneration") or 0) < 0:
        yield invalid("status.observedGeneration", status["observedGeneration"], _NO_COUNT)
    if before.get("qosClass"):
        yield from immutable(status.get("qosClass"), before["qosClass"], "status.qosClass")
    yield from _no_revival(status, before, spec)
    yield from _claims(status, spec)
    if status.get("extendedResourceClaimStatus") is not None:
        yield from _extended_claim(status["extendedResourceClaimStatus"], spec)
    yield from _addresses(status, before, "podIPs")
    hosts = items(status, "hostIPs")
    if hosts and (hosts[0].get("ip") or "") != (status.get("hostIP") or ""):
        yield invalid("status.hostIPs[0].ip", hosts[0].get("ip") or "", "must be equal to `hostIP`")
    yield from _addresses(status, before, "hostIPs")
    for name in _STATUSES:
        for index, container in enumerate(items(status, name)):
            yield from _user(child(child(container, "user"), "linux"), f"status.{name}[{index}].user.linux")
    yield from _allocated(status, spec)


def _no_revival(status: Object, before: Object, spec: Object) -> Errors:
    known = {one.get("name"): one for one in items(spec, "containers")}
    now = {entry.get("name"): entry for entry in items(status, "containerStatuses")}
    for index, entry in enumerate(items(before, "containerStatuses")):
        ended, new = child(entry, "state").get("terminated"), now.get(entry.get("name"))
        if ended is None or new is None or child(new, "state").get("terminated") is not None:
            continue
        container = known.get(entry.get("name"))
        if container is None or not restarts_after(spec, container, ended.get("exitCode") or 0):
            detail = "may not be transitioned to non-terminated state"
            yield forbidden(f"status.containerStatuses[{index}].state", detail)


def _claims(status: Object, spec: Object) -> Errors:
    """Which ResourceClaims were made for the pod."""
    known = {claim.get("name") for claim in items(spec, "resourceClaims")}
    seen = set()
    for index, claim in enumerate(items(status, "resourceClaimStatuses")):
        at, name = f"status.resourceClaimStatuses[{index}]", claim.get("name") or ""
        if name not in known:
            yield invalid(f"{at}.name", name, "must match the name of an entry in `spec.resourceClaims`")
        if name in seen:
            yield duplicate(f"{at}.name", name)
        seen.add(name)
        if claim.get("resourceClaimName") is not None:
            yield from text(claim["resourceClaimName"], f"{at}.resourceClaimName", dns1123_subdomain)


def _extended_claim(claim: Object, spec: Object) -> Errors:
    """The claim made for extended resources of the pod."""
    path = "status.extendedResourceClaimStatus"
    mappings = items(claim, "requestMappings")
    if not mappings:
        yield required(f"{path}.requestMappings", "at least one request mapping is required")
    containers = {one.get("name"): one for name in ("initContainers", "containers") for one in items(spec, name)}
    members, seen = ("containerName", "resourceName", "requestName"), set()
    for index, mapping in enumerate(mappings):
        at, said = f"{path}.requestMappings[{index}]", tuple(mapping.get(member) or "" for member in members)
        container, resource, request = said
        if container not in containers:
            where = "spec.initContainers.name or spec.containers.name"
            yield invalid(f"{at}.containerName", container, f"must match the name of an entry in {where}")
        elif resource not in child(child(containers[container], "resources"), "requests"):
            where = "spec.initContainers.resources.requests or spec.containers.resources.requests"
            detail = f"must match the extended resource name of an entry in {where}"
            yield invalid(f"{at}.resourceName", resource, detail)
        yield from text(request, f"{path}.requestName", dns1123_label)
        if said in seen:
            for member, value in zip(members, said, strict=True):
                yield duplicate(f"{at}.{member}", value)
        seen.add(said)
    if not claim.get("resourceClaimName"):
        yield required(f"{path}.resourceClaimName")
    else:
        yield from text(claim["resourceClaimName"], f"{path}.resourceClaimName", dns1123_subdomain)


def _addresses(status: Object, before: Object, name: str) -> Errors:
    """One address of a family at most; those that were there are not judged again."""
    had = {entry.get("ip") for entry in items(before, name)}
    addresses = [entry.get("ip") or "" for entry in items(status, name)]
    for index, address in enumerate(addresses):
        if address not in had:
            yield from text(address, f"status.{name}[{index}]", strict_ip_address)
    if len(addresses) < 2:
        return
    wrong = next((i for i, address in enumerate(addresses) if ip_address(address)), None)
    if wrong is not None:
        why = f"invalid IP[{wrong}]: {addresses[wrong]}"
        yield internal(f"status.{name}", f"failed to check for dual stack with error:{why}")
    if wrong is not None or len(addresses) > 2 or len({":" in address for address in addresses}) == 1:
        shown: list[Any] = [Struct(IP=address) for address in addresses]
        yield invalid(f"status.{name}", shown, "may specify no more than one IP for each IP family")


def _user(user: Object, path: str) -> Errors:
    groups = ((f"supplementalGroups[{i}]", group) for i, group in enumerate(items(user, "supplementalGroups")))
    for name, number in (("uid", user.get("uid")), ("gid", user.get("gid")), *groups):
        if number is not None and not 0 <= number < 1 << 31:
            yield invalid(f"{path}.{name}", number, range_error(0, (1 << 31) - 1))


def _allocated(status: Object, spec: Object) -> Errors:
    """The health of what containers were given."""
    for statuses, containers in (("containerStatuses", "containers"), ("initContainerStatuses", "initContainers")):
        known = {one.get("name"): child(one, "resources") for one in items(spec, containers)}
        for index, container in enumerate(items(status, statuses)):
            resources = known.get(container.get("name"))
            for place, one in enumerate(items(container, "allocatedResourcesStatus")):
                at = f"status.{statuses}[{index}].allocatedResourcesStatus[{place}]"
                if resources is not None:
                    yield from _of_container(one.get("name") or "", resources, f"{at}.name")
                yield from _health(items(one, "resources"), f"{at}.resources")
    for index, container in enumerate(items(status, "ephemeralContainerStatuses")):
        if items(container, "allocatedResourcesStatus"):
            at = f"status.ephemeralContainerStatuses[{index}].allocatedResourcesStatus"
            yield forbidden(at, "must not be specified in container status")


def _of_container(name: str, resources: Object, path: str) -> Errors:
    if name.startswith("claim:"):
        claims = ((claim.get("name") or "", claim.get("request")) for claim in items(resources, "claims"))
        if name.removeprefix("claim:") not in {f"{one}/{request}" if request else one for one, request in claims}:
            yield invalid(path, name, _OF_CLAIMS)
    elif name not in child(resources, "requests"):
        yield invalid(path, name, "must match one of the container's resource requests")


def _health(resources: list[Object], path: str) -> Errors:
    seen = set()
    for index, resource in enumerate(resources):
        at, health = f"{path}[{index}]", resource.get("health") or ""
        if health not in _HEALTH:
            yield not_supported(f"{at}.health", health, _HEALTH)
        if resource.get("message") == "":
            yield required(f"{at}.message", "must be non-empty if specified")
        name = resource.get("resourceID") or ""
        if name in seen:
            yield duplicate(f"{at}.resourceID", name)
        seen.add(name)
