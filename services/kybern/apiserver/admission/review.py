"""The AdmissionRequest of a write: what webhooks are sent, and what `request` is in CEL."""

from typing import Any

from kybern.apiserver.admission.plugin import CREATE, DELETE
from kybern.apiserver.core.user import user_info
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served

Object = dict[str, Any]
OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


def admission_request(request: Request, operation: str, uid: str, matched: Served | None = None) -> Object:
    """The request without its objects. `matched` is the version that a rule named, the request's own by default."""
    matched = matched or request.served
    found: Object = {
        "uid": uid,
        "kind": _kind(matched, request.subresource),
        "resource": _resource(matched),
        "requestKind": _kind(request.served, request.subresource),
        "requestResource": _resource(request.served),
        "name": request.name,
        "namespace": _namespace(request),
        "operation": operation,
        "userInfo": user_info(request.user),
        "dryRun": request.dry_run,
        "options": options(request, operation),
    }
    if request.subresource:
        found |= {"subResource": request.subresource, "requestSubResource": request.subresource}
    if _is_nameless(request, operation):
        del found["name"]
    if not found["namespace"]:
        del found["namespace"]
    return found


def _is_nameless(request: Request, operation: str) -> bool:
    """Whether the name is not known yet, or the request is for a whole collection."""
    if request.of_collection:
        return True
    return operation == CREATE and (not request.name or (request.name_generated and not request.validating))


def _namespace(request: Request) -> str:
    if request.resource == "namespaces" and not request.group:
        return request.name
    return request.namespace if request.served.info.namespaced else ""


def _kind(served: Served, subresource: str) -> Object:
    info = served.info
    if subresource and subresource in info.subresources:
        sub = info.subresources[subresource]
        return {"group": sub.group, "version": sub.version, "kind": sub.kind}
    return {"group": info.group, "version": info.version, "kind": info.kind}


def _resource(served: Served) -> Object:
    info = served.info
    return {"group": info.group, "version": info.version, "resource": info.resource}


def options(request: Request, operation: str) -> Object | None:
    """The options of the write, of what is done rather than asked for (a patch updates); None to connect."""
    kind = OPTIONS.get(operation)
    if kind is None:
        return None
    if operation == DELETE:
        return _delete_options(request)
    found: Object = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if request.dry_run:
        found["dryRun"] = ["All"]
    if request.field_manager:
        found["fieldManager"] = request.field_manager
    if request.field_validation:
        found["fieldValidation"] = request.field_validation
    return found


def _delete_options(request: Request) -> Object:
    found: Object = {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}
    given = request.deletion
    if given is not None:
        if given.grace is not None:
            found["gracePeriodSeconds"] = given.grace
        preconditions = {"uid": given.uid, "resourceVersion": given.resource_version}
        if any(value is not None for value in preconditions.values()):
            found["preconditions"] = {member: value for member, value in preconditions.items() if value is not None}
        if given.policy:
            found["propagationPolicy"] = given.policy
    if request.dry_run:
        found["dryRun"] = ["All"]
    return found
