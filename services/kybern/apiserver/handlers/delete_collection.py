"""DeleteCollection: every object of a list, one after the other; of one page, if there is a limit."""

import orjson

from kybern.apiserver.crd.late_selection import late_selection
from kybern.apiserver.handlers.begin import begin, selection
from kybern.apiserver.handlers.list import check
from kybern.apiserver.handlers.list_chunks import joined
from kybern.apiserver.handlers.list_page import find_page, find_place, page_size
from kybern.apiserver.handlers.warned import warned
from kybern.apiserver.registry.delete import delete, read_options
from kybern.apiserver.registry.request import Request
from kybern.apiserver.server import ApiServer
from kybern.kube.meta import Object
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
    options = read_options(message.options)
    chosen = selection(request.served, request.namespace, message.label_selector, message.field_selector)
    late = late_selection(request.served, chosen)
    place = await find_place(request, message, chosen)
    limit = page_size(message) if late is None else 0
    page = await find_page(request, chosen if late is None else late.early, place, limit)
    entries = page.entries
    counts = request.served.storage.lists
    counts.began(message)
    counts.found(len(entries))
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
    items = joined(request, entries)
    info = request.served.info
    metadata: Object = {"continue": page.token} if page.token or request.served.custom is not None else {}
    if page.remaining is not None:
        metadata["remainingItemCount"] = page.remaining
    metadata["resourceVersion"] = str(place.revision)
    head = orjson.dumps({"kind": info.list_kind, "apiVersion": info.api_version, "metadata": metadata})
    listed = b'%b,"items":[%b]}' % (head[:-1], items)
    return DeleteCollectionResponse(list=listed, warnings=request.warnings)
