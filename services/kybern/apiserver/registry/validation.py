"""Validation: every field error of an object at once, as one Invalid status."""

from typing import Any

from kybern.apiserver.registry.request import Request
from kybern.kube.field import FieldError
from kybern.kube.status import invalid
from kybern.kube.structural.kind import of_status
from kybern.kube.validation import validate_create, validate_subresource_update, validate_update
from kybern.kube.validation.metadata import finalizer_warnings

Object = dict[str, Any]


def check_create(request: Request, obj: Object) -> None:
    """Raises StatusError (422)."""
    stored, strategy, custom = request.served.stored, request.served.strategy, request.served.custom
    errors = strategy.check_here(request, obj, None) if strategy.check_here is not None else []
    errors += validate_create(stored, obj, request.served.info)
    if custom is not None:
        errors += custom.validate(_as_asked(request, obj))
        warn_of_finalizers(request, obj, {})
    elif strategy.check is not None:
        errors += strategy.check(obj, None)
    if errors:
        told = errors if strategy.order is None else strategy.order(errors)
        raise invalid(stored.group, stored.kind, obj["metadata"].get("name", ""), told)
    if strategy.warn is not None:
        warn(request, strategy.warn(obj, None))


def check_update(request: Request, new: Object, old: Object) -> None:
    """Raises StatusError (422)."""
    stored, strategy, custom = request.served.stored, request.served.strategy, request.served.custom
    errors = strategy.check_here(request, new, old) if strategy.check_here is not None else []
    if request.subresource in ("", "scale"):
        errors += validate_update(stored, new, old, request.served.info)
    else:
        errors += validate_subresource_update(stored, request.subresource, new, old)
    if custom is not None:
        broken: list[FieldError] = []
        found = custom.validate(_as_asked(request, new), _as_asked(request, old), broken)
        warn(request, [str(error) for error in broken])
        errors += of_status(found) if request.subresource == "status" else found
        warn_of_finalizers(request, new, old["metadata"])
    elif strategy.check is not None and not request.subresource:
        errors += strategy.check(new, old)
    if errors:
        told = errors if strategy.order is None else strategy.order(errors)
        raise invalid(stored.group, stored.kind, new["metadata"].get("name", ""), told)
    if strategy.warn is not None and not request.subresource:
        warn(request, strategy.warn(new, old))


def _as_asked(request: Request, obj: Object) -> Object:
    """A custom resource is judged in the version that it was asked for in."""
    version = request.served.info.api_version
    return obj if obj.get("apiVersion") == version else {**obj, "apiVersion": version}


def warn(request: Request, found: list[str]) -> None:
    """Warnings that the client has not had yet."""
    request.warnings += [warning for warning in dict.fromkeys(found) if warning not in request.warnings]


def warn_of_finalizers(request: Request, new: Object, before: Object) -> None:
    """Custom resources may have finalizers without a domain, but are better off without."""
    warn(request, finalizer_warnings(new["metadata"], before))
