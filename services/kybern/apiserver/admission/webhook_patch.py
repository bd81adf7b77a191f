"""What a mutating webhook is shown of an object, and its patch carried over to the object that is being written."""

from typing import Any

from kybern.apiserver.admission.plugin import CREATE, UPDATE
from kybern.apiserver.admission.webhook_calls import Write
from kybern.apiserver.registry import metadata as metadata_rules
from kybern.apiserver.registry.resource_table import Served
from kybern.kube import schema
from kybern.kube.defaults import apply_defaults
from kybern.kube.patch import json as json_patch
from kybern.kube.status import StatusError, internal
from kybern.kube.structural.kind import with_member

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
        metadata["creationTimestamp"] = None
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
    if request.subresource == "scale" and _is_whole(write):
        found = _with_replicas(served, new, wanted)
    elif _is_whole(write):
        found = await _decoded(write, served, wanted)
    else:
        found = wanted
        definition = schema.definition(_gvk(wanted))
        if definition is not None:
            _prune(definition, found)
    new.clear()
    new.update(found)


def _with_replicas(served: Served, new: Object, scale: Object) -> Object:
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    custom = served.custom
    path = custom.scale.spec if custom is not None and custom.scale is not None else ".spec.replicas"
    return with_member(new, path, replicas)


async def _decoded(write: Write, served: Served, wanted: Object) -> Object:
    """In the version in which the request is worked on, pruned and with defaults; system fields as they were."""
    request, new = write.request, write.new
    assert new is not None
    working = request.served.stored
    if served.custom is not None:
        served.custom.prune(wanted)
        served.custom.default(wanted)
    else:
        _prune(served.definition or {}, wanted)
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


def _prune(definition: Object, obj: Object) -> None:
    try:
        schema.prune(definition, obj)
    except schema.DecodeError as error:
        raise internal(str(error)) from None


def _gvk(obj: Object) -> tuple[str, str, str]:
    group, _, version = (obj.get("apiVersion") or "").rpartition("/")
    return group, version, obj.get("kind") or ""
