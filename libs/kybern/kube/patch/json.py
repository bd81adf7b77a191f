"""JSON patch (RFC 6902, application/json-patch+json): a list of operations applied all or none."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from kybern.kube.status import StatusError, bad_request, request_entity_too_large, status_error

MAX_OPERATIONS = 10_000


def apply(original: dict[str, Any], patch: Any) -> dict[str, Any]:
    """A patched copy of `original`. Raises StatusError: 400 for a malformed patch, 413 too long, 422 not applicable."""
    if not isinstance(patch, list) or not all(isinstance(operation, dict) for operation in patch):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    if len(patch) > MAX_OPERATIONS:
        raise request_entity_too_large(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}"
        )
    try:
        # The library shares `value` members with its result; a copy per application keeps the patch reusable.
        patched: dict[str, Any] = jsonpatch.JsonPatch(patch).apply(original)
    except jsonpatch.JsonPatchTestFailed as failed:
        raise unprocessable(f"testing path failed: {failed}") from None
    except jsonpatch.InvalidJsonPatch as wrong:
        raise bad_request(f"error decoding patch: {wrong}") from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError) as wrong:
        raise unprocessable(str(wrong)) from None
    if not isinstance(patched, dict):
        raise unprocessable("the patched document is not an object")
    return patched


def unprocessable(why: str) -> StatusError:
    """422 for a well-formed patch that does not fit the object: upstream's fixed message; why is a note for logs."""
    error = status_error(422, "Invalid", "the server rejected our request due to an error in our request")
    error.add_note(why)
    return error
