"""The strategy of CustomResourceDefinitions: which versions were ever stored, checks of schemas, orderly deletion."""

from typing import Any

from kybern.apiserver.crd.definition import FINALIZER, condition, is_terminating
from kybern.apiserver.crd.names import conditions
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Strategy
from kybern.kube import status as statuses
from kybern.kube.field import FieldError
from kybern.kube.schema import DecodeError, decode_error
from kybern.kube.structural.crd import check_change, check_definition, check_names, coerce_schemas

Object = dict[str, Any]
MARKED = (
    "True",
    "InstanceDeletionPending",
    "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
)


def begin(request: Request, obj: Object) -> None:
    """The first status."""
    _coerce(request, obj)
    accepted = {"plural": "", "kind": ""}
    obj["status"] = {"conditions": None, "acceptedNames": accepted, "storedVersions": _stored(obj, []) or None}


def keep(request: Request, new: Object, old: Object) -> None:
    """A new storage version joins those that were one."""
    _coerce(request, new)
    status = dict(new.get("status") or {})
    status["storedVersions"] = _stored(new, status.get("storedVersions") or [])
    new["status"] = status


def keep_status(request: Request, new: Object, old: Object) -> None:
    """The status may say anything but names that are none; the storage version stays on the record. Raises
    StatusError (422)."""
    status = dict(new.get("status") or {"acceptedNames": {"kind": "", "plural": ""}})
    status["storedVersions"] = _stored(new, status.get("storedVersions") or [])
    new["status"] = status
    errors = list(check_names(status.get("acceptedNames") or {}, "status.acceptedNames"))
    if errors:
        info = request.served.stored
        raise statuses.invalid(info.group, info.kind, request.name, errors)


def _coerce(request: Request, obj: Object) -> None:
    """Decode what the kind's own schema leaves open: schemas inside `items` and `additionalProperties`."""
    try:
        coerce_schemas(obj)
    except DecodeError as error:
        raise decode_error(request.served.stored.gvk, str(error)) from None


def _stored(obj: Object, before: list[str]) -> list[str]:
    versions = (obj.get("spec") or {}).get("versions") or ()
    storage = [version.get("name", "") for version in versions if version.get("storage")]
    return [*before, *(name for name in storage[:1] if name not in before)]


def check(new: Object, old: Object | None) -> list[FieldError]:
    """What the frame's own rules do not say."""
    return check_definition(new) if old is None else check_change(new, old)


def mark(request: Request, obj: Object) -> None:
    """The definition goes after its objects: a finalizer holds it until they are gone."""
    if is_terminating(obj):
        return
    metadata = obj["metadata"]
    finalizers = metadata.get("finalizers") or []
    if FINALIZER not in finalizers and condition(obj, "Established"):
        metadata["finalizers"] = [*finalizers, FINALIZER]
    status = dict(obj.get("status") or {})
    obj["status"] = {**status, "conditions": conditions(obj, {"Terminating": MARKED}, request.now)}


CUSTOM_RESOURCE_DEFINITIONS = Strategy(
    prepare_create=(begin,),
    prepare_update=(keep,),
    status_update=(keep_status,),
    prepare_delete=mark,
    marks_time_alone=True,
    check=check,
    unconditional_update=False,
)
