"""Changing an object of any kind, as a whole or one subresource of it.

`produce` turns the current object into the wanted one and is asked again when another writer was faster; a caller who
sent a resourceVersion gets the conflict instead.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from kybern.apiserver.admission.chain import Chain
from kybern.apiserver.core import encoding
from kybern.apiserver.core.revision import revision_of
from kybern.apiserver.registry import commit, create, metadata, unreadable
from kybern.apiserver.registry.commit import Stale
from kybern.apiserver.registry.decode import decode, to_storage
from kybern.apiserver.registry.delete import is_finished
from kybern.apiserver.registry.field_managers import check_admitted, settled, track_update
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.reset_fields import kept_metadata
from kybern.apiserver.registry.strategy import NOTHING_TAKEN
from kybern.apiserver.registry.validation import check_update
from kybern.apiserver.storage.entry import Entry
from kybern.kube.defaults import apply_defaults
from kybern.kube.defaults.create import GENERATION_KINDS
from kybern.kube.disabled_fields import drop_disabled
from kybern.kube.field import invalid as field_invalid
from kybern.kube.managed_fields import same_but_times
from kybern.kube.owner_references import ADMITTED
from kybern.kube.status import StatusError, bad_request, conflict, invalid, status_error

Object = dict[str, Any]
Produce = Callable[[Object], Awaitable[Object]]
ATTEMPTS = 20
NO_ADMISSION = Chain(())


async def update(request: Request, data: bytes) -> tuple[bytes, bool]:
    """PUT: (bytes in the request's version, whether the object is new)."""
    decoded = decode(request, data, request.served.info.gvk)
    need_name(request, decoded)
    metadata.one_of_each_owner(request, decoded)
    wanted = to_storage(request, decoded)
    if request.served.storage.get(request.namespace, request.name) is None:
        if not request.served.strategy.create_on_update or request.subresource:
            raise unreadable.missing(request.served, request.namespace, request.name)
        request.check("create")
        read_version(wanted["metadata"].get("resourceVersion") or "")
        if uid := wanted["metadata"].get("uid"):
            raise metadata.other_uid(request, uid, "")
        return request.served.present(await create.create_object(request, wanted)), True

    _need_uid(request, wanted)
    need_version(request, wanted)
    request.sent_metadata = wanted["metadata"]
    request.unsent = tuple(member for member in metadata.FIXED if member not in wanted["metadata"])

    async def produce(_: Object) -> Object:
        return {**wanted, "metadata": dict(wanted["metadata"])}

    return request.served.present(await change(request, produce)), False


def _need_uid(request: Request, wanted: Object) -> None:
    """Who means another object of the name is told so first. Raises StatusError (409)."""
    uid = wanted["metadata"].get("uid")
    entry = request.served.storage.get(request.namespace, request.name) if uid else None
    if entry is not None and (found := entry.decode()["metadata"].get("uid", "")) != uid:
        raise metadata.other_uid(request, uid, found)


def need_version(request: Request, obj: Object) -> None:
    """An object of some kinds says which version it is to replace. Raises StatusError (422)."""
    named = obj["metadata"].get("resourceVersion") not in (None, "", "0")
    if not named and not request.served.strategy.unconditional_update:
        error = field_invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise invalid(request.group, request.resource, request.name, [error])


def need_name(request: Request, obj: Object) -> None:
    """An object that replaces another says which. Raises StatusError (400)."""
    metadata.place(request, obj)
    name = obj["metadata"].get("name")
    if not name:
        why = "was undeterminable: name must be provided"
        raise bad_request(f"the name of the object ({request.name} based on URL) {why}")
    if name != request.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({request.name})")


async def change(request: Request, produce: Produce, tracked: bool = False, admitted: bool = False) -> bytes:
    """Read, produce, check, write; until no other writer comes between. Stored bytes.

    `tracked`: what is produced carries the managers of its fields already. `admitted`: admission has seen the request.
    """
    done = await _changed(request, produce, tracked, admitted, 1)
    if done is not None:
        return done
    async with request.served.storage.turns.of(request.key):
        done = await _changed(request, produce, tracked, admitted, ATTEMPTS)
    if done is not None:
        return done
    raise conflict(request.group, request.resource, request.name)


async def _changed(request: Request, produce: Produce, tracked: bool, admitted: bool, attempts: int) -> bytes | None:
    """None if another writer came between, each time."""
    for _ in range(attempts):
        entry = request.served.storage.get(request.namespace, request.name)
        if entry is None:
            raise unreadable.missing(request.served, request.namespace, request.name)
        if request.served.conversion is not None:
            entry = await request.served.conversion.entry(entry, request.served.info.api_version)
        new = await produce(entry.decode())
        version = new["metadata"].get("resourceVersion") or ""
        if version not in ("", "0") and read_version(version) != entry.revision:
            raise conflict(request.group, request.resource, request.name)
        try:
            return await _change(request, entry, new, tracked, NO_ADMISSION if admitted else request.server.admission)
        except commit.Claimed as lost:
            lost.learn(request)
        except Stale:
            if version not in ("", "0"):
                raise conflict(request.group, request.resource, request.name) from None
    return None


def read_version(text: str) -> int:
    """A resourceVersion in an object; none is 0. Raises StatusError (400)."""
    if not text:
        return 0
    try:
        return revision_of(text, "")
    except StatusError as error:
        raise status_error(400, "", f"strconv{error.message.partition(': strconv')[2]}") from None


async def _change(request: Request, entry: Entry, new: Object, tracked: bool, admission: Chain) -> bytes:
    old = entry.decode()
    metadata.keep(request, new, old)
    if not tracked:
        await settled(request, lambda: track_update(request, new, old))
    if request.has_empty:
        apply_defaults(request.served.stored, new)
    recorded = new["metadata"].get("managedFields")
    with commit.span(request, "admission"):
        await admission.mutate(request, "UPDATE", new, old)
    metadata.one_of_each_owner(request, new, ADMITTED)
    check_admitted(request, new, recorded)
    prepare(request, new, old)
    allocate = request.served.strategy.allocate if not request.subresource else None
    allocation = allocate(request, new, old) if allocate is not None else NOTHING_TAKEN
    try:
        check_update(request, new, old)
        await admission.validate(request, "UPDATE", new, old)
        data = await _write(request, entry, new, old)
    except BaseException:
        allocation.undo()
        raise
    finally:
        request.settle()
    create.settle(request, allocation)
    return data


async def _write(request: Request, entry: Entry, new: Object, old: Object) -> bytes:
    new["metadata"].pop("resourceVersion", None)
    before = {member: value for member, value in old["metadata"].items() if member != "resourceVersion"}
    same = {**new, "metadata": None} == {**old, "metadata": None} and _same_metadata(new["metadata"], before)
    if same and not await request.server.feed.outdated(request.served.storage.prefix + entry.key):
        return entry.data  # nothing changed: no write, the same resourceVersion
    if is_finished(request, new):
        await commit.remove(request, entry)
        if not request.dry_run:
            request.server.gone(request, new)
        return encoding.splice(encoding.encode(new), request.served.storage.head, entry.revision)
    return await commit.put(request, new, entry.revision)


def _same_metadata(new: Object, old: Object) -> bool:
    """Whether nothing but the times of managers differs."""
    if new == old:
        return True
    managed, before = new.get("managedFields"), old.get("managedFields")
    if not managed or not before or {**new, "managedFields": None} != {**old, "managedFields": None}:
        return False
    return same_but_times(managed, before)


def prepare(request: Request, new: Object, old: Object) -> None:
    """Keep apart what the main resource and its subresources may each change; count generations."""
    strategy = request.served.strategy
    if not request.subresource:
        if "status" in request.served.info.subresources:
            _carry(new, old, "status")
        for step in strategy.prepare_update:
            step(request, new, old)
    elif request.subresource == "status":
        for member in {*new, *old} - {"kind", "apiVersion", "metadata", "status"}:
            _carry(new, old, member)
        _keep_metadata(new, old, kept_metadata(request.served.stored, request.served.custom is not None))
        for step in strategy.status_update:
            step(request, new, old)
    else:
        strategy.updates[request.subresource](request, new, old)
    if request.served.disabled:
        drop_disabled(request.served.disabled.get(request.subresource, ()), new, old)
    if _is_new_generation(request, new, old):
        new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1
        new["metadata"] = metadata.ordered(new["metadata"])


def _is_new_generation(request: Request, new: Object, old: Object) -> bool:
    if request.served.custom is not None:  # anything but metadata counts; a status of its own has been put aside
        return request.subresource != "status" and {**new, "metadata": None} != {**old, "metadata": None}
    kind = request.served.stored.kind
    return kind in GENERATION_KINDS and _counts(kind, request.subresource, new, old)


def _keep_metadata(new: Object, old: Object, members: tuple[str, ...] | None) -> None:
    """What of its metadata the status of an object does not change; None is all of it."""
    if members is None:
        own = {name: new["metadata"][name] for name in ("managedFields", "resourceVersion") if name in new["metadata"]}
        kept = {
            name: value for name, value in old["metadata"].items() if name not in ("managedFields", "resourceVersion")
        }
        new["metadata"] = metadata.ordered({**kept, **own})
    elif members:
        kept = {name: value for name, value in old["metadata"].items() if name in members}
        left = {name: value for name, value in new["metadata"].items() if name not in members}
        new["metadata"] = metadata.ordered({**left, **kept})


_COUNTED_METADATA = {"Deployment": "annotations", "EndpointSlice": "labels"}


def _counts(kind: str, subresource: str, new: Object, old: Object) -> bool:
    """Whether a change counts as a new generation; so does some of metadata (not with a status), as upstream."""
    if subresource == "binding" or kind == "PriorityClass":  # placing a pod is no change of what is wanted
        return False
    if metadata.spec_changed(new, old):
        return True
    member = _COUNTED_METADATA.get(kind)
    return member is not None and not subresource and new["metadata"].get(member) != old["metadata"].get(member)


def _carry(new: Object, old: Object, member: str) -> None:
    if member in old:
        new[member] = old[member]
    else:
        new.pop(member, None)
