"""JSON patch (RFC 6902, application/json-patch+json): a list of operations applied all or none."""

from __future__ import annotations

import copy
import re
from typing import Any

import jsonpatch
import jsonpointer

from kybern.kube.recognize import go_type
from kybern.kube.status import StatusError, bad_request, request_entity_too_large, status_error

MAX_OPERATIONS = 10_000
OPERATIONS = ("add", "remove", "replace", "move", "copy", "test")
_STRINGS = ("op", "path", "from")
MEMBERS = (*_STRINGS, "value")  # of an operation
_NEGATIVE, _INDEX = re.compile(r"/-\d"), re.compile(r"-\d+")
_NEEDS_VALUE = ("add", "replace", "test")
TEST_FAILED = "failed: test failed"  # how the message ends when the object is not what the patch expects


def apply(original: dict[str, Any], patch: Any, *, lenient: bool = False) -> dict[str, Any]:
    """A patched copy of `original`. Raises StatusError: 400 for a malformed patch, 413 too long, 422 not applicable.

    `lenient`: members of other types are looked at only where an operation needs them.
    """
    patched: Any = copy.deepcopy(original)
    for operation in _read(patch, lenient):
        patched = _step(patched, operation)
    if not isinstance(patched, dict):
        raise unprocessable("the patched document is not an object")
    return patched


def _step(document: Any, operation: dict[str, Any]) -> Any:
    """The document after one operation, changed in place.

    What is missing is null to `test` and `copy`, as upstream has it, and `replace` makes it.
    """
    kind, path = operation.get("op"), operation.get("path") or ""
    if kind not in OPERATIONS:
        raise unprocessable(f"Unexpected kind: {kind or ''}")
    if _NEGATIVE.search(path) or _NEGATIVE.search(operation.get("from") or ""):
        path = _counted(document, path, kind in ("add", "copy", "move"))
        operation = {**operation, "path": path}
        if operation.get("from"):
            operation["from"] = _counted(document, operation["from"], False)
    if not path and kind in ("add", "replace", "remove"):
        raise unprocessable(f"{kind} operation does not apply to the whole document")
    if kind == "copy" and _lacks(document, operation.get("from") or ""):
        operation = {"op": "add", "path": path, "value": None}
    lacks = kind in ("replace", "remove", "test") and _lacks(document, path)
    if lacks and kind == "test" and operation.get("value") is None:
        return document
    if lacks and kind == "remove":
        last = jsonpointer.unescape(path.rpartition("/")[2])
        why = f"Unable to remove nonexistent key: {last}: missing value"
        raise unprocessable(f"error in remove for path: '{path}': {why}")
    step = {**operation, "op": "add"} if lacks and kind == "replace" else operation
    try:
        # The library shares `value` members with its result; a copy per application keeps the patch reusable.
        return jsonpatch.JsonPatch([copy.deepcopy(step)]).apply(document, in_place=True)
    except jsonpatch.JsonPatchTestFailed:
        raise unprocessable(f"testing value {path} {TEST_FAILED}") from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError) as wrong:
        raise unprocessable(str(wrong)) from None


def _counted(document: Any, path: str, adds: bool) -> str:
    """A path whose negative indexes, counted from the end of their lists, are ordinary ones."""
    steps = path.split("/")[1:]
    for at, step in enumerate(steps):
        if isinstance(document, list) and _INDEX.fullmatch(step):
            index = len(document) + int(step) + (adds and at == len(steps) - 1)
            if index < 0:
                raise unprocessable(f"Unable to access invalid index: {step}: invalid index referenced")
            steps[at] = step = str(index)
        try:
            document = document[int(step) if isinstance(document, list) else jsonpointer.unescape(step)]
        except (KeyError, IndexError, TypeError, ValueError):
            break
    return "".join(f"/{step}" for step in steps)


def _lacks(document: Any, path: str) -> bool:
    """Whether the path is that of a member that an object does not have."""
    try:
        parent, last = jsonpointer.JsonPointer(path).to_last(document)
    except (jsonpointer.JsonPointerException, TypeError, KeyError, IndexError):
        return False
    return isinstance(parent, dict) and last is not None and last not in parent


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
