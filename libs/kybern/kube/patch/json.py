"""JSON patch (RFC 6902, application/json-patch+json): a list of operations applied all or none."""

from __future__ import annotations

import copy
from typing import Any

from kybern.kube.patch.json_steps import Inapplicable, step
from kybern.kube.recognize import go_type
from kybern.kube.status import StatusError, bad_request, request_entity_too_large, status_error

MAX_OPERATIONS = 10_000
_STRINGS = ("op", "path", "from")
MEMBERS = (*_STRINGS, "value")  # of an operation
_NEEDS_VALUE = ("add", "replace", "test")


def apply(original: dict[str, Any], patch: Any, *, lenient: bool = False) -> dict[str, Any]:
    """A patched copy of `original`. Raises StatusError: 400 for a malformed patch, 413 too long, 422 not applicable.

    `lenient`: members of other types are looked at only where an operation needs them.
    """
    patched: Any = copy.deepcopy(original)
    try:
        for operation in _read(patch, lenient):
            patched = step(patched, operation)
    except Inapplicable as error:
        raise unprocessable(str(error)) from error
    if not isinstance(patched, dict):
        raise unprocessable("the patched document is not an object")
    return patched


def _read(patch: Any, lenient: bool) -> list[dict[str, Any]]:
    """The operations; a value that is not given is null. Raises StatusError (400, 413)."""
    if patch is None:
        return []
    if not isinstance(patch, list):
        raise _no_patch(patch, lenient, "[]handlers.jsonPatchOp", "jsonpatch.Patch")
    if len(patch) > MAX_OPERATIONS:
        raise request_entity_too_large(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}"
        )
    found = []
    for operation in patch:
        if operation is not None and not isinstance(operation, dict):
            raise _no_patch(operation, lenient, "handlers.jsonPatchOp", "jsonpatch.Operation")
        found.append(_complete(operation or {}, lenient))
    return found


def _complete(operation: dict[str, Any], lenient: bool) -> dict[str, Any]:
    for name in _STRINGS:
        value = operation.get(name)
        if value is not None and not isinstance(value, str):
            if lenient:
                operation = {**operation, name: None}
                continue
            what = f"json: cannot unmarshal {go_type(value)} into Go struct field jsonPatchOp.{name} of type string"
            raise _malformed(what)
    return {"value": None, **operation} if operation.get("op") in _NEEDS_VALUE else operation


def _no_patch(value: Any, lenient: bool, checked: str, applied: str) -> StatusError:
    """The value is of another type than what is first to read it."""
    why = f"json: cannot unmarshal {go_type(value)} into Go value of type {applied if lenient else checked}"
    return bad_request(why) if lenient else _malformed(why)


def _malformed(why: str) -> StatusError:
    return bad_request(f"error decoding patch: {why}")


def unprocessable(why: str) -> StatusError:
    """422 for a well-formed patch that does not fit the object: upstream's fixed message; why is a note for logs."""
    error = status_error(422, "Invalid", "the server rejected our request due to an error in our request")
    error.status["details"] = {}
    error.add_note(why)
    return error
