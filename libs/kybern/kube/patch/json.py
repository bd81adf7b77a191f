"""JSON patch (RFC 6902, application/json-patch+json): a list of operations applied all or none."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from kybern.kube.recognize import go_type
from kybern.kube.status import StatusError, bad_request, request_entity_too_large, status_error

MAX_OPERATIONS = 10_000
_STRINGS = ("op", "path", "from")
_NEEDS_VALUE = ("add", "replace", "test")


def apply(original: dict[str, Any], patch: Any) -> dict[str, Any]:
    """A patched copy of `original`. Raises StatusError: 400 for a malformed patch, 413 too long, 422 not applicable."""
    operations = _read(patch)
    try:
        # The library shares `value` members with its result; a copy per application keeps the patch reusable.
        patched: dict[str, Any] = jsonpatch.JsonPatch(operations).apply(original)
    except jsonpatch.JsonPatchTestFailed as failed:
        raise unprocessable(f"testing path failed: {failed}") from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError) as wrong:
        raise unprocessable(str(wrong)) from None
    if not isinstance(patched, dict):
        raise unprocessable("the patched document is not an object")
    return patched


def _read(patch: Any) -> list[dict[str, Any]]:
    """The operations; a value that is not given is null. Raises StatusError (400, 413)."""
    if patch is None:
        return []
    if not isinstance(patch, list):
        raise _malformed(f"json: cannot unmarshal {go_type(patch)} into Go value of type []handlers.jsonPatchOp")
    if len(patch) > MAX_OPERATIONS:
        raise request_entity_too_large(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}"
        )
    found = []
    for operation in patch:
        if operation is not None and not isinstance(operation, dict):
            raise _malformed(f"json: cannot unmarshal {go_type(operation)} into Go value of type handlers.jsonPatchOp")
        found.append(_complete(operation or {}))
    return found


def _complete(operation: dict[str, Any]) -> dict[str, Any]:
    for name in _STRINGS:
        value = operation.get(name)
        if value is not None and not isinstance(value, str):
            what = f"json: cannot unmarshal {go_type(value)} into Go struct field jsonPatchOp.{name} of type string"
            raise _malformed(what)
    return {"value": None, **operation} if operation.get("op") in _NEEDS_VALUE else operation


def _malformed(why: str) -> StatusError:
    return bad_request(f"error decoding patch: {why}")


def unprocessable(why: str) -> StatusError:
    """422 for a well-formed patch that does not fit the object: upstream's fixed message; why is a note for logs."""
    error = status_error(422, "Invalid", "the server rejected our request due to an error in our request")
    error.status["details"] = {}
    error.add_note(why)
    return error
