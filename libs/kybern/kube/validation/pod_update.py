"""Updates of a pod: the few fields of its spec that may change, and what its subresources may change."""

import copy
from typing import Any

from kybern.kube.container_restarts import restarts_after
from kybern.kube.field import duplicate, forbidden, invalid, not_found, required
from kybern.kube.validation.env import validate_env, validate_env_from
from kybern.kube.validation.fields import Errors, Object, child, immutable, items, required_text, same, text
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain, ip_address, range_error
from kybern.kube.validation.pod import MIRROR
from kybern.kube.validation.scheduling import validate_tolerations

_MAX_INT32 = 2**31 - 1
_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate_pod_update(pod: Object, old: Object) -> Errors:
    """Images, a shorter deadline, more tolerations, fewer scheduling gates: the rest of spec stays."""
    spec, before = child(pod, "spec"), child(old, "spec")
    yield from _mirror_update(pod, old)
    for name in ("containers", "initContainers"):
        if len(items(spec, name)) != len(items(before, name)):
            yield forbidden(f"spec.{name}", "pod updates may not add or remove containers")
            return
        for index, container in enumerate(items(spec, name)):
            if not container.get("image"):
                yield required(f"spec.{name}[{index}].image")
    yield from _deadline_update(spec, before)
    yield from validate_tolerations(items(spec, "tolerations"), "spec.tolerations")
    yield from _tolerations_update(spec, before)
    old_gates = items(before, "schedulingGates")
    if any(gate not in old_gates for gate in items(spec, "schedulingGates")):
        yield forbidden("spec.schedulingGates", "only deletion is allowed, but found new scheduling gate")
    if not same(_with_updatable(spec, before), before):
        yield forbidden("spec", _UPDATABLE)


def _with_updatable(spec: Object, before: Object) -> Object:
    """`spec` with what may change put back to what it was."""
    munged = copy.deepcopy(spec)
    for name in ("containers", "initContainers"):
        for container, old in zip(items(munged, name), items(before, name), strict=True):
            container["image"] = old.get("image")
    gated = bool(before.get("schedulingGates"))
    for name in ("activeDeadlineSeconds", "tolerations", "schedulingGates", *(("nodeSelector",) if gated else ())):
        _put_back(munged, before, name)
    if gated and not before.get("affinity"):
        munged.pop("affinity", None)
    if (before.get("terminationGracePeriodSeconds") or 0) < 0 and munged.get("terminationGracePeriodSeconds") == 1:
        _put_back(munged, before, "terminationGracePeriodSeconds")
    return munged


def _put_back(munged: Object, before: Object, name: str) -> None:
    munged.pop(name, None)
    if name in before:
        munged[name] = before[name]


def _mirror_update(pod: Object, old: Object) -> Errors:
    new_value = child(child(pod, "metadata"), "annotations").get(MIRROR)
    old_value = child(child(old, "metadata"), "annotations").get(MIRROR)
    if new_value != old_value:
        verb = "add" if old_value is None else "remove or update"
        yield forbidden(f"metadata.annotations[{MIRROR}]", f"may not {verb} mirror pod annotation")


def _deadline_update(spec: Object, before: Object) -> Errors:
    path = "spec.activeDeadlineSeconds"
    new, old = spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
    if new is None:
        if old is not None:
            yield invalid(path, None, "must not update from a positive integer to nil value")
    elif not 0 <= new <= _MAX_INT32:
        yield invalid(path, new, range_error(0, _MAX_INT32))
    elif old is not None and old < new:
        yield invalid(path, new, "must be less than or equal to previous value")


def _tolerations_update(spec: Object, before: Object) -> Errors:
    """Tolerations may be added, and an existing one's tolerationSeconds changed."""

    def key(toleration: Object) -> tuple[Any, ...]:
        return tuple(toleration.get(name) or "" for name in ("key", "operator", "value", "effect"))

    kept = {key(toleration) for toleration in items(spec, "tolerations")}
    if any(key(toleration) not in kept for toleration in items(before, "tolerations")):
        yield forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")


_EPHEMERAL_NEVER = (
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resizePolicy",
    "restartPolicy",
)


def validate_ephemeral_containers_update(pod: Object, old: Object) -> Errors:
    """The `ephemeralcontainers` subresource: containers may be added, never changed or taken away."""
    spec, path = child(pod, "spec"), "spec.ephemeralContainers"
    before = {container.get("name"): container for container in items(child(old, "spec"), "ephemeralContainers")}
    containers = items(spec, "ephemeralContainers")
    ordinary = {c.get("name") for name in ("containers", "initContainers") for c in items(spec, name)}
    names = set(ordinary)
    for index, container in enumerate(containers):
        at = f"{path}[{index}]"
        name = container.get("name") or ""
        yield from required_text(container, "name", at, dns1123_label)
        if name and name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        yield from _ephemeral_container(container, ordinary, at)
    given = {container.get("name"): container for container in containers}
    for name, container in before.items():
        if name not in given:
            yield forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n')
        elif not same(given[name], container):
            yield forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n')


def _ephemeral_container(container: Object, ordinary: set[Any], path: str) -> Errors:
    if not container.get("image"):
        yield required(f"{path}.image")
    for field in _EPHEMERAL_NEVER:
        if container.get(field):
            yield forbidden(f"{path}.{field}", "cannot be set for an Ephemeral Container")
    if child(container, "resources"):
        yield forbidden(f"{path}.resources", "cannot be set for an Ephemeral Container")
    target = container.get("targetContainerName")
    if target and target not in ordinary:
        yield not_found(f"{path}.targetContainerName", target)
    yield from validate_env(items(container, "env"), f"{path}.env")
    yield from validate_env_from(items(container, "envFrom"), f"{path}.envFrom")


def validate_pod_status_update(pod: Object, old: Object) -> Errors:
    """The `status` subresource: addresses are addresses, and what has ended for good does not run again."""
    status, before = child(pod, "status"), child(old, "status")
    if before.get("qosClass"):
        yield from immutable(status.get("qosClass"), before["qosClass"], "status.qosClass")
    if status.get("nominatedNodeName"):
        if child(pod, "spec").get("nodeName") and status["nominatedNodeName"] != before.get("nominatedNodeName"):
            yield forbidden("status.nominatedNodeName", "may not be set on pods that are already bound to a node")
        yield from text(status["nominatedNodeName"], "status.nominatedNodeName", dns1123_subdomain)
    for field in ("podIPs", "hostIPs"):
        for index, entry in enumerate(items(status, field)):
            yield from text(entry.get("ip") or "", f"status.{field}[{index}]", ip_address)
    yield from _no_revival(status, before, child(pod, "spec"))


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
