"""What the server itself writes into metadata: names, UIDs, times; and what a client may not change there."""

from random import Random
from typing import Any

from kybern.apiserver.core import keys
from kybern.apiserver.registry.request import Request
from kybern.kube import names
from kybern.kube.owner_references import drop_repeated
from kybern.kube.status import StatusError, bad_request, conflict
from kybern.kube.validation.names import path_segment

Object = dict[str, Any]
VERSION_BITS = (0xF << 76) | (0x3 << 62)  # version and variant of a UUID
VERSION_4 = (0x4 << 76) | (0x2 << 62)
NEVER_NEW = ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
FIXED = ("uid", "creationTimestamp", "generation", "selfLink")


def new_uid(random: Random) -> str:
    """A random UUID, version 4."""
    digits = f"{random.getrandbits(128) & ~VERSION_BITS | VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def place(request: Request, obj: Object) -> None:
    """Fill and check the namespace against the request's; none where there are none. Raises StatusError (400)."""
    metadata = obj["metadata"]
    if not request.served.info.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace", request.namespace) not in ("", request.namespace):
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    metadata["namespace"] = request.namespace


def check_key(name: str) -> None:
    """Raises StatusError (400) for a name that no object can be looked up by."""
    if not name:
        raise bad_request("Name parameter required.")
    wrong = path_segment(name)
    if wrong:
        raise bad_request(f'Name parameter invalid: "{name}": {";".join(wrong)}')


def begin(request: Request, obj: Object) -> None:
    """System fields of a new object; what a client wrote there is dropped (most of it if it is made by a POST)."""
    metadata = obj["metadata"]
    if request.verb == "create":
        for member in NEVER_NEW:
            metadata.pop(member, None)
    elif not request.dry_run:
        metadata.pop("selfLink", None)
    if not request.dry_run:  # which shows it as it was given
        metadata.pop("resourceVersion", None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = names.generate_name(metadata["generateName"], request.server.random)
        request.name_generated = True
    metadata["uid"] = new_uid(request.server.random)
    metadata["creationTimestamp"] = request.timestamp
    request.name = metadata.get("name") or ""


def name_by_uid(request: Request, obj: Object) -> None:
    """Who gives no name to a LimitRange gets a random one."""
    if not obj["metadata"].get("name"):
        obj["metadata"]["name"] = request.name = new_uid(request.server.random)


def ordered(metadata: Object) -> Object:
    """Upstream's order of the first members."""
    first = ("name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp")
    return {member: metadata[member] for member in first if member in metadata} | metadata


def other_uid(request: Request, wanted: str, found: str) -> StatusError:
    """What a client is told who means an object that was there before under the same name."""
    return precondition_failed(request, "UID", wanted, found)


def precondition_failed(request: Request, member: str, wanted: str, found: str) -> StatusError:
    """409: the object is there, but not as the client means it."""
    key = f"{request.served.storage.prefix}{keys.suffix(request.namespace, request.name)}"
    if request.dry_run:
        key = key.removeprefix("/registry")
    return conflict(
        request.group,
        request.resource,
        request.name,
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: {member} in precondition: {wanted}, {member} in object meta: {found}",
    )


def one_of_each_owner(request: Request, obj: Object, when: str = "") -> None:
    """Owners that are given twice count once, with a warning."""
    warning = drop_repeated(obj["metadata"], when)
    if warning and warning not in request.warnings:
        request.warnings.append(warning)


def keep(request: Request, new: Object, old: Object) -> None:
    """Check an update's identity and carry over what a client cannot change. Raises StatusError (400, 409)."""
    metadata, before = new["metadata"], old["metadata"]
    place(request, new)
    name = metadata.get("name") or request.name
    if name != request.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({request.name})")
    metadata["name"] = name
    uid = metadata.get("uid")
    is_other = bool(uid) and uid != before.get("uid")
    if is_other and request.verb != "patch":
        raise other_uid(request, uid, before.get("uid", ""))
    for member in FIXED:
        if member == "uid" and is_other:
            continue  # what a patch makes is refused with all else that is wrong with it
        if member == "selfLink" and request.dry_run and metadata.get(member):
            continue
        if member in before:
            metadata[member] = before[member]
        else:
            metadata.pop(member, None)
    if before.get("deletionGracePeriodSeconds") is not None:
        metadata.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])
    if before.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = before["deletionTimestamp"]
    for member in ("labels", "annotations", "finalizers", "ownerReferences"):
        if member in metadata and not metadata[member]:
            del metadata[member]
    new["metadata"] = ordered(metadata)


def spec_changed(new: Object, old: Object) -> bool:
    """Whether anything but metadata and status differs."""
    return _desired(new) != _desired(old)


def _desired(obj: Object) -> Object:
    return {member: value for member, value in obj.items() if member not in ("metadata", "status")}
