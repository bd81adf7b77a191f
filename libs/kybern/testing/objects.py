"""A small object API to test clients against: the real wire and handler table over a dict, with faults on demand.

It keeps what informers and controllers rely on: resourceVersions, conflicts, generation, uids, generateName, status
apart from spec, finalizers, watches with history and 410. It knows no schema, no defaults and no authorization.
"""

import asyncio
import copy
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from kybern.kube import meta, selectors
from kybern.kube import status as statuses
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.rpc.exchange.context import CallContext
from kybern.rpc.exchange.servicer import add_objects_to_server

Collection = tuple[str, str]  # group, resource
CHUNK = 2  # objects in a chunk of a list
Fault = Callable[[str, Any], StatusError | None]


class FakeObjects:
    """The state of the API. `fault(verb, request)` may refuse any request."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.now = now
        self.revision = 0
        self.collections: dict[Collection, dict[str, Object]] = {}
        self.history: list[tuple[Collection, int, pb.WatchEvent, Object]] = []
        self.compacted = 0
        self.requests: list[tuple[str, Any, str]] = []  # verb, request, traceparent
        self.fault: Fault = lambda verb, request: None
        self.duplicate_events = False
        self._changed = asyncio.Event()
        self._watch_epoch = 0

    def serve(self, server: Any) -> None:
        """Add the service to a server."""
        verbs = ("get", "create", "update", "patch", "delete", "delete_collection")
        table: dict[str, Any] = {verb: self._checked(verb, getattr(self, f"_{verb}")) for verb in verbs}
        add_objects_to_server({**table, "list": self._list, "watch": self._watch}, server, logging.getLogger("fake"))

    # faults

    def drop_watches(self) -> None:
        """End every open watch."""
        self._watch_epoch += 1
        self._wake()

    def compact(self) -> None:
        """Forget the history: watches from an older resourceVersion get 410."""
        self.compacted = self.revision
        self.history.clear()

    # direct access, as another client would have

    def put(self, collection: Collection, obj: Object, traceparent: str = "") -> Object:
        """Create or replace an object."""
        objects = self.collections.setdefault(collection, {})
        known = objects.get(meta.key(obj))
        obj = copy.deepcopy(obj)
        metadata = obj.setdefault("metadata", {})
        if known is None:
            metadata.setdefault("uid", f"uid-{self.revision + 1}")
            metadata.setdefault("creationTimestamp", meta.format_time(self.now()))
            metadata["generation"] = 1
        else:
            metadata["uid"] = meta.uid(known)
            metadata["generation"] = meta.generation(known) + (known.get("spec") != obj.get("spec"))
        self._stamp(obj)
        objects[meta.key(obj)] = obj
        self._emit(collection, pb.EVENT_TYPE_ADDED if known is None else pb.EVENT_TYPE_MODIFIED, obj, traceparent)
        return obj

    def remove(self, collection: Collection, key: str, traceparent: str = "") -> None:
        """Drop an object, finalizers or not."""
        obj = copy.deepcopy(self.collections[collection].pop(key))
        self._stamp(obj)
        self._emit(collection, pb.EVENT_TYPE_DELETED, obj, traceparent)

    def get(self, collection: Collection, key: str) -> Object | None:
        return self.collections.get(collection, {}).get(key)

    def all(self, collection: Collection) -> list[Object]:
        return [*self.collections.get(collection, {}).values()]

    # handlers

    def _checked(self, verb: str, handler: Callable[[Any, str], Any]) -> Callable[[Any, CallContext], Any]:
        def handle(request: Any, context: CallContext) -> Any:
            self.requests.append((verb, request, context.traceparent))
            error = self.fault(verb, request)
            if error is not None:
                raise error
            return handler(request, context.traceparent)

        return handle

    def _found(self, request: Any) -> tuple[Collection, Object]:
        collection = (request.resource.group, request.resource.resource)
        key = meta.join_key(request.resource.namespace, request.name)
        obj = self.get(collection, key)
        if obj is None:
            raise statuses.not_found(*collection, request.name)
        return collection, obj

    def _get(self, request: pb.GetRequest, traceparent: str) -> pb.GetResponse:
        return pb.GetResponse(object=orjson.dumps(self._found(request)[1]))

    async def _list(self, request: pb.ListRequest, context: CallContext) -> AsyncIterator[pb.ListResponse]:
        self.requests.append(("list", request, context.traceparent))
        error = self.fault("list", request)
        if error is not None:
            raise error
        found = [obj for obj in self.all((request.resource.group, request.resource.resource)) if _wanted(request, obj)]
        for start in range(0, len(found), CHUNK):
            items = b",".join(orjson.dumps(obj) for obj in found[start : start + CHUNK])
            yield pb.ListResponse(items=items, count=len(found[start : start + CHUNK]))
        yield pb.ListResponse(last=True, resource_version=str(self.revision))

    async def _watch(self, request: pb.WatchRequest, context: CallContext) -> AsyncIterator[pb.WatchResponse]:
        self.requests.append(("watch", request, context.traceparent))
        error = self.fault("watch", request)
        if error is not None:
            raise error
        seen, epoch = int(request.resource_version or self.revision), self._watch_epoch
        collection = (request.resource.group, request.resource.resource)
        while epoch == self._watch_epoch:
            if seen < self.compacted:
                status = statuses.expired(f"too old resource version: {seen} ({self.compacted})").status
                error_event = pb.WatchEvent(type=pb.EVENT_TYPE_ERROR, object=orjson.dumps(status))
                yield pb.WatchResponse(events=[error_event])
                return
            changed = self._changed
            batch = [
                event
                for where, revision, event, obj in self.history
                if revision > seen and where == collection and _wanted(request, obj)
            ]
            seen = self.revision
            if batch:
                yield pb.WatchResponse(events=[e for e in batch for _ in range(1 + self.duplicate_events)])
            else:
                await changed.wait()

    def _create(self, request: pb.CreateRequest, traceparent: str) -> pb.CreateResponse:
        obj = orjson.loads(request.object)
        collection = (request.resource.group, request.resource.resource)
        metadata = obj.setdefault("metadata", {})
        if request.resource.namespace:
            metadata["namespace"] = request.resource.namespace
        if "name" not in metadata:
            metadata["name"] = f"{metadata['generateName']}{self.revision + 1:05}"
        if self.get(collection, meta.key(obj)) is not None:
            raise statuses.already_exists(*collection, meta.name(obj))
        return pb.CreateResponse(object=orjson.dumps(self.put(collection, obj, traceparent)))

    def _update(self, request: pb.UpdateRequest, traceparent: str) -> pb.UpdateResponse:
        collection, known = self._found(request)
        obj = orjson.loads(request.object)
        version = meta.resource_version(obj)
        if version and version != meta.resource_version(known):
            raise statuses.conflict(*collection, request.name)
        return pb.UpdateResponse(
            object=orjson.dumps(self._write(collection, known, obj, request.resource.subresource, traceparent))
        )

    def _patch(self, request: pb.PatchRequest, traceparent: str) -> pb.PatchResponse:
        collection, known = self._found(request)
        patch = orjson.loads(request.patch)
        if patch.get("metadata", {}).get("uid", meta.uid(known)) != meta.uid(known):
            raise statuses.conflict(*collection, request.name)
        obj = _merge(known, patch, strategic="strategic" in request.patch_type)
        return pb.PatchResponse(
            object=orjson.dumps(self._write(collection, known, obj, request.resource.subresource, traceparent))
        )

    def _write(self, collection: Collection, known: Object, obj: Object, subresource: str, traceparent: str) -> Object:
        if subresource == "status":
            obj = {**known, "status": obj.get("status", {})}
        else:
            obj = {**obj, **({"status": known["status"]} if "status" in known else {})}
            metadata = known["metadata"]
            obj["metadata"] = {**obj["metadata"], "creationTimestamp": metadata["creationTimestamp"]}
        if {**known, "metadata": {**known["metadata"], "resourceVersion": ""}} == {
            **obj,
            "metadata": {**obj["metadata"], "resourceVersion": ""},
        }:
            return known
        written = self.put(collection, obj, traceparent)
        if meta.is_deleting(written) and not meta.finalizers(written):
            self.remove(collection, meta.key(written), traceparent)
        return written

    def _delete(self, request: pb.DeleteRequest, traceparent: str) -> pb.DeleteResponse:
        collection, known = self._found(request)
        options = orjson.loads(request.options) if request.options else {}
        uid = options.get("preconditions", {}).get("uid")
        if uid and uid != meta.uid(known):
            raise statuses.conflict(*collection, request.name)
        return self._delete_one(collection, known, options, traceparent)

    def _delete_one(self, collection: Collection, known: Object, options: Object, trace: str) -> pb.DeleteResponse:
        finalizers = [*meta.finalizers(known)]
        policy = options.get("propagationPolicy")
        if policy in ("Foreground", "Orphan"):
            name = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}[policy]
            finalizers += [name] if name not in finalizers else []
        if not finalizers and not known.get("spec", {}).get("finalizers"):
            self.remove(collection, meta.key(known), trace)
            return pb.DeleteResponse(object=orjson.dumps(statuses.success()), deleted=True)
        metadata = {**known["metadata"], "deletionTimestamp": meta.format_time(self.now())}
        if finalizers:
            metadata["finalizers"] = finalizers
        written = known if meta.is_deleting(known) else self.put(collection, {**known, "metadata": metadata}, trace)
        return pb.DeleteResponse(object=orjson.dumps(written))

    def _delete_collection(self, request: pb.DeleteCollectionRequest, traceparent: str) -> pb.DeleteCollectionResponse:
        collection = (request.resource.group, request.resource.resource)
        for obj in self.all(collection):
            if _wanted(request, obj):
                self._delete_one(collection, obj, {}, traceparent)
        return pb.DeleteCollectionResponse(list=b'{"items":[]}')

    # state

    def _stamp(self, obj: Object) -> None:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)

    def _emit(self, collection: Collection, type_: Any, obj: Object, traceparent: str) -> None:
        event = pb.WatchEvent(type=type_, object=orjson.dumps(obj), traceparent=traceparent)
        self.history.append((collection, self.revision, event, obj))
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _wanted(request: Any, obj: Object) -> bool:
    if request.resource.namespace and request.resource.namespace != meta.namespace(obj):
        return False
    return selectors.parse(request.label_selector).matches(meta.labels(obj))


def _merge(known: Any, patch: Any, *, strategic: bool) -> Any:
    if not isinstance(patch, dict) or not isinstance(known, dict):
        return patch
    merged = dict(known)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif strategic and key == "ownerReferences":
            uids = {ref["uid"] for ref in value}
            kept = [ref for ref in merged.get(key, []) if ref["uid"] not in uids]
            merged[key] = kept + [ref for ref in value if "$patch" not in ref]
        elif strategic and key == "conditions":
            merged[key] = [one for one in value if "$patch" not in one]
        else:
            merged[key] = _merge(merged.get(key), value, strategic=strategic)
    return merged
