"""Functions of CEL as data: each overload has its types, its implementation and its price.

From this one table the compiler learns what Kubernetes adds to the language, and the evaluator finds what to call: by
the types of the arguments, of which the target of a member function is the first.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

from kybern.kube.cel.errors import no_overload
from kybern.kube.cel.values import Duration, Opaque, Optional, Timestamp, TypeValue, UInt

Implementation = Callable[..., Any]
Price = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature. Types are written `list<string>`, `map<A, B>`, `optional_type<A>`; one capital is any type."""

    function: str
    id: str
    parameters: tuple[str, ...]
    result: str
    implementation: Implementation
    member: bool = False
    price: Price | None = None  # beyond the one unit of a call; of the arguments
    declared: bool = True  # whether the compiler must be told of it


def member(
    function: str, signature: str, implementation: Implementation, price: Price | None = None, declared: bool = True
) -> Overload:
    """A function called on its first parameter. `signature` is "string, int -> bool"."""
    return _overload(function, signature, implementation, True, price, declared)


def plain(
    function: str, signature: str, implementation: Implementation, price: Price | None = None, declared: bool = True
) -> Overload:
    """A function called by its name."""
    return _overload(function, signature, implementation, False, price, declared)


def _overload(
    function: str, signature: str, implementation: Implementation, is_member: bool, price: Price | None, declared: bool
) -> Overload:
    before, _, result = signature.partition("->")
    parameters = tuple(split_types(before))
    shape = re.sub(r"\W+", "_", before.strip()).strip("_")
    name = f"kubernetes_{'member' if is_member else 'global'}_{function}_{shape}".replace(".", "_")
    return Overload(function, name, parameters, result.strip(), implementation, is_member, price, declared)


def split_types(text: str) -> list[str]:
    """The types of a list that is separated by commas."""
    found, depth, start = [], 0, 0
    for at, character in enumerate(text):
        if character == "<":
            depth += 1
        elif character == ">":
            depth -= 1
        elif character == "," and depth == 0:
            found.append(text[start:at].strip())
            start = at + 1
    last = text[start:].strip()
    return [*found, last] if last else found


_CLASSES: dict[str, tuple[type, ...]] = {
    "bool": (bool,), "int": (int,), "uint": (UInt,), "double": (float,), "string": (str,), "bytes": (bytes,),
    "null_type": (type(None),), "timestamp": (Timestamp,), "duration": (Duration,), "type": (TypeValue,),
    "optional_type": (Optional,),
}  # fmt: skip


@lru_cache(maxsize=1024)
def accepts(parameter: str, given: type) -> bool:
    """Whether a value of a Python class can be an argument; what is in lists and maps is not looked at."""
    name = parameter.partition("<")[0]
    if name == "dyn" or (len(name) == 1 and name.isupper()):
        return True
    if name in _CLASSES:
        return given in _CLASSES[name]
    if name == "list":
        return issubclass(given, Sequence) and not issubclass(given, (str, bytes))
    if name == "map":
        return issubclass(given, Mapping)
    return issubclass(given, Opaque) and given.type_name == name


_UNNAMED = ("startsWith", "endsWith", "contains", "matches")  # in what is said of wrong arguments


class Function:
    """All overloads of one name."""

    __slots__ = ("_known", "name", "overloads")

    def __init__(self, name: str, overloads: Iterable[Overload]) -> None:
        self.name = name
        self.overloads = tuple(overloads)
        self._known: dict[tuple[type, ...], Overload] = {}

    def find(self, arguments: tuple[Any, ...]) -> Overload:
        """The overload for these arguments. Raises EvaluationError."""
        types = tuple(map(type, arguments))
        found = self._known.get(types)
        if found is None:
            found = next((one for one in self.overloads if _fits(one, types)), None)
            if found is None:
                if not self.overloads[0].declared:
                    raise no_overload("" if self.name in _UNNAMED else self.name)
                raise no_overload(self.name, *arguments)
            self._known[types] = found
        return found


def _fits(overload: Overload, types: tuple[type, ...]) -> bool:
    return len(overload.parameters) == len(types) and all(map(accepts, overload.parameters, types))


def part(size: int, factor: float = 0.1) -> int:
    """What it costs to go through `size` characters."""
    return ceil(size * factor)


def walks(text: Any, *_: Any) -> int:
    """The price of one pass over the first argument."""
    return part(len(text))


def walks_twice(text: Any, *_: Any) -> int:
    """The price of a pass and of building as much."""
    return part(len(text), 0.2)


def each(items: Sequence[Any], *_: Any) -> int:
    """The price of looking at every element."""
    return len(items)
