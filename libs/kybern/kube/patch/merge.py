"""JSON merge patch (RFC 7386, application/merge-patch+json): null deletes, objects merge, all else replaces."""

from __future__ import annotations

from typing import Any, cast

from kybern.kube.recognize import go_type
from kybern.kube.status import bad_request


def apply(original: dict[str, Any], patch: Any, *, lenient: bool = False) -> dict[str, Any]:
    """A patched copy of `original`, sharing unchanged parts with it. Raises StatusError when the patch is no object.

    `lenient`: nobody has looked at the patch before.
    """
    if not isinstance(patch, dict):
        if lenient and isinstance(patch, list):
            whole: dict[str, Any] = cast("Any", patch)
            return whole  # which is what becomes of the object, until that is read
        if patch is None or lenient:
            raise bad_request("Invalid JSON Patch")
        why = f"json: cannot unmarshal {go_type(patch)} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding patch: {why}")
    return _merge_object(original, patch)


def _merge_object(original: Any, patch: dict[str, Any]) -> dict[str, Any]:
    merged = dict(original) if isinstance(original, dict) else {}
    for member, value in patch.items():
        if value is None:
            merged.pop(member, None)
        elif isinstance(value, dict):
            merged[member] = _merge_object(merged.get(member), value)
        else:
            merged[member] = _without_nulls(value)
    return merged


def _without_nulls(value: Any) -> Any:
    """What replaces another value: objects in lists lose their nulls, lists keep theirs."""
    if isinstance(value, dict):
        return {member: _without_nulls(child) for member, child in value.items() if child is not None}
    return [_without_nulls(child) for child in value] if isinstance(value, list) else value


def diff(original: dict[str, Any], modified: dict[str, Any]) -> dict[str, Any]:
    """The smallest merge patch from `original` to `modified` (which must hold no nulls)."""
    patch: dict[str, Any] = {member: None for member in original if member not in modified}
    for member, value in modified.items():
        if member not in original:
            patch[member] = value
        elif original[member] != value:
            both = isinstance(value, dict) and isinstance(original[member], dict)
            patch[member] = diff(original[member], value) if both else value
    return patch
