"""Delete: one object."""

from kybern.apiserver.handlers.begin import begin, need_namespace
from kybern.apiserver.handlers.warned import warned
from kybern.apiserver.registry.delete import delete, read_options
from kybern.apiserver.server import ApiServer
from kybern.protos.api.v1.objects_pb2 import DeleteRequest, DeleteResponse
from kybern.rpc.exchange.context import CallContext


async def delete_object(server: ApiServer, message: DeleteRequest, call: CallContext) -> DeleteResponse:
    """The object while it waits, or what is left to say of it."""
    request = begin(server, call, "delete", message.resource, message.name)
    need_namespace(request)
    if call.audit is not None:
        call.audit.sent_options(message.options)
    await server.feed.fresh()
    with warned(request):
        data, gone = await delete(request, read_options(message.options))
    return DeleteResponse(object=data, deleted=gone, warnings=request.warnings)
