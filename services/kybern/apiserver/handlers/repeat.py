"""A GET that comes again in the same bytes: what they mean is remembered, who asks and whether they may is not.

Anything but the plain success (a refusal, an object that is gone, a resource that is served otherwise by now) takes the
ordinary way, which words the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable

from kybern.apiserver.registry.request import attributes
from kybern.apiserver.server import ApiServer
from kybern.apiserver.waiting import MustWait
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import GetRequest, GetResponse
from kybern.rpc.exchange.context import CallContext
from kybern.rpc.exchange.remembered import Answer

Get = Callable[[GetRequest, CallContext], Awaitable[GetResponse]]


class RepeatableGet:
    """The handler of `get`; `repeat` answers a call that has been answered once."""

    def __init__(self, server: ApiServer, get: Get) -> None:
        self._server = server
        self._get = get

    def __call__(self, message: GetRequest, call: CallContext) -> Awaitable[GetResponse]:
        return self._get(message, call)

    def repeat(self, request: GetRequest, context: CallContext) -> Answer | None:
        """Only for objects as they are stored in the cache of an exclusive store."""
        server, resource, name = self._server, request.resource, request.name
        gvr = (resource.group, resource.version, resource.resource)
        served = server.table.served.get(gvr)
        if served is None or served.cacher is None or not name or request.resource_version or resource.subresource:
            return None
        namespaced, namespace = served.info.namespaced, resource.namespace
        if namespaced != bool(namespace) or not server.feed.store.exclusive or not served.is_stored_version:
            return None
        asked = attributes(served, "get", "", namespace, name)
        authenticate, may = server.authenticator.authenticate, server.authorizer.may
        passes = server.flow.passes(asked)
        by_gvr, entries = server.table.served, served.cacher.entries
        key = f"{namespace}/{name}" if namespaced else name
        record, time = server.metrics.series("GET", *gvr[::2]).record, asyncio.get_running_loop().time

        def answer() -> bytes | None:
            started, entry = time(), entries.get(key)
            if entry is None or by_gvr.get(gvr) is not served:
                return None
            try:
                user = authenticate(context, "", asked)
                if context.warning or not passes(context, user) or not may(user, asked):
                    return None
            except (StatusError, MustWait):
                return None
            record(200, time() - started)
            return entry.data

        return answer
