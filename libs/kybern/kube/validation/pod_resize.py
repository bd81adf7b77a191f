"""The `resize` subresource of a pod: cpu and memory of its containers, within the same quality of service class."""

from kybern.kube.defaults.create import qos_class
from kybern.kube.field import forbidden, invalid
from kybern.kube.validation.fields import Errors, Object, child, items, same
from kybern.kube.validation.pod import MIRROR, validate_whole_pod

_MUTABLE = ("cpu", "memory")
_SIDES = ("requests", "limits")
_LISTS = ("containers", "initContainers")


def validate_resize_update(pod: Object, old: Object) -> Errors:
    """What may not be resized at all, then what may not change."""
    if MIRROR in child(child(old, "metadata"), "annotations"):
        yield forbidden("[]", "static pods cannot be resized")
        return
    spec, before = child(pod, "spec"), child(old, "spec")
    if child(before, "os").get("name") == "windows":
        yield forbidden("[]", "windows pods cannot be resized")
        return
    yield from validate_whole_pod(pod)
    if (child(old, "status").get("qosClass") or qos_class(old)) != qos_class(pod):
        shown = child(pod, "status").get("qosClass") or ""
        yield invalid("spec", shown, "Pod QOS Class may not change as a result of resizing")
    if not _is_supported(old):
        yield forbidden("spec", "Pod running on node without support for resize")
    yield from _pod_level(spec, before)
    disorder = [*_disorder(spec, before)]
    yield from disorder
    if not disorder:
        yield from _containers(spec, before)


def _is_supported(pod: Object) -> bool:
    """Whether the node tells what running containers have; if none runs, it is taken to."""
    running = (one for one in items(child(pod, "status"), "containerStatuses") if child(one, "state").get("running"))
    first = next(running, None)
    return first is None or first.get("resources") is not None


def _pod_level(spec: Object, before: Object) -> Errors:
    new, old = child(spec, "resources"), child(before, "resources")
    if not any(given.get(side) for given in (new, old) for side in _SIDES):
        return
    if before.get("resources") is not None and spec.get("resources") is None:
        yield forbidden("spec.resources", "pod-level resources cannot be removed")
        return
    for side in _SIDES:
        if child(old, side).keys() - child(new, side).keys():
            yield forbidden(f"spec.resources.{side}", f"pod-level resource {side} cannot be removed")
    if not same(_masked(new), _masked(old)) or not same(new.get("claims"), old.get("claims")):
        yield forbidden("spec", "only cpu and memory resources are mutable at pod-level")


def _disorder(spec: Object, before: Object) -> Errors:
    for name in _LISTS:
        new, old = items(spec, name), items(before, name)
        if len(new) != len(old):
            yield forbidden(f"spec.{name}", f"{name} may not be added or removed on resize")
            continue
        for index, (one, was) in enumerate(zip(new, old, strict=True)):
            if one.get("name") != was.get("name"):
                yield forbidden(f"spec.{name}[{index}].name", f"{name} may not be renamed or reordered on resize")


def _containers(spec: Object, before: Object) -> Errors:
    for name in reversed(_LISTS):
        for index, (new, old) in enumerate(zip(items(spec, name), items(before, name), strict=True)):
            for side in _SIDES:
                had = child(child(old, "resources"), side).keys()
                if had - child(child(new, "resources"), side).keys():
                    yield forbidden(f"spec.{name}[{index}].resources.{side}", f"resource {side} cannot be removed")
    for new, old in zip(items(spec, "containers"), items(before, "containers"), strict=True):
        if not _same_otherwise(new, old):
            yield forbidden("spec", "only cpu and memory resources are mutable")
    for index, (new, old) in enumerate(
        zip(items(spec, "initContainers"), items(before, "initContainers"), strict=True)
    ):
        at = f"spec.initContainers[{index}]"
        if not _same_otherwise(new, old):
            yield forbidden(at, "only cpu and memory resources for init or sidecar containers are mutable")
        if new.get("restartPolicy") == "Always" or same(new, old):
            continue
        for policy in items(new, "resizePolicy"):
            if policy.get("restartPolicy") == "RestartContainer":
                why = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
                yield forbidden(at, why)


def _same_otherwise(new: Object, old: Object) -> bool:
    """Whether containers differ in nothing but cpu and memory; what claims devices differs always, as upstream."""
    resources = child(old, "resources")
    if resources.get("claims"):
        return False
    return same({**new, "resources": _masked(child(new, "resources"))}, {**old, "resources": _masked(resources)})


def _masked(resources: Object) -> Object:
    """Resources without the amounts that may change."""
    return {
        side: {name: amount for name, amount in child(resources, side).items() if name not in _MUTABLE}
        for side in _SIDES
    }
