"""Objects that are stored but cannot be read (another encryption key, damage): what who asks for them is told.

They do not hold up anything else. With `ignoreStoreReadErrorWithClusterBreakingPotential` who may
`unsafe-delete-ignore-read-errors` can delete one, without finalizers, preconditions or admission being asked.
"""

from typing import TYPE_CHECKING

from kybern.kube.status import StatusError, internal, not_found, status_error

if TYPE_CHECKING:
    from kybern.apiserver.registry.request import Request
    from kybern.apiserver.registry.resource_table import Served

VERB = "unsafe-delete-ignore-read-errors"
NAMED = 100  # objects that the error of a list names


def missing(served: "Served", namespace: str, name: str) -> StatusError:
    """Why there is no such object in the cache: 404, or 500 for one that cannot be read."""
    cacher = served.cacher
    if cacher is not None and cacher.unreadable:
        key = f"{namespace}/{name}" if cacher.namespaced else name
        why = cacher.unreadable.get(key)
        if why is not None:
            return corrupt(cacher.prefix + key, why)
    return not_found(served.group, served.resource, name)


def corrupt(key: str, why: str) -> StatusError:
    """The error of a read of one object."""
    return internal(
        f"StorageError: corrupt object, Key: {key}, AdditionalErrorMsg: "
        f"data from the storage is not transformable revision=0: {why}"
    )


def check_list(served: "Served", namespace: str) -> None:
    """Raises StatusError (500) when the list would leave out what cannot be read."""
    cacher = served.cacher
    if cacher is None or not cacher.unreadable:
        return
    found = sorted(key for key in cacher.unreadable if not namespace or key.startswith(f"{namespace}/"))
    if not found:
        return
    causes = [
        {
            "reason": "UnexpectedServerResponse",
            "message": f'unable to transform key "{cacher.prefix}{key}": {cacher.unreadable[key]}',
            "field": f"{cacher.prefix}{key}",
        }
        for key in found[:NAMED]
    ]
    shown = f"{served.resource}.{served.group}" if served.group else served.resource
    raise status_error(
        500,
        "StorageReadError",
        f"failed to read one or more {shown} from the storage: {causes[0]['message']}",
        name=cacher.prefix,
        group=served.group,
        kind=served.resource,
        causes=causes,
    )


async def delete_unreadable(request: "Request") -> bool:
    """Delete an object that cannot be read; False if it can (or is not there). Raises StatusError (403)."""
    cacher = request.served.storage
    key = f"{request.namespace}/{request.name}" if cacher.namespaced else request.name
    if key not in cacher.unreadable:
        return False
    request.check(VERB)
    if not request.dry_run:
        await request.server.feed.discard(cacher.prefix + key)
    return True
