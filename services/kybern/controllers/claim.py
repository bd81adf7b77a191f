"""Carrying out claims: adopt and release by strategic merge patch, checked against the live owner first."""

import asyncio
from collections.abc import Iterable

from kybern.client.objects import STRATEGIC_MERGE_PATCH, Client
from kybern.client.resources import Resource
from kybern.controllers.core.ownership import adoption_patch, decide_claims, release_patch
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import Selector
from kybern.kube.status import StatusError, not_found


async def claim(
    client: Client,
    owner: Object,
    owner_resource: Resource,
    selector: Selector,
    objects: Iterable[Object],
    resource: Resource,
) -> list[Object]:
    """The objects that are the owner's, after adopting and releasing. Raises StatusError."""
    claims = decide_claims(owner, selector, objects)
    owned = [*claims.owned]
    if claims.adopt:
        live = await client.get(owner_resource, meta.name(owner), meta.namespace(owner))
        if meta.uid(live) != meta.uid(owner):
            raise not_found(owner_resource.group, owner_resource.resource, meta.name(owner))
        if not meta.is_deleting(live):
            owned += await _patch_all(client, resource, [(obj, adoption_patch(owner, obj)) for obj in claims.adopt])
    await _patch_all(client, resource, [(obj, release_patch(owner, obj)) for obj in claims.release])
    return owned


async def _patch_all(client: Client, resource: Resource, patches: list[tuple[Object, Object]]) -> list[Object]:
    results = await asyncio.gather(*(_patch(client, resource, obj, patch) for obj, patch in patches))
    return [obj for obj in results if obj is not None]


async def _patch(client: Client, resource: Resource, obj: Object, patch: Object) -> Object | None:
    """The patched object; None when it is gone, or another of the same name."""
    try:
        return await client.patch(
            resource, meta.name(obj), meta.namespace(obj), patch=patch, patch_type=STRATEGIC_MERGE_PATCH
        )
    except StatusError as error:
        if error.code in (404, 422):
            return None
        raise
