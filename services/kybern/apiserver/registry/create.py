"""Creating an object of any kind: decode → admission → strategy → validation → validating admission → commit."""

from typing import Any

from kybern.apiserver.registry import commit, metadata
from kybern.apiserver.registry.decode import decode, to_storage
from kybern.apiserver.registry.field_managers import check_admitted, settled, track_create
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import NOTHING_TAKEN, Allocation
from kybern.apiserver.registry.validation import check_create
from kybern.apiserver.storage.failure import StorageFailed
from kybern.kube import names
from kybern.kube.defaults import apply_create_defaults, apply_defaults
from kybern.kube.disabled_fields import drop_disabled
from kybern.kube.owner_references import ADMITTED
from kybern.kube.status import StatusError, generate_name_conflict

Object = dict[str, Any]
ATTEMPTS = 8  # names tried for generateName


async def create(request: Request, data: bytes) -> bytes:
    """A new object from a request's body; its bytes in the request's version. What is refused because of what another
    apiserver has changed just now is looked at again."""
    try:
        return await _create(request, data)
    except StatusError as error:
        if isinstance(error, StorageFailed) or not await request.server.feed.catch_up():
            raise
        request.warnings.clear()
        return await _create(request, data)


async def _create(request: Request, data: bytes) -> bytes:
    obj = to_storage(request, decode(request, data, request.served.info.gvk))
    request.sent_version = obj["metadata"].get("resourceVersion") or ""
    return request.served.present(await create_object(request, obj))


async def create_object(request: Request, obj: Object, tracked: bool = False) -> bytes:
    """A new object in storage version; its stored bytes. `tracked`: it says who manages its fields."""
    metadata.place(request, obj)
    request.name = obj["metadata"].get("name") or request.name
    metadata.begin(request, obj)
    metadata.one_of_each_owner(request, obj)
    if not tracked:
        if request.served.conversion is None:
            track_create(request, obj)
        else:
            await settled(request, lambda: track_create(request, obj))
    admission, recorded = request.server.admission, obj["metadata"].get("managedFields")
    with commit.span(request, "admission"):
        await admission.mutate(request, "CREATE", obj, None)
    metadata.one_of_each_owner(request, obj, ADMITTED)
    check_admitted(request, obj, recorded)
    if request.served.custom is not None:
        request.served.custom.fill(obj)
    else:
        apply_defaults(request.served.stored, obj)
    prepare(request, obj)
    try:
        return await _allocated(request, obj)
    finally:
        request.settle()


async def _allocated(request: Request, obj: Object) -> bytes:
    """Take what the object needs and write it; again when another apiserver has just taken the same."""
    allocate, first = request.served.strategy.allocate, True
    while True:
        allocation = allocate(request, obj, None) if allocate is not None else NOTHING_TAKEN
        try:
            check_create(request, obj)
            if first:
                await request.server.admission.validate(request, "CREATE", obj, None)
            data = await _commit(request, obj)
        except commit.Claimed as lost:
            allocation.undo()
            lost.learn(request)
            first = False
            continue
        except BaseException:
            allocation.undo()
            raise
        settle(request, allocation)
        return data


def settle(request: Request, allocation: Allocation) -> None:
    """A dry run gives back what it took."""
    (allocation.undo if request.dry_run else allocation.done)()


def prepare(request: Request, obj: Object) -> None:
    """Status is the server's for most kinds; the strategy may add to it."""
    if "status" in request.served.info.subresources and not request.served.strategy.status_on_create:
        obj.pop("status", None)
    if request.served.custom is not None:
        obj["metadata"]["generation"] = 1
    else:
        apply_create_defaults(request.served.stored, obj)
    for step in request.served.strategy.prepare_create:
        step(request, obj)
    if request.served.disabled:
        drop_disabled(request.served.disabled.get("", ()), obj, None)
    obj["metadata"] = metadata.ordered(obj["metadata"])


async def _commit(request: Request, obj: Object) -> bytes:
    """A generated name that is taken is generated again; one that was given is the client's choice."""
    base, left = obj["metadata"].get("generateName"), ATTEMPTS if request.name_generated else 1
    while True:
        try:
            return await commit.create(request, obj)
        except StatusError as error:
            if not base or error.reason != "AlreadyExists":
                raise
            left -= 1
            if not left:
                conflict = generate_name_conflict(request.group, request.resource, request.name)
                if error.message.startswith(commit.DELETED):
                    conflict.status["message"] = commit.DELETED + conflict.status["message"]
                raise conflict from None
        request.name = obj["metadata"]["name"] = names.generate_name(base, request.server.random)
