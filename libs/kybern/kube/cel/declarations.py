"""What functions and operators may be called with: the language itself, the CEL project's libraries, Kubernetes'.

What Kubernetes adds is declared beside its implementation (`library`); the rest is the table here. The order of a
function's overloads counts where the type of an argument is not known yet: the first one that fits decides.
"""

from dataclasses import dataclass
from functools import lru_cache

from kybern.kube.cel.ast import Type
from kybern.kube.cel.library import json_patch, table
from kybern.kube.cel.overloads import split_types

_ORDERED = "bool, bool; int, int; int, double; int, uint; uint, uint; uint, double; uint, int; double, double"
_ORDERED += "; double, int; double, uint; string, string; bytes, bytes; timestamp, timestamp; duration, duration"
_COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_OPTIONAL = "optional_type<A>"
# By function, overloads between semicolons; those of members start with a dot.
_STANDARD = {
    "_?_:_": "bool, A, A -> A",
    "_&&_": "bool, bool -> bool", "_||_": "bool, bool -> bool", "!_": "bool -> bool",
    "@not_strictly_false": "bool -> bool", "__not_strictly_false__": "bool -> bool",
    "_==_": "A, A -> bool", "_!=_": "A, A -> bool",
    "_+_": "bytes, bytes -> bytes; double, double -> double; duration, duration -> duration;"
           "duration, timestamp -> timestamp; timestamp, duration -> timestamp; int, int -> int;"
           "list<A>, list<A> -> list<A>; string, string -> string; uint, uint -> uint",
    "_/_": "double, double -> double; int, int -> int; uint, uint -> uint",
    "_%_": "int, int -> int; uint, uint -> uint",
    "_*_": "double, double -> double; int, int -> int; uint, uint -> uint",
    "-_": "double -> double; int -> int",
    "_-_": "double, double -> double; duration, duration -> duration; int, int -> int;"
           "timestamp, duration -> timestamp; timestamp, timestamp -> duration; uint, uint -> uint",
    **{name: "; ".join(f"{one} -> bool" for one in _ORDERED.split("; ")) for name in ("_<_", "_<=_", "_>_", "_>=_")},
    "_[_]": "list<A>, int -> A; map<A, B>, A -> B; optional_type<list<A>>, int -> optional_type<A>;"
            "optional_type<map<A, B>>, A -> optional_type<B>",
    "_[?_]": "list<A>, int -> optional_type<A>; optional_type<list<A>>, int -> optional_type<A>;"
             "map<A, B>, A -> optional_type<B>; optional_type<map<A, B>>, A -> optional_type<B>",
    "@in": "A, list<A> -> bool; A, map<A, B> -> bool",
    "size": "bytes -> int; .bytes -> int; list<A> -> int; .list<A> -> int; map<A, B> -> int; .map<A, B> -> int;"
            "string -> int; .string -> int",
    "type": "A -> type<A>", "dyn": "A -> dyn",
    "bool": "bool -> bool; string -> bool", "bytes": "bytes -> bytes; string -> bytes",
    "double": "double -> double; int -> double; string -> double; uint -> double",
    "duration": "duration -> duration; int -> duration; string -> duration",
    "int": "int -> int; double -> int; duration -> int; string -> int; timestamp -> int; uint -> int",
    "timestamp": "timestamp -> timestamp; int -> timestamp; string -> timestamp",
    "uint": "uint -> uint; double -> uint; int -> uint; string -> uint",
    "contains": ".string, string -> bool", "endsWith": ".string, string -> bool",
    "startsWith": ".string, string -> bool", "matches": "string, string -> bool; .string, string -> bool",
    **dict.fromkeys(("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
                    ".timestamp -> int; .timestamp, string -> int"),
    **dict.fromkeys(("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
                    ".timestamp -> int; .timestamp, string -> int; .duration -> int"),
    "optional.of": f"A -> {_OPTIONAL}", "optional.ofNonZeroValue": f"A -> {_OPTIONAL}",
    "optional.none": f"-> {_OPTIONAL}", "value": f".{_OPTIONAL} -> A", "hasValue": f".{_OPTIONAL} -> bool",
    "or": f".{_OPTIONAL}, {_OPTIONAL} -> {_OPTIONAL}", "orValue": f".{_OPTIONAL}, A -> A",
    "first": f".list<A> -> {_OPTIONAL}", "last": f".list<A> -> {_OPTIONAL}",
    "slice": ".list<A>, int, int -> list<A>",
    "flatten": ".list<list<A>> -> list<A>; .list<dyn>, int -> list<dyn>",
    "sort": "; ".join(f".list<{one}> -> list<{one}>" for one in _COMPARABLE),
    "@sortByAssociatedKeys": "; ".join(f".list<A>, list<{one}> -> list<A>" for one in _COMPARABLE),
    "lists.range": "int -> list<int>", "reverse": ".list<A> -> list<A>", "distinct": ".list<A> -> list<A>",
    **dict.fromkeys(("sets.contains", "sets.equivalent", "sets.intersects"), "list<A>, list<A> -> bool"),
    "cel.@mapInsert": "map<A, B>, A, B -> map<A, B>; map<A, B>, map<A, B> -> map<A, B>",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Declaration:
    """One overload. `variables` are the names in its types that stand for any type."""

    member: bool
    parameters: tuple[Type, ...]
    result: Type
    variables: tuple[str, ...]


Declarations = dict[str, tuple[Declaration, ...]]


@lru_cache(maxsize=2)
def declarations(patches: bool = False) -> Declarations:
    """Every function by its name; those that only mutations know with `patches`."""
    found: dict[str, list[Declaration]] = {}
    for name, overloads in _STANDARD.items():
        found[name] = [_declaration(one.strip()) for one in overloads.split(";")]
    left_out = () if patches else json_patch.OVERLOADS
    for function in table().values():
        for one in function.overloads:
            if one.declared and one not in left_out:
                signature = f"{'.' if one.member else ''}{', '.join(one.parameters)} -> {one.result}"
                found.setdefault(one.function, []).append(_declaration(signature))
    return {name: tuple(overloads) for name, overloads in found.items()}


def _declaration(signature: str) -> Declaration:
    before, _, result = signature.removeprefix(".").partition("->")
    types = (read_type(result.strip()), *map(read_type, split_types(before)))
    variables = sorted({name for one in types for name in _variables(one)})
    return Declaration(signature.startswith("."), types[1:], types[0], tuple(variables))


def _variables(of: Type) -> set[str]:
    return {name for one in of.parameters for name in _variables(one)} | ({of.name} if len(of.name) == 1 else set())


def read_type(text: str) -> Type:
    """A type as `list<string>` writes it."""
    name, bracket, rest = text.partition("<")
    return Type(name, tuple(map(read_type, split_types(rest[:-1])))) if bracket else Type(name)
