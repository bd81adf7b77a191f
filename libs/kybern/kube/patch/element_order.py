"""The order of a strategically merged list: the patch's elements in the patch's order, the server's own among them.

Elements only the server has keep their order; one stands before a patch element only where the server had it so.
"""

from __future__ import annotations

from typing import Any

from kybern.kube.go_values import printed
from kybern.kube.patch import errors
from kybern.kube.status import bad_request


def identity(element: Any, key: str) -> Any:
    """What makes two elements the same one: the value under the merge key, or the primitive itself."""
    if not key and isinstance(element, dict):
        errors.merge_key({name: value for name, value in element.items() if name}, "")
    found = element.get(key) if key and isinstance(element, dict) else element
    if isinstance(found, dict | list):
        raise bad_request(f"invalid patch format of list: {found} identifies no element")
    return found


def patch_first(merged: list[Any], patch: list[Any], server: list[Any], key: str) -> list[Any]:
    """Order `merged` by the order of `patch`, then interleave the rest by the order of `server`."""
    patch_rank = _ranks(patch, key)
    server_rank = _ranks(server, key)
    last = len(server_rank)
    ours = sorted((e for e in merged if identity(e, key) in patch_rank), key=lambda e: patch_rank[identity(e, key)])
    theirs = [e for e in merged if identity(e, key) not in patch_rank]
    theirs.sort(key=lambda e: server_rank.get(identity(e, key), last))
    return _interleave(theirs, ours, server_rank, key)


def _ranks(elements: list[Any], key: str) -> dict[Any, int]:
    ranks: dict[Any, int] = {}
    for element in elements:
        ranks.setdefault(identity(element, key), len(ranks))
    return ranks


def _interleave(theirs: list[Any], ours: list[Any], server_rank: dict[Any, int], key: str) -> list[Any]:
    ordered, i, j = [], 0, 0
    while i < len(theirs) and j < len(ours):
        left, right = server_rank.get(identity(theirs[i], key)), server_rank.get(identity(ours[j], key))
        if left is not None and right is not None and left < right:
            ordered.append(theirs[i])
            i += 1
        else:
            ordered.append(ours[j])
            j += 1
    return ordered + theirs[i:] + ours[j:]


def check(patch: list[Any], wanted: list[Any], key: str) -> None:
    """Every patch element but deletions stands in the wanted order, and in that order. Raises StatusError."""
    if not patch or not wanted:
        return
    remaining = [e for e in patch if not (isinstance(e, dict) and "$patch" in e)]
    at = 0
    for element in wanted:
        if at == len(remaining):
            return
        if _same(remaining[at], element, key):
            at += 1
    if at < len(remaining):
        shown = f"{printed(patch)}\n doesn't match $setElementOrder list:\n{printed(wanted)}"
        raise errors.failed(f"The order in patch list:\n{shown}\n")


def _same(left: Any, right: Any, key: str) -> bool:
    if key:
        return bool(errors.merge_key(errors.want_map(left), key) == errors.merge_key(errors.want_map(right), key))
    return type(left) is type(right) and bool(identity(left, "") == identity(right, ""))
