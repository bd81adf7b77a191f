"""Get: a dict lookup; the bytes go out as they are."""

import orjson

from kybern.apiserver.core.revision import revision_of
from kybern.apiserver.handlers.begin import begin, need_namespace
from kybern.apiserver.registry import component_status, unreadable
from kybern.apiserver.registry.strategies.scale import shown_scale
from kybern.apiserver.server import ApiServer
from kybern.kube.status import bad_request
from kybern.protos.api.v1.objects_pb2 import GetRequest, GetResponse
from kybern.rpc.exchange.context import CallContext


async def get(server: ApiServer, message: GetRequest, call: CallContext) -> GetResponse:
    """One object, or its scale."""
    resource = message.resource
    name = message.name
    request = begin(server, call, "get", resource, name)
    if not name:
        raise bad_request("name is required")
    need_namespace(request)
    served = request.served
    if served.cacher is None:
        return GetResponse(object=orjson.dumps(await component_status.get(server, name)))
    if message.resource_version or not server.feed.store.exclusive:
        await _wait(server, message.resource_version)
    entry = served.cacher.get(request.namespace, name)
    if entry is None:
        raise unreadable.missing(served, request.namespace, name)
    if served.conversion is not None:
        entry = await served.conversion.entry(entry, served.info.api_version)
    if resource.subresource == "scale":
        return GetResponse(object=orjson.dumps(shown_scale(entry.decode(), served.custom)))
    return GetResponse(object=served.present(entry.data))


async def _wait(server: ApiServer, version: str) -> None:
    """A shared store is asked how far it is, unless the client is content with what is here."""
    if version == "0":
        return
    if version:
        await server.feed.reached(revision_of(version, ""))
    else:
        await server.feed.fresh()
