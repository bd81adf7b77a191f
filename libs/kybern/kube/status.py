"""Status: the one error type of the Kubernetes API, as an exception and a constructor per reason."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kybern.kube.field import FieldError, aggregate
from kybern.kube.go_values import quoted

JSON = dict[str, Any]


class StatusError(Exception):
    """A failed request; `.status` is the `v1.Status` object a client receives as the body, `.warnings` go with it."""

    def __init__(self, status: JSON, warnings: Sequence[str] = ()) -> None:
        super().__init__(status.get("message", ""))
        self.status = status
        self.warnings = tuple(warnings)

    @property
    def code(self) -> int:
        """The HTTP status code."""
        return int(self.status.get("code", 500))

    @property
    def reason(self) -> str:
        """The machine-readable reason, such as `NotFound`; empty when unknown."""
        return str(self.status.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.status.get("message", ""))

    @property
    def details(self) -> JSON:
        details: JSON = self.status.get("details") or {}
        return details


@contextmanager
def allowing(*codes: int) -> Iterator[None]:
    """A request that may be refused with these codes: what is to be changed or deleted may be gone already."""
    try:
        yield
    except StatusError as error:
        if error.code not in codes:
            raise


def status_error(code: int, reason: str, message: str, **details: Any) -> StatusError:
    """A failure with any code and reason; details that are empty are left out."""
    status: JSON = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if reason:
        status["reason"] = reason
    kept = {key: value for key, value in details.items() if value}
    if kept:
        status["details"] = kept
    status["code"] = code
    return StatusError(status)


def success(**details: Any) -> JSON:
    """The Status object that answers a successful request without an object of its own, such as a delete."""
    status: JSON = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    kept = {key: value for key, value in details.items() if value}
    return {**status, "details": kept} if kept else status


def _qualified(group: str, name: str) -> str:
    return f"{name}.{group}" if group else name


def not_found(group: str, resource: str, name: str) -> StatusError:
    message = f"{_qualified(group, resource)} {quoted(name)} not found"
    return status_error(404, "NotFound", message, name=name, group=group, kind=resource)


def unknown_resource() -> StatusError:
    """The path names no resource this server knows."""
    error = status_error(404, "NotFound", "the server could not find the requested resource")
    error.status["details"] = {}
    return error


def already_exists(group: str, resource: str, name: str) -> StatusError:
    message = f"{_qualified(group, resource)} {quoted(name)} already exists"
    return status_error(409, "AlreadyExists", message, name=name, group=group, kind=resource)


def generate_name_conflict(group: str, resource: str, name: str, retry_after_seconds: int = 1) -> StatusError:
    message = (
        f"{_qualified(group, resource)} {quoted(name)} already exists, "
        "the server was not able to generate a unique name for the object"
    )
    return status_error(
        409, "AlreadyExists", message, name=name, group=group, kind=resource, retryAfterSeconds=retry_after_seconds
    )


def conflict(group: str, resource: str, name: str, why: str = "") -> StatusError:
    """A write lost against another; without `why` the wording for a stale resourceVersion is used."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f"Operation cannot be fulfilled on {_qualified(group, resource)} {quoted(name)}: {why}"
    return status_error(409, "Conflict", message, name=name, group=group, kind=resource)


def apply_conflict(causes: Sequence[JSON], message: str) -> StatusError:
    return status_error(409, "Conflict", message, causes=list(causes))


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> StatusError:
    """Every field error of an object; note that `details.kind` is the Kind here, not the resource."""
    message = f"{_qualified(group, kind)} {quoted(name)} is invalid"
    if errors:
        message += f": {aggregate(errors)}"
    causes = [error.cause() for error in errors]
    return status_error(422, "Invalid", message, name=name, group=group, kind=kind, causes=causes)


def bad_request(message: str) -> StatusError:
    return status_error(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    return status_error(401, "Unauthorized", message)


def forbidden(group: str, resource: str, name: str, why: str) -> StatusError:
    what = _qualified(group, resource)
    if not what:
        message = f"forbidden: {why}"
    elif not name:
        message = f"{what} is forbidden: {why}"
    else:
        message = f"{what} {quoted(name)} is forbidden: {why}"
    error = status_error(403, "Forbidden", message, name=name, group=group, kind=resource)
    if "details" not in error.status:
        error.status = {**error.status, "details": {}, "code": error.status.pop("code")}  # the code stays last
    return error


def method_not_allowed(group: str, resource: str, verb: str) -> StatusError:
    message = f'{verb} is not supported on resources of kind "{_qualified(group, resource)}"'
    return status_error(405, "MethodNotAllowed", message, group=group, kind=resource)


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    message = "only the following media types are accepted: " + ", ".join(accepted)
    return status_error(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return status_error(415, "UnsupportedMediaType", message)


def gone(message: str) -> StatusError:
    return status_error(410, "Gone", message)


def expired(message: str) -> StatusError:
    """A resourceVersion or continue token is older than the history kept; a watcher must list again."""
    return status_error(410, "Expired", message)


def request_entity_too_large(message: str) -> StatusError:
    return status_error(413, "RequestEntityTooLarge", f"Request entity too large: {message}")


def too_many_requests(message: str, retry_after_seconds: int = 1) -> StatusError:
    return status_error(429, "TooManyRequests", message, retryAfterSeconds=retry_after_seconds)


def internal(why: str) -> StatusError:
    return status_error(500, "InternalError", f"Internal error occurred: {why}", causes=[{"message": why}])


def server_timeout(group: str, resource: str, verb: str, retry_after_seconds: int = 0) -> StatusError:
    what = _qualified(group, resource)
    message = f"The {verb} operation against {what} could not be completed at this time, please try again."
    return status_error(
        500, "ServerTimeout", message, name=verb, group=group, kind=resource, retryAfterSeconds=retry_after_seconds
    )


def service_unavailable(message: str) -> StatusError:
    return status_error(503, "ServiceUnavailable", message)


TOO_LATE = "request did not complete within requested timeout - context deadline exceeded"  # what clients are told


def timeout(message: str, retry_after_seconds: int = 0) -> StatusError:
    return status_error(504, "Timeout", f"Timeout: {message}", retryAfterSeconds=retry_after_seconds)
