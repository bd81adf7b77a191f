"""Field sets: sets of field paths in the form of FieldsV1, and their algebra.

A set is the nested dict that `fieldsV1` shows: `{"f:spec": {"f:replicas": {}}}` holds the path `.spec.replicas`. A node
without members of its own is a path in the set; one with members is itself in the set if it has `"."`. Nothing here
changes its arguments; results share parts with them.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from kybern.kube.go_values import printed

FieldSet = dict[str, Any]
Path = tuple[str, ...]
DOT = "."
MEMBER: FieldSet = {DOT: {}}


def closed(node: FieldSet) -> FieldSet:
    """The same node in its one form: a dot alone says nothing."""
    return {} if len(node) == 1 and DOT in node else node


def in_order(node: FieldSet) -> FieldSet:
    """The same set with the members of every node in order: clients compare what two encodings of it say."""
    return {part: in_order(node[part]) if node[part] else node[part] for part in sorted(node)}


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    """Paths that are in one of the sets."""
    if not a or a is b:
        return b
    if not b:
        return a
    out = dict(a)
    for part, theirs in b.items():
        ours = out.get(part)
        if ours is None:
            out[part] = theirs
        elif ours != theirs:
            out[part] = union(ours or MEMBER, theirs or MEMBER)
    return out


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """Paths of `a` that are not in `b`; a path in `b` does not stand for the paths below it."""
    out = None
    for part, theirs in b.items():
        ours = a.get(part)
        if ours is None or part == DOT:
            continue
        rest = _node_difference(ours, theirs)
        if rest is ours:
            continue
        if out is None:
            out = dict(a)
        if rest is None:
            del out[part]
        else:
            out[part] = rest
    return a if out is None else out


def _node_difference(a: FieldSet, b: FieldSet) -> FieldSet | None:
    drop = not b or DOT in b
    if not a:
        return None if drop else a
    rest = difference(a, b)
    if drop and DOT in rest:
        rest = {part: inner for part, inner in rest.items() if part != DOT}
    if rest is a:
        return a
    return closed(rest) if rest else None


def without(a: FieldSet, b: FieldSet) -> FieldSet:
    """`a` without the paths of `b` and everything below them."""
    out = None
    for part, theirs in b.items():
        ours = a.get(part)
        if ours is None or part == DOT:
            continue
        rest = None if not theirs or DOT in theirs else without(ours, theirs)
        if rest is ours:
            continue
        out = dict(a) if out is None else out
        if rest:
            out[part] = closed(rest)
        else:
            del out[part]
    return a if out is None else out


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    """Paths that are in both sets."""
    if len(a) > len(b):
        a, b = b, a
    out: FieldSet = {}
    for part, ours in a.items():
        theirs = b.get(part)
        if theirs is None or part == DOT:
            continue
        member = (not ours or DOT in ours) and (not theirs or DOT in theirs)
        rest = intersection(ours, theirs) if ours and theirs else {}
        if member and rest:
            rest[DOT] = {}
        if member or rest:
            out[part] = rest
    return out


def paths(tree: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """Every path: those of a level in order, then those below it."""
    parts = sorted(part for part in tree if part != DOT)
    for part in parts:
        if not tree[part] or DOT in tree[part]:
            yield (*prefix, part)
    for part in parts:
        if tree[part]:
            yield from paths(tree[part], (*prefix, part))


def from_paths(given: Iterator[Path] | list[Path] | set[Path] | tuple[Path, ...]) -> FieldSet:
    """The set of paths."""
    out: FieldSet = {}
    for path in given:
        tree: FieldSet = {}
        for part in reversed(path):
            tree = {part: tree}
        out = union(out, tree)
    return out


def has(tree: FieldSet, path: Path) -> bool:
    """Whether a path is in the set."""
    node = tree
    for part in path:
        found = node.get(part)
        if found is None:
            return False
        node = found
    return not node or DOT in node


def readable(path: Path) -> str:
    """As conflicts name it: `.spec.containers[name="c"].image`."""
    return "".join(_readable(part) for part in path)


def _readable(part: str) -> str:
    kind, body = part[:2], part[2:]
    if kind == "f:":
        return f".{body}"
    if kind == "k:":
        keys = orjson.loads(body)
        return "[" + ",".join(f"{key}={_as_text(keys[key])}" for key in sorted(keys)) + "]"
    return f"[={body}]" if kind == "v:" else f"[{body}]"


def _as_text(value: Any) -> str:
    """The value of a key; what is no scalar is no key, but named all the same."""
    if type(value) is dict:
        return "".join(f"{name}={_as_text(child)}" for name, child in sorted(value.items()))
    if type(value) is list:
        return "[" + ",".join(map(_as_text, value)) + "]"
    return printed(value) if type(value) in (int, float) else orjson.dumps(value).decode()


def decode(raw: Any) -> FieldSet:
    """A set as a client wrote it, in the one form that sets are compared in. Raises ValueError."""
    if not isinstance(raw, dict):
        raise ValueError("a set of fields is an object")
    out: FieldSet = {}
    for part, inner in raw.items():
        if part == DOT:
            out[DOT] = {}
        else:
            out[_canonical(part)] = closed(decode(inner))
    return out


def _canonical(part: str) -> str:
    kind, body = part[:2], part[2:]
    if kind == "f:":
        return part
    if kind in ("k:", "v:"):
        value = orjson.loads(body)
        if (kind == "k:") is not isinstance(value, dict):
            raise ValueError(f"no path element: {part}")
        return kind + orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    if kind == "i:" and body.lstrip("-").isdigit():
        return part
    raise ValueError(f"no path element: {part}")
