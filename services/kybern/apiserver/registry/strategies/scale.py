"""Scale: `autoscaling/v1 Scale` as a view of the replicas of Deployments, ReplicaSets, StatefulSets and RCs."""

from typing import Any

from kybern.apiserver.registry.metadata import other_uid
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object
from kybern.kube import selectors
from kybern.kube.field import invalid as field_invalid
from kybern.kube.status import bad_request, internal, invalid, unknown_resource
from kybern.kube.structural import CustomKind
from kybern.kube.structural import Scale as Paths
from kybern.kube.structural.kind import member_at, with_member

GVK = ("autoscaling", "v1", "Scale")
COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Object, custom: CustomKind | None = None) -> Object:
    """The Scale of an object."""
    if custom is not None:
        return _custom_scale(obj, custom.scale)
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    selector = spec.get("selector") or {}
    if obj["kind"] == "ReplicationController":
        text = str(selectors.from_labels(selector))
    else:
        text = str(selectors.from_label_selector(selector))
    return _scale(obj, spec.get("replicas"), status.get("replicas"), text)


def shown_scale(obj: Object, custom: CustomKind | None) -> Object:
    """The Scale to read. Raises StatusError (500) for a custom resource that does not say how many it wants."""
    path = custom.scale.spec if custom is not None and custom.scale is not None else ""
    if path and not isinstance(member_at(obj, path), int):
        raise internal(f'the spec replicas field "{path}" does not exist')
    return scale_of(obj, custom)


def _custom_scale(obj: Object, paths: Paths | None) -> Object:
    if paths is None:
        raise unknown_resource()
    selector = member_at(obj, paths.selector) if paths.selector else ""
    return _scale(obj, member_at(obj, paths.spec), member_at(obj, paths.status), selector)


def _scale(obj: Object, replicas: Any, seen: Any, selector: Any) -> Object:
    metadata: dict[str, Any] = {member: obj["metadata"][member] for member in COPIED if member in obj["metadata"]}
    shown: dict[str, Any] = {"replicas": seen if isinstance(seen, int) else 0}
    if selector and isinstance(selector, str):
        shown["selector"] = selector
    wanted = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": wanted, "status": shown}


def replicas_of(scale: Object) -> int | None:
    """What a Scale asks for; null is none."""
    spec = scale.get("spec") or {}
    return int(spec["replicas"] or 0) if "replicas" in spec else None


def with_replicas(obj: Object, replicas: int, custom: CustomKind | None) -> Object:
    """The object with so many replicas, where its kind has them."""
    path = custom.scale.spec if custom is not None and custom.scale is not None else ".spec.replicas"
    return with_member(obj, path, replicas)


def scaled(request: Request, obj: Object, scale: Object) -> Object:
    """The object with the replicas of a Scale. Raises StatusError."""
    metadata = scale["metadata"]
    name = metadata.get("name") or request.name
    if name != request.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({request.name})")
    replicas = replicas_of(scale) or 0
    if metadata.get("uid") and metadata["uid"] != obj["metadata"]["uid"]:
        raise other_uid(request, metadata["uid"], obj["metadata"]["uid"])
    if replicas < 0 and request.served.custom is None:
        error = field_invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid("autoscaling", "Scale", name, [error])
    changed = {**with_replicas(obj, replicas, request.served.custom), "metadata": dict(obj["metadata"])}
    changed["metadata"].pop("resourceVersion", None)
    if metadata.get("resourceVersion"):
        changed["metadata"]["resourceVersion"] = metadata["resourceVersion"]
    return changed
