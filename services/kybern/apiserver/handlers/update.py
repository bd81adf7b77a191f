"""Update: PUT of an object or one of its subresources."""

import orjson

from kybern.apiserver.handlers.begin import begin, need_namespace
from kybern.apiserver.handlers.warned import warned
from kybern.apiserver.registry.decode import decode
from kybern.apiserver.registry.request import Object, Request
from kybern.apiserver.registry.strategies.scale import GVK as SCALE
from kybern.apiserver.registry.strategies.scale import scale_of, scaled
from kybern.apiserver.registry.update import change, need_name, update
from kybern.apiserver.server import ApiServer
from kybern.protos.api.v1.objects_pb2 import UpdateRequest, UpdateResponse
from kybern.rpc.exchange.context import CallContext


async def update_object(server: ApiServer, message: UpdateRequest, call: CallContext) -> UpdateResponse:
    """The object (or its scale) after the update."""
    request = begin(server, call, "update", message.resource, message.name)
    request.take(message.options)
    need_namespace(request)
    await server.feed.fresh()
    with warned(request):
        if request.subresource == "scale":
            scale = decode(request, message.object, SCALE)
            need_name(request, scale)
            return UpdateResponse(object=await change_scale(request, scale), warnings=request.warnings)
        data, created = await update(request, message.object)
    return UpdateResponse(object=data, warnings=request.warnings, created=created)


async def change_scale(request: Request, scale: Object) -> bytes:
    """Set the replicas of the object to those of a Scale."""

    async def produce(obj: Object) -> Object:
        return scaled(request, obj, scale)

    return orjson.dumps(scale_of(orjson.loads(await change(request, produce)), request.served.custom))
