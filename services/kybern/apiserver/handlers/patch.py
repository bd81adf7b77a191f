"""Patch: PATCH of an object or one of its subresources."""

import orjson

from kybern.apiserver.handlers.begin import begin, need_namespace
from kybern.apiserver.handlers.warned import warned
from kybern.apiserver.registry import patch as patches
from kybern.apiserver.registry.apply import TYPE as APPLY
from kybern.apiserver.registry.apply import apply, apply_scale
from kybern.apiserver.registry.request import Object, Request
from kybern.apiserver.registry.strategies.scale import GVK as SCALE
from kybern.apiserver.registry.strategies.scale import scale_of, scaled
from kybern.apiserver.registry.update import change
from kybern.apiserver.server import ApiServer
from kybern.kube.field import forbidden
from kybern.kube.status import invalid
from kybern.protos.api.v1.objects_pb2 import PatchRequest, PatchResponse
from kybern.rpc.exchange.context import CallContext


async def patch_object(server: ApiServer, message: PatchRequest, call: CallContext) -> PatchResponse:
    """The object (or its scale) after the patch."""
    request = begin(server, call, "patch", message.resource, message.name)
    request.take(message.options)
    need_namespace(request)
    if call.audit is not None:
        call.audit.sent(message.patch)
    await server.feed.fresh()
    if message.force and message.patch_type != APPLY:
        error = forbidden("force", "may not be specified for non-apply patch")
        raise invalid("meta.k8s.io", "PatchOptions", "", [error])
    with warned(request):
        data, created = await _patch(request, message)
    return PatchResponse(object=data, warnings=request.warnings, created=created)


async def _patch(request: Request, message: PatchRequest) -> tuple[bytes, bool]:
    """(the object, whether it is new)."""
    if request.subresource == "scale" and message.patch_type == APPLY:
        return await apply_scale(request, message.patch, message.force), False
    if request.subresource == "scale":
        return await _patch_scale(request, message.patch_type, message.patch), False
    if message.patch_type == APPLY:
        return await apply(request, message.patch, message.force)
    return await patches.patch(request, message.patch_type, message.patch), False


async def _patch_scale(request: Request, patch_type: str, data: bytes) -> bytes:
    wanted = patches.decode_patch(data, patch_type, lenient=request.field_validation == "Ignore")
    found = patches.strict_problems(request, patch_type, wanted, data)

    async def produce(obj: Object) -> Object:
        before = scale_of(obj, request.served.custom)
        patched = patches.apply_patch(patch_type, before, wanted, SCALE, lenient=request.field_validation == "Ignore")
        request.warnings.clear()
        body = orjson.dumps(patched)
        scale = patches.read_patched(request, patch_type, before, wanted, patched, body, SCALE, found)
        if scale["metadata"].get("resourceVersion") == before["metadata"]["resourceVersion"]:
            scale["metadata"].pop("resourceVersion")
        return scaled(request, obj, scale)

    return orjson.dumps(scale_of(orjson.loads(await change(request, produce)), request.served.custom))
