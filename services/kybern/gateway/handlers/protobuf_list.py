"""Lists in protobuf: made a few objects at a time, and kept like those in JSON while nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from kybern.gateway import answers
from kybern.gateway.core import views
from kybern.gateway.core.held_lists import LARGEST, HeldList
from kybern.gateway.core.negotiation import MediaType
from kybern.gateway.core.resources import Served
from kybern.gateway.http.message import Request, Response
from kybern.kube.meta import Object
from kybern.kube.protobuf import ListEncoder
from kybern.kube.tables.table import partial_object_metadata
from kybern.protos.api.v1.objects_pb2 import ListResponse

AT_ONCE = 16  # objects that are converted before others have their turn


def encoder_of(served: Served, media: MediaType) -> ListEncoder:
    """The encoder of a resource's lists, or of lists of its metadata."""
    if media.metadata_only:
        return ListEncoder(f"meta.k8s.io/{media.version}", "PartialObjectMetadataList")
    return ListEncoder(served.api_version, served.list_kind)


async def collect(
    encoder: ListEncoder, media: MediaType, chunk: ListResponse, chunks: AsyncIterator[ListResponse]
) -> tuple[ListResponse, HeldList | None]:
    """Fill the encoder; the last chunk, and the list to hold if it is large."""
    etag = "" if chunk.last else chunk.etag
    while True:
        for count, item in enumerate(views.split_items(chunk.items), 1):
            encoder.add(partial_object_metadata(item) if media.metadata_only else item)
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
        if chunk.last:
            break
        chunk = await anext(chunks)
    holds = etag and encoder.size <= LARGEST
    return chunk, HeldList(etag, (b"".join(encoder.items),)) if holds else None


async def respond(request: Request, media: MediaType, encoder: ListEncoder, metadata: Object) -> Response:
    """The list at a revision; what is large is put together beside the loop."""
    body = await asyncio.to_thread(encoder.body, metadata) if encoder.size > LARGEST >> 4 else encoder.body(metadata)
    body, headers = await answers.compressed(request, body)
    return Response(body, 200, media.content_type, headers)
