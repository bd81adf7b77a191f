"""Create: POST of an object, of a subresource (binding, eviction, token), or of a review."""

from kybern.apiserver.handlers.begin import begin
from kybern.apiserver.handlers.warned import warned
from kybern.apiserver.registry.create import create
from kybern.apiserver.registry.request import Request
from kybern.apiserver.server import ApiServer
from kybern.kube.status import bad_request, method_not_allowed
from kybern.protos.api.v1.objects_pb2 import CreateRequest, CreateResponse
from kybern.rpc.exchange.context import CallContext


async def create_object(server: ApiServer, message: CreateRequest, call: CallContext) -> CreateResponse:
    """The object as it was stored, or the answer of the subresource or review."""
    resource = message.resource
    name = message.name if resource.subresource else ""
    request = begin(server, call, "create", resource, name)
    if message.HasField("options"):
        request.take(message.options)
    if request.served.info.namespaced and not request.namespace:
        raise bad_request("an empty namespace may not be set during creation")
    with warned(request):
        data = await _create(request, resource.subresource, message.object)
    return CreateResponse(object=data, warnings=request.warnings)


async def _create(request: Request, subresource: str, data: bytes) -> bytes:
    special = request.served.strategy.creates.get(subresource)
    if special is not None:
        return await special(request, data)
    if subresource:
        raise method_not_allowed(request.group, request.resource, "create")
    return await create(request, data)
