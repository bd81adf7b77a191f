"""What mutating webhooks and policies are shown of an object, and what they make of it carried over to the object that
is being written."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from kybern.apiserver.admission.plugin import CREATE, UPDATE
from kybern.apiserver.admission.webhook_calls import Write
from kybern.apiserver.registry import metadata as metadata_rules
from kybern.apiserver.registry.resource_table import Served
from kybern.apiserver.registry.strategies.scale import GVK as SCALE
from kybern.apiserver.registry.strategies.scale import replicas_of, with_replicas
from kybern.kube import meta, schema
from kybern.kube.defaults import apply_defaults
from kybern.kube.patch import json as json_patch
from kybern.kube.status import StatusError, conflict, internal

Object = dict[str, Any]
GVK = tuple[str, str, str]
KEPT = (*metadata_rules.FIXED, "resourceVersion")


class Reading(NamedTuple):
    """How what somebody has made of an object is read: `strict` knows no unknown fields; `refuse` a wrong type."""

    strict: bool
    refuse: Callable[[schema.DecodeError, GVK], Exception]


LENIENT = Reading(False, lambda error, _: internal(str(error)))
STRICT = Reading(True, LENIENT.refuse)


def _is_whole(write: Write) -> bool:
    """Whether it is about an object of the resource's own kind."""
    return write.new is not None and write.new.get("kind") == write.request.served.stored.kind


def hide(write: Write, shown: Object | None) -> Object | None:
    """The object without what it gets after admission only: a generated name, its UID and time of creation."""
    request = write.request
    if shown is None or not _is_whole(write) or request.subresource == "scale":
        return shown
    metadata = dict(shown["metadata"])
    if write.operation == CREATE and not request.subresource:
        metadata.pop("uid", None)
        metadata.pop("creationTimestamp", None)
        if request.name_generated:
            metadata.pop("name", None)
    elif write.operation == UPDATE and request.verb == "patch" and write.old is not None:
        metadata.setdefault("resourceVersion", write.old["metadata"].get("resourceVersion"))
    for member in request.unsent if write.operation == UPDATE else ():
        metadata.pop(member, None)
    return {**shown, "metadata": metadata}


def patched(shown: Object, operations: Any) -> Object:
    """The object as the webhook wants it. Raises StatusError (500)."""
    try:
        return json_patch.apply(shown, operations)
    except StatusError as error:
        notes = getattr(error, "__notes__", [])
        raise internal(notes[0] if notes else error.message) from None


async def take_over(write: Write, served: Served, wanted: Object, reading: Reading = LENIENT) -> None:
    """Make `write.new` what is wanted, given in the version of `served`. Raises StatusError."""
    new, request = write.new, write.request
    assert new is not None
    is_scale = request.subresource == "scale" and _is_whole(write)
    if _is_whole(write) and not is_scale:
        _check_kind(wanted, served.info.gvk, reading)
        found = await _decoded(write, served, wanted, reading)
    else:
        gvk = SCALE if is_scale else meta.gvk(new)
        _check_kind(wanted, gvk, reading)
        definition = schema.definition(gvk)
        if definition is not None:
            _prune(partial(schema.prune, definition), wanted, gvk, reading)
        found = with_replicas(new, replicas_of(wanted) or 0, served.custom) if is_scale else wanted
    new.clear()
    new.update(found)


def check_identity(write: Write) -> None:
    """Whether the object still lies where the request is for, and is the one to be changed. Raises StatusError."""
    request = write.request
    if write.new is None or not _is_whole(write):
        return
    metadata_rules.place(request, write.new)
    if write.old is None:
        return
    said = write.new["metadata"].get("resourceVersion")
    if said not in (None, "", "0", write.old["metadata"].get("resourceVersion")):
        raise conflict(request.group, request.resource, request.name)
    if request.verb == "patch":  # which shows the version that it has read
        write.new["metadata"].pop("resourceVersion", None)


def _check_kind(wanted: Object, gvk: GVK, reading: Reading) -> None:
    """An object stays of its kind, said or not. Raises StatusError (500)."""
    group, version, kind = gvk
    expected = {"kind": kind, "apiVersion": meta.join_group_version(group, version)}
    said = {member: wanted.get(member) or value for member, value in expected.items()}
    if said != expected:
        readable = reading.strict and all(isinstance(one, str) for one in said.values())
        definition = schema.definition(meta.gvk(said)) if readable else None
        if definition is not None:
            _prune(partial(schema.prune, definition), wanted, gvk, reading)
        where = 'in scheme "pkg/runtime/scheme.go:111"'
        raise internal(f'no kind "{said["kind"]}" is registered for version "{said["apiVersion"]}" {where}')
    wanted |= expected


async def _decoded(write: Write, served: Served, wanted: Object, reading: Reading) -> Object:
    """In the version in which the request is worked on, pruned and with defaults; system fields as they were."""
    request, new = write.request, write.new
    assert new is not None
    working = request.served.stored
    if served.custom is not None:
        _prune(served.custom.prune, wanted, served.info.gvk, LENIENT)
        served.custom.default(wanted)
    else:
        _prune(partial(schema.prune, served.definition or {}), wanted, served.info.gvk, reading)
        apply_defaults(served.info, wanted)
    if not isinstance(wanted.get("metadata"), dict):
        wanted["metadata"] = {}
    if served.conversion is not None:
        found = await served.conversion.convert(wanted, working.api_version)
    else:
        found = schema.convert(wanted, working.api_version)
        if found is not wanted and served.custom is None:
            apply_defaults(working, found)
    return {**found, "metadata": metadata_rules.ordered(_metadata(write, dict(found["metadata"])))}


def _metadata(write: Write, metadata: Object) -> Object:
    """What was hidden is as it was; what may not change is refused later, or comes from the server."""
    request, before = write.request, (write.new or {})["metadata"]
    for member in KEPT:
        if write.operation == UPDATE and member in _CHECKED and metadata.get(member):
            continue
        if member in before:
            metadata[member] = before[member]
        else:
            metadata.pop(member, None)
    if not metadata.get("managedFields"):
        metadata.pop("managedFields", None)
    if not metadata.get("name") and request.name_generated:
        metadata["name"] = before.get("name", "")
    elif metadata.setdefault("name", "") != before.get("name"):
        request.name_generated = False
    if write.operation == CREATE:
        request.name = metadata.get("name") or ""
    return metadata


_CHECKED = ("uid", "resourceVersion")  # of an update


def _prune(prune: Callable[[Object], list[str]], obj: Object, gvk: GVK, reading: Reading) -> None:
    """Raises StatusError (500) for unknown fields if they count, and for what is of a wrong type."""
    try:
        unknown = prune(obj)
    except schema.DecodeError as error:
        raise reading.refuse(error, gvk) from None
    if unknown and reading.strict:
        raise internal(schema.strict_problem([f'unknown field "{path}"' for path in unknown]))
