"""Writing EndpointSlices, and remembering what has been written until it is seen."""

import asyncio

from kybern.client.objects import Client
from kybern.client.resources import ENDPOINT_SLICES
from kybern.controllers.core.slices import SliceChanges
from kybern.controllers.core.written import Written
from kybern.kube import meta
from kybern.kube.status import allowing


async def write_slices(client: Client, written: Written, key: str, changes: SliceChanges) -> None:
    """Make the changes for one key. Raises StatusError."""
    now = asyncio.get_running_loop().time()
    for slice_ in changes.create:
        written.wrote(key, await client.create(ENDPOINT_SLICES, slice_), now)
    for slice_ in changes.update:
        written.wrote(key, await client.update(ENDPOINT_SLICES, slice_), now)
    for slice_ in changes.delete:
        with allowing(404):
            await client.delete(ENDPOINT_SLICES, meta.name(slice_), meta.namespace(slice_), uid=meta.uid(slice_))
        written.deleted(key, slice_, now)
