"""Create, update, patch, delete, deletecollection: bodies become JSON, options come from the query."""

from __future__ import annotations

import asyncio
from typing import Any

from kybern.gateway import answers
from kybern.gateway.api import Api, behind, timeout
from kybern.gateway.core import bodies, options, views
from kybern.gateway.core.negotiation import MediaType, content_type
from kybern.gateway.handlers.read import check_view, table_view
from kybern.gateway.handlers.target import Target
from kybern.gateway.http.message import Request, Response
from kybern.kube import recognize
from kybern.kube.meta import group_version
from kybern.kube.protobuf import CONTENT_TYPE, ProtobufError
from kybern.kube.status import bad_request
from kybern.protos.api.v1.objects_pb2 import (
    CreateRequest,
    DeleteCollectionRequest,
    DeleteRequest,
    PatchRequest,
    UpdateRequest,
    WriteOptions,
)

INLINE_YAML = 16 << 10  # bytes of YAML that are converted on the event loop


async def json_body(request: Request, media_type: str) -> bytes:
    """A body of JSON or YAML as JSON. Raises ValueError with what is wrong with it."""
    if not bodies.is_yaml(media_type):
        return request.body
    if len(request.body) <= INLINE_YAML:
        return bodies.yaml_to_json(request.body)
    return await asyncio.to_thread(bodies.yaml_to_json, request.body)


async def object_body(request: Request, target: Target) -> bytes:
    """An object of the target's kind, as JSON. Raises StatusError (400, 415)."""
    media_type = content_type(request.header(b"content-type"))
    bodies.check_body_type(media_type)
    try:
        if media_type == CONTENT_TYPE:
            return bodies.protobuf_to_json(request.body, target.api_version, target.kind)
        body = await json_body(request, media_type)
        if body is not request.body:  # what is wrong with its kind is told of the YAML
            recognize.typed(body)
        return body
    except ValueError as wrong:
        if isinstance(wrong, ProtobufError) and wrong.kind:
            version = group_version(wrong.api_version)[1]
            raise bad_request(
                f'{wrong.kind} in version "{version}" cannot be handled as a {target.kind}: {wrong}'
            ) from None
        raise bad_request(recognize.unrecognized(target.kind, request.body, wrong)) from None


async def patch_body(request: Request, media_type: str) -> bytes:
    """A patch as JSON. Raises StatusError (400)."""
    try:
        return await json_body(request, media_type)
    except ValueError as wrong:
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: {wrong}") from None


async def deletion_body(request: Request) -> bytes:
    """DeleteOptions as JSON, if there are any. Raises StatusError (400, 415)."""
    if not request.body:
        return b""
    media_type = content_type(request.header(b"content-type"))
    bodies.check_body_type(media_type)
    try:
        if media_type == CONTENT_TYPE:
            return bodies.protobuf_to_options(request.body)
        return await json_body(request, media_type)
    except ValueError as wrong:
        raise bad_request(str(wrong)) from None


def write_options(request: Request, kind: str = "CreateOptions", patch_type: str = "") -> WriteOptions:
    """Raises StatusError (422)."""
    query, strict_errors = request.query, []
    if request.raw_query:
        options.check_write(query, kind, patch_type)
    validation = options.first(query, "fieldValidation")
    if validation != "Ignore" and bodies.is_yaml(content_type(request.header(b"content-type"))):
        strict_errors = bodies.strict_errors(request.body)
    return WriteOptions(
        dry_run=options.dry_run(query),
        field_manager=options.first(query, "fieldManager"),  # else the apiserver takes the user agent
        field_validation=validation,
        strict_errors=strict_errors,
    )


async def create(api: Api, request: Request, target: Target, traceparent: str) -> Response:
    media, body = answers.media_type(request, target.served), await object_body(request, target)
    given = write_options(request)
    wanted = CreateRequest(resource=target.resource(), name=target.path.name, object=body, options=given)
    reply = await _call(api, request, wanted, traceparent)
    return await _object(api, request, target, media, reply, 201)


async def update(api: Api, request: Request, target: Target, traceparent: str) -> Response:
    media, body = answers.media_type(request, target.served), await object_body(request, target)
    given = write_options(request, "UpdateOptions")
    wanted = UpdateRequest(resource=target.resource(), name=target.path.name, object=body, options=given)
    reply = await _call(api, request, wanted, traceparent)
    return await _object(api, request, target, media, reply, 201 if reply.created else 200)


async def patch(api: Api, request: Request, target: Target, traceparent: str) -> Response:
    media_type = bodies.patch_type(request.header(b"content-type"), target.served.custom)
    media = answers.media_type(request, target.served)
    wanted = PatchRequest(
        resource=target.resource(),
        name=target.path.name,
        patch_type=media_type,
        patch=await patch_body(request, media_type),
        force=options.boolean(request.query, "force"),
        options=write_options(request, "PatchOptions", media_type),
    )
    if media_type == bodies.APPLY:  # apply has no default manager
        wanted.options.field_manager = options.first(request.query, "fieldManager")
    reply = await _call(api, request, wanted, traceparent)
    return await _object(api, request, target, media, reply, 201 if reply.created else 200)


async def delete(api: Api, request: Request, target: Target, traceparent: str) -> Response:
    media = answers.media_type(request, target.served)
    body = await deletion_body(request)
    given = options.delete_options(request.query, body)
    wanted = DeleteRequest(resource=target.resource(), name=target.path.name, options=given)
    reply = await _call(api, request, wanted, traceparent)
    status = 202 if not reply.deleted and options.orphans_nothing(given) else 200
    return await _object(api, request, target, media, reply, status)


async def delete_collection(api: Api, request: Request, target: Target, traceparent: str) -> Response:
    media = answers.media_type(request, target.served)
    body = await deletion_body(request)
    query = request.query
    options.integer(query, "timeoutSeconds")
    wanted = DeleteCollectionRequest(
        resource=target.resource(),
        label_selector=options.first(query, "labelSelector"),
        field_selector=options.first(query, "fieldSelector"),
        options=options.delete_options(query, body),
        resource_version=options.first(query, "resourceVersion"),
        resource_version_match=options.first(query, "resourceVersionMatch"),
        limit=options.integer(query, "limit") or 0,
        continue_token=options.first(query, "continue"),
        send_initial_events=options.optional_boolean(query, "sendInitialEvents"),
    )
    reply = await _call(api, request, wanted, traceparent)
    body = reply.list
    if media.view:
        check_view(media, target.served, of_list=True)
        tables = table_view(request, media, target.served)
        body = views.list_view(body, media, tables, api.env.clock.now())
    headers = answers.warning_headers(list(reply.warnings)) if reply.warnings else ()
    return await answers.answer(request, body, media, headers=headers)


async def _call(api: Api, request: Request, wanted: Any, traceparent: str) -> Any:
    return await api.calls.call(wanted, **behind(api, request), traceparent=traceparent, timeout=timeout(api, request))


async def _object(api: Api, request: Request, target: Target, media: MediaType, reply: Any, status: int) -> Response:
    """What a write left, or the Status of a deletion, which has no views."""
    body = reply.object
    if media.view and not views.is_status(body):
        check_view(media, target.served, target.path.subresource, of_list=False)
        tables = table_view(request, media, target.served, target.path.subresource)
        body = views.view(body, media, tables, api.env.clock.now())
    headers = answers.warning_headers(list(reply.warnings)) if reply.warnings else ()
    return await answers.answer(request, body, media, status, headers)
