"""Keeping the ControllerRevisions of a DaemonSet or StatefulSet: one for the present template, few old ones."""

from collections.abc import Iterable, Sequence

from kybern.client.objects import Client
from kybern.client.resources import CONTROLLER_REVISIONS, Resource
from kybern.controllers.core.history import find_equal, make_revision, surplus, template_data
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError, allowing


async def sync_update_revision(client: Client, owner: Object, resource: Resource, revisions: list[Object]) -> Object:
    """The revision of the present template, made or moved to the top; `revisions` follows."""
    equal = find_equal(revisions, template_data(owner))
    newest = max((r.get("revision", 0) for r in revisions), default=0)
    if equal is not None:
        if equal["revision"] == newest:
            return equal
        moved = await client.update(CONTROLLER_REVISIONS, {**equal, "revision": newest + 1})
        revisions[revisions.index(equal)] = moved
        return moved
    made = make_revision(owner, revisions, (owner.get("status") or {}).get("collisionCount"))
    try:
        created = await client.create(CONTROLLER_REVISIONS, made)
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise
        created = await client.get(CONTROLLER_REVISIONS, meta.name(made), meta.namespace(made))
        if not meta.is_controlled_by(created, owner) or created.get("data") != made["data"]:
            status: Object = owner.get("status") or {}
            status = {**status, "collisionCount": status.get("collisionCount", 0) + 1}
            await client.update_status(resource, {**owner, "status": status})
            raise
    revisions.append(created)
    return created


async def truncate(client: Client, owner: Object, revisions: Sequence[Object], live: Iterable[str]) -> None:
    """Delete what spec.revisionHistoryLimit does not keep."""
    for revision in surplus(revisions, live, owner["spec"].get("revisionHistoryLimit")):
        with allowing(404):
            await client.delete(CONTROLLER_REVISIONS, meta.name(revision), meta.namespace(revision))
