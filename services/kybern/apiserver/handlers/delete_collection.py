"""DeleteCollection: everything a selection matches, one after the other."""

import orjson

from kybern.apiserver.core.continue_token import decode
from kybern.apiserver.core.revision import revision_of
from kybern.apiserver.crd.late_selection import late_selection
from kybern.apiserver.handlers.begin import begin, selection
from kybern.apiserver.handlers.list import check
from kybern.apiserver.handlers.list_chunks import joined
from kybern.apiserver.handlers.warned import warned
from kybern.apiserver.registry.delete import delete, read_options
from kybern.apiserver.registry.request import Request
from kybern.apiserver.server import ApiServer
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import DeleteCollectionRequest, DeleteCollectionResponse
from kybern.rpc.exchange.context import CallContext


async def delete_collection(
    server: ApiServer, message: DeleteCollectionRequest, call: CallContext
) -> DeleteCollectionResponse:
    """The list of what was deleted, as it was."""
    request = begin(server, call, "deletecollection", message.resource, selecting=message)
    if call.audit is not None:
        call.audit.sent_options(message.options)
    check(message)
    if message.continue_token:
        decode(message.continue_token)
    elif message.resource_version:
        revision_of(message.resource_version)
    options = read_options(message.options)
    chosen = selection(request.served, request.namespace, message.label_selector, message.field_selector)
    late = late_selection(request.served, chosen)
    await server.feed.fresh()
    entries = list(request.served.storage.select(chosen if late is None else late.early))
    if request.served.conversion is not None:
        entries = await request.served.conversion.entries(entries, request.served.info.api_version)
        entries = late.entries(entries) if late is not None else entries
    for entry in entries:
        one = Request(
            server, request.user, "delete", request.served, entry.namespace, entry.name, "", request.traceparent
        )
        one.of_collection = True
        one.warnings, one.audit_annotations = request.warnings, request.audit_annotations
        try:
            with warned(one):
                await delete(one, options)
        except StatusError as error:
            if error.code != 404:
                raise
    items = joined(request, list(entries))
    info = request.served.info
    metadata = {"continue": ""} if request.served.custom is not None else {}
    metadata["resourceVersion"] = str(server.feed.revision)
    head = orjson.dumps({"kind": info.list_kind, "apiVersion": info.api_version, "metadata": metadata})
    listed = b'%b,"items":[%b]}' % (head[:-1], items)
    return DeleteCollectionResponse(list=listed, warnings=request.warnings)
