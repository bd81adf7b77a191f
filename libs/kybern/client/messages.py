"""Messages of the object API as callers see them: objects, lists and events from bytes, and bytes from objects."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from kybern.client.resources import Resource
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb

ADDED, MODIFIED, DELETED, BOOKMARK = "ADDED", "MODIFIED", "DELETED", "BOOKMARK"
_TYPES = {
    pb.EVENT_TYPE_ADDED: ADDED,
    pb.EVENT_TYPE_MODIFIED: MODIFIED,
    pb.EVENT_TYPE_DELETED: DELETED,
    pb.EVENT_TYPE_BOOKMARK: BOOKMARK,
}

Objects = list[Object]


class WatchEvent(NamedTuple):
    """One change of one object; `traceparent` belongs to the write behind it."""

    type: str
    object: Object
    traceparent: str = ""


@dataclass(slots=True)
class ObjectList:
    """A list, or one page of it when `continue_token` is not empty."""

    items: list[Object] = field(default_factory=list)
    resource_version: str = ""
    continue_token: str = ""
    remaining_item_count: int | None = None

    def take(self, chunk: pb.ListResponse, resource: Resource) -> None:
        """Add what a chunk has; the last one has the list's metadata."""
        items: Objects = orjson.loads(b"[" + chunk.items + b"]")
        for item in items:
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        self.items += items
        if chunk.last:
            self.resource_version = chunk.resource_version
            self.continue_token = chunk.continue_token
            if chunk.HasField("remaining_item_count"):
                self.remaining_item_count = chunk.remaining_item_count


Events = list[WatchEvent]


def events_of(response: pb.WatchResponse) -> tuple[Events, StatusError | None]:
    """The events of a batch, up to an ERROR event: that is the end of the watch."""
    events: Events = []
    for event in response.events:
        obj = orjson.loads(event.object)
        if event.type == pb.EVENT_TYPE_ERROR:
            return events, StatusError(obj)
        events.append(WatchEvent(_TYPES[event.type], obj, event.traceparent))
    return events, None


def resource_message(resource: Resource, namespace: str = "", subresource: str = "") -> pb.Resource:
    return pb.Resource(
        group=resource.group,
        version=resource.version,
        resource=resource.resource,
        subresource=subresource,
        namespace=namespace if resource.namespaced else "",
    )


def object_of(response: Any) -> Object:
    obj: Object = orjson.loads(response.object) if response.object else {}
    return obj


def encoded(resource: Resource, obj: Object) -> bytes:
    if "kind" not in obj or "apiVersion" not in obj:
        obj = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
    return orjson.dumps(obj)


def delete_options(uid: str, resource_version: str, grace: int | None, propagation_policy: str) -> bytes:
    options: Object = {}
    preconditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
    if preconditions:
        options["preconditions"] = preconditions
    if grace is not None:
        options["gracePeriodSeconds"] = grace
    if propagation_policy:
        options["propagationPolicy"] = propagation_policy
    return orjson.dumps({"apiVersion": "v1", "kind": "DeleteOptions", **options}) if options else b""
