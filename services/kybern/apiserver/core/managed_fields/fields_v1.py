"""FieldsV1: a set of field paths as nested objects; `"."` says that an inner path is itself a member."""

from collections.abc import Iterable
from typing import Any

from kybern.apiserver.core.managed_fields.paths import Path

Tree = dict[str, Any]


def encode(paths: Iterable[Path]) -> Tree:
    """The nested form of a set of paths, in a stable order."""
    tree: Tree = {}
    members = set(paths)
    for path in sorted(members):
        node = tree
        for part in path:
            node = node.setdefault(part, {})
    for path in members:
        node = tree
        for part in path:
            node = node[part]
        if node:
            node["."] = {}
    return _dots_first(tree)


def _dots_first(tree: Tree) -> Tree:
    first: Tree = {".": {}} if "." in tree else {}
    return {**first, **{part: _dots_first(inner) for part, inner in tree.items() if part != "."}}


def decode(tree: Tree) -> set[Path]:
    """The set of paths in the nested form."""
    found: set[Path] = set()
    _collect(tree, (), found)
    return found


def _collect(tree: Any, path: Path, found: set[Path]) -> None:
    if not isinstance(tree, dict) or (not tree and path):
        found.add(path)
        return
    for part, inner in tree.items():
        if part == ".":
            found.add(path)
        else:
            _collect(inner, (*path, part), found)
