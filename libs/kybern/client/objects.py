"""The objects client: Kubernetes' verbs on plain dicts.

Every method raises `StatusError` when the apiserver refuses or cannot be reached. `traceparent` is the W3C trace
context under which the request is made; a write passes it on to everybody who watches the object. Not promised:
retries; what a caller does about a failure is the caller's decision.
"""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import orjson

from kybern.client.calls import Calls, ExchangeCalls, UnaryCalls
from kybern.client.messages import (
    Events,
    ObjectList,
    Objects,
    delete_options,
    encoded,
    events_of,
    object_of,
    resource_message,
)
from kybern.client.resources import Resource
from kybern.client.tracing import current_traceparent
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.protos.api.v1 import objects_pb2 as pb
from kybern.rpc.exchange.client import ExchangeClient

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class Client:
    """The object API for one identity, the channel's.

    `async with Client(channel) as client:` makes requests and watches over one Exchange; a client that is not entered
    makes a gRPC call for each. `timeout` is the deadline of a request in seconds; `field_manager` names the writer in
    managedFields.
    """

    def __init__(self, channel: Any, *, timeout: float = 30.0, field_manager: str = "") -> None:
        self.channel = channel
        self.calls: Calls = UnaryCalls(channel)
        self.timeout = timeout
        self.field_manager = field_manager
        self._exchange: ExchangeClient | None = None

    async def __aenter__(self) -> Self:
        self._exchange = await ExchangeClient(self.channel).__aenter__()
        self.calls = ExchangeCalls(self.channel, self._exchange)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        exchange, self._exchange = self._exchange, None
        self.calls = UnaryCalls(self.channel)
        if exchange is not None:
            await exchange.__aexit__(kind, error, trace)

    async def get(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        subresource: str = "",
        resource_version: str = "",
        traceparent: str = "",
    ) -> Object:
        request = pb.GetRequest(
            resource=resource_message(resource, namespace, subresource), name=name, resource_version=resource_version
        )
        return object_of(await self.calls.call("get", request, traceparent, self.timeout))

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
        resource_version_match: str = "",
        traceparent: str = "",
    ) -> ObjectList:
        """A list; without `limit` it is complete. Items carry `kind` and `apiVersion`."""
        request = pb.ListRequest(
            resource=resource_message(resource, namespace),
            label_selector=label_selector,
            field_selector=field_selector,
            limit=limit,
            continue_token=continue_token,
            resource_version=resource_version,
            resource_version_match=resource_version_match,
        )
        result = ObjectList()
        async for chunk in self.calls.stream("list", request, traceparent, self.timeout):
            result.take(chunk, resource)
        return result

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        name: str = "",
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        resource_version_match: str = "",
        allow_bookmarks: bool = True,
        send_initial_events: bool = False,
        timeout_seconds: int = 0,
        traceparent: str = "",
    ) -> AsyncIterator[Events]:
        """Batches of events until the server ends the watch; an ERROR event is raised as its StatusError."""
        request = pb.WatchRequest(
            resource=resource_message(resource, namespace),
            name=name,
            label_selector=label_selector,
            field_selector=field_selector,
            resource_version=resource_version,
            resource_version_match=resource_version_match,
            allow_bookmarks=allow_bookmarks,
            send_initial_events=send_initial_events or None,
            timeout_seconds=timeout_seconds,
        )
        deadline = float(timeout_seconds or 3600) + self.timeout
        responses = self.calls.stream("watch", request, traceparent, deadline)
        try:
            async for response in responses:
                events, error = events_of(response)
                if events or error is None:
                    yield events
                if error is not None:
                    raise error
        finally:
            close = getattr(responses, "aclose", None)
            if close is not None:
                await close()

    async def create(
        self, resource: Resource, obj: Object, namespace: str = "", *, dry_run: bool = False, traceparent: str = ""
    ) -> Object:
        """Create `obj` in `namespace`, by default its own."""
        request = pb.CreateRequest(
            resource=resource_message(resource, namespace or meta.namespace(obj)),
            name=meta.name(obj),
            object=encoded(resource, obj),
            options=self._options(dry_run),
        )
        return object_of(await self._write("create", request, traceparent))

    async def create_subresource(
        self,
        resource: Resource,
        subresource: str,
        name: str,
        obj: Object,
        namespace: str = "",
        *,
        dry_run: bool = False,
        traceparent: str = "",
    ) -> Object:
        """POST to a subresource: `binding` and `eviction` of a pod, `token` of a service account."""
        request = pb.CreateRequest(
            resource=resource_message(resource, namespace, subresource),
            name=name,
            object=orjson.dumps(obj),
            options=self._options(dry_run),
        )
        return object_of(await self._write("create", request, traceparent))

    async def update(
        self,
        resource: Resource,
        obj: Object,
        *,
        subresource: str = "",
        name: str = "",
        namespace: str = "",
        dry_run: bool = False,
        traceparent: str = "",
    ) -> Object:
        """Replace the object; a stale `metadata.resourceVersion` is refused with reason Conflict."""
        request = pb.UpdateRequest(
            resource=resource_message(resource, namespace or meta.namespace(obj), subresource),
            name=name or meta.name(obj),
            object=orjson.dumps(obj) if subresource else encoded(resource, obj),
            options=self._options(dry_run),
        )
        return object_of(await self._write("update", request, traceparent))

    async def update_status(self, resource: Resource, obj: Object, *, traceparent: str = "") -> Object:
        """Replace `status`; the apiserver ignores changes elsewhere."""
        return await self.update(resource, obj, subresource="status", traceparent=traceparent)

    async def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        patch: Object | Objects,
        patch_type: str = MERGE_PATCH,
        subresource: str = "",
        force: bool = False,
        dry_run: bool = False,
        traceparent: str = "",
    ) -> Object:
        """Apply a JSON patch (a list), a merge patch or a strategic merge patch."""
        request = pb.PatchRequest(
            resource=resource_message(resource, namespace, subresource),
            name=name,
            patch_type=patch_type,
            patch=orjson.dumps(patch),
            force=force,
            options=self._options(dry_run),
        )
        return object_of(await self._write("patch", request, traceparent))

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str = "",
        traceparent: str = "",
    ) -> Object:
        """Delete, with preconditions; the object while it waits for finalizers or grace, else a Status."""
        request = pb.DeleteRequest(
            resource=resource_message(resource, namespace),
            name=name,
            options=delete_options(uid, resource_version, grace_period_seconds, propagation_policy),
        )
        return object_of(await self._write("delete", request, traceparent))

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str = "",
        traceparent: str = "",
    ) -> Object:
        """Delete every object that matches; the list of them."""
        request = pb.DeleteCollectionRequest(
            resource=resource_message(resource, namespace),
            label_selector=label_selector,
            field_selector=field_selector,
            options=delete_options("", "", grace_period_seconds, propagation_policy),
        )
        response = await self._write("delete_collection", request, traceparent)
        listed: Object = orjson.loads(response.list) if response.list else {}
        return listed

    async def _write(self, verb: str, request: Any, traceparent: str) -> Any:
        return await self.calls.call(verb, request, traceparent or current_traceparent(), self.timeout)

    def _options(self, dry_run: bool) -> pb.WriteOptions:
        return pb.WriteOptions(dry_run=dry_run, field_manager=self.field_manager)
