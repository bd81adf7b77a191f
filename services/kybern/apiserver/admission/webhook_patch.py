"""What a mutating webhook is shown of an object, and its patch carried over to the object that is being written."""

from collections.abc import Callable
from functools import partial
from typing import Any

from kybern.apiserver.admission.plugin import CREATE, UPDATE
from kybern.apiserver.admission.webhook_calls import Write
from kybern.apiserver.registry import metadata as metadata_rules
from kybern.apiserver.registry.resource_table import Served
from kybern.apiserver.registry.strategies.scale import GVK as SCALE
from kybern.apiserver.registry.strategies.scale import replicas_of, with_replicas
from kybern.kube import meta, schema
from kybern.kube.defaults import apply_defaults
from kybern.kube.patch import json as json_patch
from kybern.kube.status import StatusError, internal

Object = dict[str, Any]
KEPT = (*metadata_rules.FIXED, "resourceVersion")


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
    return {**shown, "metadata": metadata}


def patched(shown: Object, operations: Any) -> Object:
    """The object as the webhook wants it. Raises StatusError (500)."""
    try:
        return json_patch.apply(shown, operations)
    except StatusError as error:
        notes = getattr(error, "__notes__", [])
        raise internal(notes[0] if notes else error.message) from None


async def take_over(write: Write, served: Served, wanted: Object) -> None:
    """Make `write.new` what the webhook wants, given in the version of `served`. Raises StatusError."""
    new, request = write.new, write.request
    assert new is not None
    is_scale = request.subresource == "scale" and _is_whole(write)
    if _is_whole(write) and not is_scale:
        _check_kind(wanted, served.info.gvk)
        found = await _decoded(write, served, wanted)
    else:
        gvk = SCALE if is_scale else meta.gvk(new)
        _check_kind(wanted, gvk)
        definition = schema.definition(gvk)
        if definition is not None:
            _prune(partial(schema.prune, definition), wanted)
        found = with_replicas(new, replicas_of(wanted) or 0, served.custom) if is_scale else wanted
    new.clear()
    new.update(found)


def _check_kind(wanted: Object, gvk: tuple[str, str, str]) -> None:
    """An object stays of its kind, said or not. Raises StatusError (500)."""
    group, version, kind = gvk
    expected = {"kind": kind, "apiVersion": meta.join_group_version(group, version)}
    said = {member: wanted.get(member) or value for member, value in expected.items()}
    if said != expected:
        raise internal(f'no kind "{said["kind"]}" is registered for version "{said["apiVersion"]}"')
    wanted |= expected


async def _decoded(write: Write, served: Served, wanted: Object) -> Object:
    """In the version in which the request is worked on, pruned and with defaults; system fields as they were."""
    request, new = write.request, write.new
    assert new is not None
    working = request.served.stored
    if served.custom is not None:
        _prune(served.custom.prune, wanted)
        served.custom.default(wanted)
    else:
        _prune(partial(schema.prune, served.definition or {}), wanted)
        apply_defaults(served.info, wanted)
    if not isinstance(wanted.get("metadata"), dict):
        wanted["metadata"] = {}
    if served.conversion is not None:
        found = await served.conversion.convert(wanted, working.api_version)
    else:
        found = schema.convert(wanted, working.api_version)
        if found is not wanted and served.custom is None:
            apply_defaults(working, found)
    metadata, before = dict(found["metadata"]), new["metadata"]
    for member in KEPT:
        if member in before:
            metadata[member] = before[member]
        else:
            metadata.pop(member, None)
    if not metadata.get("name"):
        metadata["name"] = before.get("name", "")
    elif metadata["name"] != before.get("name"):
        request.name_generated = False
    if write.operation == CREATE:
        request.name = metadata["name"]
    return {**found, "metadata": metadata_rules.ordered(metadata)}


def _prune(prune: Callable[[Object], list[str]], obj: Object) -> None:
    """Raises StatusError (500) for what is of a wrong type."""
    try:
        prune(obj)
    except schema.DecodeError as error:
        raise internal(str(error)) from None
