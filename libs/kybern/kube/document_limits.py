"""Limits on documents from outside: how deep they may nest, and how often YAML may repeat itself by aliases.

Deeper than DEEPEST would be more than the JSON encoder writes (254 levels) once the server has added its own, and more
than recursive code stands. A document of a few kilobytes whose aliases multiply to gigabytes is refused in the words
and by the measure of go-yaml: the larger the whole, the smaller the part that aliases may make of it.
"""

import re
from typing import Any

import orjson
import yaml

DEEPEST = 200
_ENCODER = 254  # levels that orjson writes
_INDENTED = re.compile(rb"^[ \t?:-]{400}", re.MULTILINE)  # without it, blocks nest a few hundred levels at most
_SMALL, _LARGE = 400_000, 4_000_000  # values
_SMALL_RATIO, _LARGE_RATIO = 0.99, 0.10


class TooDeep(ValueError):
    """Nested more than DEEPEST levels deep."""

    def __init__(self) -> None:
        super().__init__(f"exceeded max depth of {DEEPEST}")


def check_depth(value: Any, data: bytes | None = None) -> None:
    """Raises TooDeep. `data` is the value as JSON, if it is at hand: few brackets need no closer look."""
    if data is not None and data.count(b"{") + data.count(b"[") <= DEEPEST:
        return
    for _ in range(_ENCODER - DEEPEST):  # the encoder counts levels faster than anything else here
        value = [value]
    try:
        orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        if "ecursion" in str(error):
            raise TooDeep from None


def load_yaml(data: bytes, loader: Any) -> Any:
    """The first document; nobody looks at what follows it. Raises yaml.YAMLError, TooDeep."""
    if data.count(b"{") + data.count(b"[") > DEEPEST or _INDENTED.search(data):
        _check_nesting(data, loader)
    if b"*" in data and b"&" in data:
        _check_aliases(next(yaml.compose_all(data, loader), None))
    value = next(yaml.load_all(data, loader), None)
    check_depth(value)
    return value


def _check_nesting(data: bytes, loader: Any) -> None:
    """Before libyaml's recursion meets it, which ends the process far below the size of a request. Raises TooDeep."""
    depth = 0
    for event in yaml.parse(data, loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise TooDeep
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentEndEvent):
            return


def yaml_error(error: Exception, data: bytes = b"") -> str:
    """What is wrong with a YAML document, in go-yaml's words as far as they are ours."""
    if isinstance(error, yaml.reader.ReaderError):
        return f"yaml: {error.reason}"
    if not isinstance(error, yaml.MarkedYAMLError) or not error.problem:
        text = str(error)
        return text if text.startswith(("yaml: ", "json: ")) else f"yaml: {text}"
    if isinstance(error, yaml.composer.ComposerError) and error.problem == "found undefined alias":
        return f"yaml: unknown anchor '{_name_at(error.problem_mark, data)}' referenced"
    marks = (error.context_mark, error.problem_mark)
    line = next((mark.line for mark in marks if mark is not None and mark.line), 0)
    if line and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    return f"yaml: line {line}: {error.problem}" if line else f"yaml: {error.problem}"


def _name_at(mark: yaml.Mark | None, data: bytes) -> str:
    """The name of the alias at a place in a document."""
    lines = data.decode("utf-8", "replace").splitlines()
    line = lines[mark.line][mark.column :] if mark is not None and mark.line < len(lines) else ""
    found = re.match(r"\*([^\s,\[\]{}]+)", line)
    return found[1] if found is not None else ""


def _check_aliases(root: yaml.Node | None) -> None:
    """Count what the document would be without aliases. Raises yaml.YAMLError."""
    sizes: dict[int, int] = {}  # of nodes, expanded; 0 while their children are counted
    work = [(root, False)] if root is not None else []
    while work:
        node, counted = work.pop()
        if counted:
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in _children(node))
        elif id(node) not in sizes:
            sizes[id(node)] = 0
            work.append((node, True))
            work += [(child, False) for child in _children(node)]
        elif not sizes[id(node)]:
            raise yaml.YAMLError("anchor value contains itself")
    whole = sizes[id(root)] if root is not None else 0
    repeated = whole - len(sizes)
    if repeated > 100 and whole > 1000 and repeated / whole > _allowed(whole):
        raise yaml.YAMLError("yaml: document contains excessive aliasing")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _allowed(size: int) -> float:
    """The part of a document that aliases may make."""
    if size <= _SMALL:
        return _SMALL_RATIO
    if size >= _LARGE:
        return _LARGE_RATIO
    return _SMALL_RATIO - (_SMALL_RATIO - _LARGE_RATIO) * (size - _SMALL) / (_LARGE - _SMALL)
