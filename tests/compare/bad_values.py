"""Objects with one thing wrong: every field of a valid object, given each of a few bad values."""

import copy
from collections.abc import Iterator
from typing import Any

from same import Both

Path = tuple[str | int, ...]
ABSENT: Any = object()


def with_bad_values(obj: Any, under: Path = ()) -> Iterator[tuple[str, Any]]:
    """(what was changed, the object with that change), for everything below `under`."""
    for path in _paths(_at(obj, under), under):
        for value in _bad(_at(obj, path)):
            shown = "absent" if value is ABSENT else str(value)[:20]
            yield f"{'.'.join(map(str, path))} = {shown}", _changed(obj, path, value)


def _changed(obj: Any, path: Path, value: Any) -> Any:
    """A copy with another value at a path, or nothing there."""
    new = copy.deepcopy(obj)
    holder = _at(new, path[:-1])
    if value is ABSENT:
        del holder[path[-1]]
    else:
        holder[path[-1]] = copy.deepcopy(value)
    return new


def _at(obj: Any, path: Path) -> Any:
    for step in path:
        obj = obj[step]
    return obj


def _paths(value: Any, path: Path) -> Iterator[Path]:
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in members:
        yield from _paths(child, (*path, step))


def _bad(value: Any) -> Iterator[Any]:
    yield ABSENT
    match value:
        case bool():
            yield not value
        case int():
            yield from (-1, 0, 300)
        case str():
            yield from ("", "-Bad_!", "../x")
        case [first, *_]:
            yield from ([*value, first], [None])
        case dict():
            yield {}


class Asked:
    """Collects how the answers to many requests differ."""

    def __init__(self, both: Both) -> None:
        self.both, self.found = both, list[str]()

    def __call__(self, what: str, *request: Any, **named: Any) -> None:
        self.found += [f"{what}: {line}" for line in self.both.diff(*request, **named)]

    def check(self) -> None:
        """No difference at all."""
        assert not self.found, f"{len(self.found)} differences\n" + "\n".join(self.found[:40])
