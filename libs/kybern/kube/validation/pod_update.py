"""Updates of a pod: the few fields of its spec that may change, and what its subresources may change."""

from typing import Any

from kybern.kube.field import forbidden, invalid, required
from kybern.kube.go_diff import go_diff
from kybern.kube.go_struct import go_struct, same_struct
from kybern.kube.validation.container import PADDED, is_padded
from kybern.kube.validation.fields import Errors, Object, child, items, same
from kybern.kube.validation.names import range_error
from kybern.kube.validation.pod import MIRROR, validate_mirror, validate_whole_pod
from kybern.kube.validation.pod_annotations import validate_seccomp_annotations
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
    yield from validate_whole_pod(pod)
    if not spec.get("serviceAccountName"):
        yield from _tokens_of_nobody(spec)
    yield from _mirror_update(pod, old)
    annotations = child(child(pod, "metadata"), "annotations")
    yield from validate_mirror(annotations, spec)
    yield from validate_seccomp_annotations(annotations, "metadata.annotations")
    for name in ("containers", "initContainers"):
        if len(items(spec, name)) != len(items(before, name)):
            yield forbidden(f"spec.{name}", "pod updates may not add or remove containers")
            return
        for index, container in enumerate(items(spec, name)):
            image, at = container.get("image") or "", f"spec.{name}[{index}].image"
            if not image:
                yield required(at)
            elif is_padded(image):
                yield invalid(at, image, PADDED)
    yield from _deadline_update(spec, before)
    yield from _tolerations_update(spec, before)
    old_gates = [gate.get("name") or "" for gate in items(before, "schedulingGates")]
    for index, gate in enumerate(items(spec, "schedulingGates")):
        if (name := gate.get("name") or "") not in old_gates:
            detail = f"only deletion is allowed, but found new scheduling gate '{name}'"
            yield forbidden(f"spec.schedulingGates[{index}].name", detail)
    if before.get("schedulingGates"):
        yield from _selector_update(child(spec, "nodeSelector"), child(before, "nodeSelector"))
        yield from _affinity_update(child(spec, "affinity"), child(before, "affinity"))
    if spec == before:
        return
    munged = _with_updatable(spec, before)
    if not same_struct(go_struct(_POD_SPEC, munged), go_struct(_POD_SPEC, before)):
        yield forbidden("spec", f"{_UPDATABLE}\n{go_diff(_POD_SPEC, before, munged)}")


def _tokens_of_nobody(spec: Object) -> Errors:
    for index, volume in enumerate(items(spec, "volumes")):
        for place, source in enumerate(items(child(volume, "projected"), "sources")):
            if source.get("serviceAccountToken") is not None:
                at = f"spec.volumes[{index}].projected.sources[{place}].serviceAccountToken"
                yield forbidden(at, "must not be specified when serviceAccountName is not set")


def _with_updatable(spec: Object, before: Object) -> Object:
    """`spec` with what may change put back to what it was."""
    munged = {**spec}
    for name in ("containers", "initContainers"):
        if munged.get(name):
            pairs = zip(items(spec, name), items(before, name), strict=True)
            munged[name] = [{**container, "image": old.get("image")} for container, old in pairs]
    gated = bool(before.get("schedulingGates"))
    for name in ("activeDeadlineSeconds", "tolerations", "schedulingGates", *(("nodeSelector",) if gated else ())):
        _put_back(munged, before, name)
    if gated and not before.get("affinity"):
        munged.pop("affinity", None)
    elif gated and munged.get("affinity") is not None:
        munged["affinity"] = {**munged["affinity"]}
        _put_back(munged["affinity"], before["affinity"], "nodeAffinity")
    if (before.get("terminationGracePeriodSeconds") or 0) < 0 and munged.get("terminationGracePeriodSeconds") == 1:
        _put_back(munged, before, "terminationGracePeriodSeconds")
    return munged


_POD_SPEC = "k8s.io.api.core.v1.PodSpec"
_TERM = "k8s.io.api.core.v1.NodeSelectorTerm"
_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"


def _selector_update(new: Object, old: Object) -> Errors:
    if any(new.get(name) != value for name, value in old.items()):
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        yield invalid("spec.nodeSelector", new, detail)


def _affinity_update(new: Object, old: Object) -> Errors:
    """While a pod is gated its node affinity may become narrower: terms stay, and ask for more."""
    wanted = child(child(old, "nodeAffinity"), _TERMS)
    if not wanted:
        return
    path = f"spec.affinity.nodeAffinity.{_TERMS}.nodeSelectorTerms"
    terms, before = items(child(child(new, "nodeAffinity"), _TERMS), "nodeSelectorTerms"), wanted["nodeSelectorTerms"]
    if len(terms) != len(before):
        yield invalid(path, terms or None, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        return
    for index, (one, was) in enumerate(zip(terms, before, strict=True)):
        if not (was.get("matchExpressions") or was.get("matchFields")):
            if one.get("matchExpressions") or one.get("matchFields"):
                yield invalid(f"{path}[{index}]", go_struct(_TERM, one), "updates are not allowed to empty terms")
            continue
        for name in ("matchExpressions", "matchFields"):
            if items(one, name)[: len(items(was, name))] != items(was, name):
                detail = "only additions are allowed (no mutations or deletions)"
                yield invalid(f"{path}[{index}]", go_struct(_TERM, one), detail)
                break


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
    yield from validate_tolerations(items(spec, "tolerations"), "spec.tolerations")  # told a second time


def validate_ephemeral_containers_update(pod: Object, old: Object) -> Errors:
    """The `ephemeralcontainers` subresource: containers may be added, never changed or taken away."""
    if MIRROR in child(child(old, "metadata"), "annotations"):
        yield forbidden("[]", "static pods do not support ephemeral containers")
        return
    yield from validate_whole_pod(pod)
    path = "spec.ephemeralContainers"
    given = {container.get("name"): container for container in items(child(pod, "spec"), "ephemeralContainers")}
    for container in items(child(old, "spec"), "ephemeralContainers"):
        name = container.get("name")
        if name not in given:
            yield forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n')
        elif not same(given[name], container):
            changed = go_diff("k8s.io.api.core.v1.EphemeralContainer", container, given[name])
            yield forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n{changed}')
