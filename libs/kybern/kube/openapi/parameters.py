"""Query and path parameters: their types, and one own sentence each."""

from typing import Any

_QUERY: dict[str, tuple[str, str]] = {
    "allowWatchBookmarks": ("boolean", "Ask a watch to send bookmarks, which tell how far it has come."),
    "continue": ("string", "The token of the previous page of a list."),
    "dryRun": ("string", "With the value All, do everything but keep the result."),
    "fieldManager": ("string", "Who makes this change, as recorded in managedFields."),
    "fieldSelector": ("string", "Keep only objects whose fields match."),
    "fieldValidation": ("string", "What unknown and repeated fields lead to: Ignore, Warn or Strict."),
    "force": ("boolean", "Apply only: take fields over from the managers who hold them."),
    "gracePeriodSeconds": ("integer", "How long an object may take to end; 0 ends it at once."),
    "ignoreStoreReadErrorWithClusterBreakingPotential": ("boolean", "Delete an object that can no longer be read."),
    "labelSelector": ("string", "Keep only objects whose labels match."),
    "limit": ("integer", "The most objects one page of a list may hold."),
    "orphanDependents": ("boolean", "Deprecated: use propagationPolicy."),
    "pretty": ("string", "With the value true, indent the answer."),
    "propagationPolicy": ("string", "What happens to dependents: Orphan, Background or Foreground."),
    "resourceVersion": ("string", "How new the data must be."),
    "resourceVersionMatch": ("string", "How resourceVersion is meant: Exact or NotOlderThan."),
    "sendInitialEvents": ("boolean", "Begin a watch with the objects that exist."),
    "timeoutSeconds": ("integer", "How long a list or watch may take."),
    "watch": ("boolean", "Stream changes instead of listing."),
}
_PATH = {"name": "The name of the object.", "namespace": "The namespace of the object."}


def parameter(name: str, *, v3: bool) -> dict[str, Any]:
    """One parameter object in either OpenAPI version."""
    if name in _PATH:
        head: dict[str, Any] = {"name": name, "in": "path", "description": _PATH[name], "required": True}
        kind = "string"
    else:
        kind, text = _QUERY[name]
        head = {"name": name, "in": "query", "description": text}
    typed: dict[str, Any] = {"type": kind, "uniqueItems": True}
    return {**head, "schema": typed} if v3 else {**head, **typed}
