"""The operations of a JSON patch, each on a document that is changed in place, as Kubernetes carries them out.

What an object does not have is null to `test`, `copy` and `move`; `replace` makes it. What stands before the first
slash of a path is passed over. Indexes below zero count from the end of the list, for `add` of the list as it will be.
Every function raises Inapplicable with Kubernetes' words.
"""

import copy
import re
from collections.abc import Callable
from typing import Any

from kybern.kube.go_values import quoted

Document = Any
Operation = dict[str, Any]
MISSING, BAD_INDEX, FAILED = "missing value", "invalid index referenced", "test failed"
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_LARGEST = 2**63


class Inapplicable(Exception):
    """The operation does not fit the document; `failed` if it is a test that found something else."""

    def __init__(self, why: str, *, failed: bool = False) -> None:
        super().__init__(why)
        self.failed = failed


def step(document: Document, operation: Operation) -> Document:
    """The document after one operation."""
    kind = operation.get("op") or ""
    act = _ACTS.get(kind)
    if act is None:
        raise Inapplicable(f"Unexpected kind: {kind}")
    return act(document, operation)


def _path(operation: Operation, of: str) -> str:
    path = operation.get("path")
    if isinstance(path, str):
        return path
    why = f"operation missing path field: {MISSING}" if of in ("replace", "move", "test") else MISSING
    raise Inapplicable(f"{of} operation failed to decode path: {why}")


def _from(operation: Operation, of: str) -> str:
    path = operation.get("from")
    if isinstance(path, str):
        return path
    raise Inapplicable(f"{of} operation failed to decode from: operation, missing from field: {MISSING}")


def parts_of(path: str) -> list[str]:
    """The parts of a JSON pointer, of which the first is what stands before its first slash."""
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]


def _holder(document: Document, path: str) -> tuple[Any, str]:
    """The object or list that a path ends in, and the last part of the path; None where there is no such place."""
    parts = parts_of(path)
    for part in parts[1:-1]:
        try:
            document = _get(document, part)
        except Inapplicable:
            return None, ""
        if not isinstance(document, dict | list):
            return None, ""
    return (document, parts[-1]) if len(parts) > 1 else (None, "")


def _index(key: str) -> int:
    if not _NUMBER.fullmatch(key):
        raise Inapplicable(f"strconv.Atoi: parsing {quoted(key)}: invalid syntax")
    if not -_LARGEST <= int(key) < _LARGEST:
        raise Inapplicable(f"strconv.Atoi: parsing {quoted(key)}: value out of range")
    return int(key)


def _within(index: int, size: int) -> int:
    """The index counted from the start, below the size."""
    if not -size <= index < size:
        raise Inapplicable(f"Unable to access invalid index: {index}: {BAD_INDEX}")
    return index % size


def _get(holder: Any, key: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(key)
    return holder[_within(_index(key), len(holder))]


def _put(holder: Any, key: str, value: Any) -> None:
    if isinstance(holder, dict):
        holder[key] = value
    elif key == "-":
        holder.append(value)
    else:
        try:
            index = _index(key)
        except Inapplicable as error:
            raise Inapplicable(f"value was not a proper array index: '{key}': {error}") from None
        holder.insert(_within(index, len(holder) + 1), value)


def _take(holder: Any, key: str) -> None:
    if isinstance(holder, dict):
        if key not in holder:
            raise Inapplicable(f"Unable to remove nonexistent key: {key}: {MISSING}")
        del holder[key]
    else:
        del holder[_within(_index(key), len(holder))]


def _within_words(act: Callable[[], Any], words: str) -> Any:
    try:
        return act()
    except Inapplicable as error:
        raise Inapplicable(f"{words}: {error}") from None


def _add(document: Document, operation: Operation) -> Document:
    path = _path(operation, "add")
    holder, key = _holder(document, path)
    if holder is None:
        raise Inapplicable(f'add operation does not apply: doc is missing path: "{path}": {MISSING}')
    value = copy.deepcopy(operation.get("value"))
    _within_words(lambda: _put(holder, key, value), f"error in add for path: '{path}'")
    return document


def _remove(document: Document, operation: Operation) -> Document:
    path = _path(operation, "remove")
    holder, key = _holder(document, path)
    if holder is None:
        raise Inapplicable(f'remove operation does not apply: doc is missing path: "{path}": {MISSING}')
    _within_words(lambda: _take(holder, key), f"error in remove for path: '{path}'")
    return document


def _replace(document: Document, operation: Operation) -> Document:
    path, value = _path(operation, "replace"), copy.deepcopy(operation.get("value"))
    if not path:
        if isinstance(value, dict | list):
            return value
        raise Inapplicable("replace operation value must be object or array: %!w(<nil>)")
    holder, key = _holder(document, path)
    if holder is None:
        raise Inapplicable(f"replace operation does not apply: doc is missing path: {path}: {MISSING}")
    try:
        _get(holder, key)
    except Inapplicable:
        raise Inapplicable(f"replace operation does not apply: doc is missing key: {path}: {MISSING}") from None
    holder[key if isinstance(holder, dict) else _index(key)] = value
    return document


def _move(document: Document, operation: Operation) -> Document:
    origin = _from(operation, "move")
    holder, key = _holder(document, origin)
    if holder is None:
        raise Inapplicable(f"move operation does not apply: doc is missing from path: {origin}: {MISSING}")
    words = f"error in move for path: '{key}'"
    value = _within_words(lambda: _get(holder, key), words)
    _within_words(lambda: _take(holder, key), words)
    path = _path(operation, "move")
    target, last = _holder(document, path)
    if target is None:
        raise Inapplicable(f"move operation does not apply: doc is missing destination path: {path}: {MISSING}")
    _within_words(lambda: _put(target, last, value), f"error in move for path: '{path}'")
    return document


def _copy(document: Document, operation: Operation) -> Document:
    origin = _from(operation, "copy")
    holder, key = _holder(document, origin)
    if holder is None:
        raise Inapplicable(f"copy operation does not apply: doc is missing from path: {origin}: {MISSING}")
    value = _within_words(lambda: copy.deepcopy(_get(holder, key)), f"error in copy for from: '{origin}'")
    path = _path(operation, "copy")
    target, last = _holder(document, path)
    if target is None:
        raise Inapplicable(f"copy operation does not apply: doc is missing destination path: {path}: {MISSING}")
    _within_words(lambda: _put(target, last, value), "error while adding value during copy")
    return document


def _test(document: Document, operation: Operation) -> Document:
    path, wanted = _path(operation, "test"), operation.get("value")
    found = document
    if path:
        holder, key = _holder(document, path)
        if holder is None:
            raise Inapplicable(f"test operation does not apply: is missing path: {path}: {MISSING}")
        found = _within_words(lambda: _get(holder, key), f"error in test for path: '{path}'")
    if not _same(found, wanted):
        raise Inapplicable(f"testing value {path} failed: {FAILED}", failed=True)
    return document


def _same(found: Any, wanted: Any) -> bool:
    """Numbers and booleans are compared as they are written."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(value, wanted[name]) for name, value in found.items())
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    return type(found) is type(wanted) and bool(found == wanted)


_ACTS = {"add": _add, "remove": _remove, "replace": _replace, "move": _move, "copy": _copy, "test": _test}
