"""Documents that are changed at random: what can be wrong with a member of an object, and how it is written down.

A seeded generator decides everything. `Raw` stands for text that no writer would write (numbers beyond all types,
YAML's many ways); AGAIN names a member twice.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

from kybern.kube import schema

Object = dict[str, Any]
Path = tuple[str | int, ...]
DROP: Any = object()
AGAIN = "\x00"  # opens the second name of a member that is named twice
TEXTS = (
    "", " ", "a", "A", "a.b", "a/b", "a_b", "-a", "a-", "x" * 64, "x" * 260, "ü", "日本", "\U0001f600", "a\nb", "\t",
    '"', "\\", "0", "1", "-1", "1.5", "true", "null", "{}", "50%", "-5%", "101%", "1Gi", "1e3", "100m",
    "0.0001", "10.0.0.1", "010.0.0.1", "::1", "10.0.0.0/24", "fe80::1%eth0", "2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00+02:00", "2024-01-01", "0001-01-01T00:00:00Z", "10s", "*", "a=b", "/", "/a", "../a", "$(A)",
    "kubernetes.io/x", "a.kubernetes.io/b", "example.com/x", "\u2028", "YQ==", "YQ", "v1", "x.y/v1",
)  # fmt: skip
NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    10,
    100,
    65535,
    65536,
    70000,
    2**31 - 1,
    2**31,
    -(2**31) - 1,
    2**53,
    2**63 - 1,
    -(2**63),
    10**30,
)
FLOATS = (0.5, 1.0, -1.5, 1e3, 1e21, 1e-7, 1.5e300)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    {},
    [],
    [None],
    [{}],
    {"a": None},
    {"": ""},
    {"a": {}},
    [[]],
    ["a"],
    [1],
    {"a": 1},
    {"a": "b"},
)
RAW_JSON = (
    "1E2",
    "-0",
    "1.0",
    "01",
    "NaN",
    "Infinity",
    '"\\x"',
    "'a'",
    "tru",
    "1.",
    "+1",
    "",
    "1e2",
    "0x1",
    '"a\tb"',
)
RAW_PATCH = ("1E2", "-0", "1.0", "1e2", "100000000000000000000")
RAW_YAML = (
    "0x10", "0o17", "017", "1_000", ".inf", ".nan", "~", "yes", "on", "Off", "TRUE", "True", "2020-01-01", "!!str 1",
    "&a x", "*a", "1e3", '"\\x41"', "+1", "-0", "1.", "0b11", "=", "<<", "''", "'a''b'", "!!int '3'", "!!float 3",
    "!!binary YQ==", "1:30", "12e03", "!x y", "- a", "{a: b", "|\n      x", "null", "Null", "NULL", ".5", "1.0",
    "9223372036854775808", "18446744073709551616", "\"a", "@a", "`a", "%a", "a: b", "# a",
    "2001-12-14t21:59:43.10-05:00",
)  # fmt: skip


class Raw(str):
    """Text that stands in a document as it is."""


def _texts(value: Any) -> str:
    match value:
        case Raw():
            return str(value)
        case dict():
            return (
                "{" + ",".join(f"{json.dumps(name.lstrip(AGAIN))}:{_texts(item)}" for name, item in value.items()) + "}"
            )
        case list():
            return "[" + ",".join(_texts(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def as_json(value: Any) -> bytes:
    return _texts(value).encode("utf-8", "surrogatepass")


def _block(value: Any, indent: str) -> str:
    if isinstance(value, dict) and value:
        return "".join(
            f"\n{indent}{json.dumps(name.lstrip(AGAIN), ensure_ascii=False)}:{_block(item, indent + '  ')}"
            for name, item in value.items()
        )
    if isinstance(value, list) and value:
        return "".join(f"\n{indent}-{_block(item, indent + '  ')}" for item in value)
    return f" {_texts(value)}"


def as_yaml(value: Any) -> bytes:
    """Blocks, with scalars as JSON has them."""
    return _block(value, "").lstrip("\n").encode("utf-8", "surrogatepass") + b"\n"


def copied(value: Any) -> Any:
    """As `copy.deepcopy`, of documents."""
    if isinstance(value, dict):
        return {name: copied(item) for name, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every path in a document, its own members and items."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in members:
        yield (*path, step)
        yield from places(item, (*path, step))


def definition_at(of: Object | None, path: Path) -> Object:
    """The schema of what is at a path; {} where there is none."""
    of = schema.load().resolve(of or {})
    for step in path:
        member = (
            of.get("items")
            if isinstance(step, int)
            else (of.get("properties") or {}).get(step, of.get("additionalProperties"))
        )
        of = schema.load().resolve(member if isinstance(member, dict) else {})
    return of


def plausible(rng: random.Random, of: Object, depth: int = 3) -> Any:
    """Something that the schema takes: of objects some members."""
    of = schema.load().resolve(of)
    match of.get("format"), of.get("type"):
        case "quantity", _:
            return rng.choice(("1", "500m", "2Gi", "0"))
        case "int-or-string", _:
            return rng.choice((1, "25%", "http", 0))
        case "date-time", _:
            return "2024-01-01T00:00:00Z"
        case "micro-time", _:
            return "2024-01-01T00:00:00.000001Z"
        case "byte", _:
            return rng.choice(("YQ==", ""))
        case _, "string":
            return rng.choice(of.get("enum") or ("a", "a.b/c", "x", "1.2.3.4", "/p", "True", ""))
        case _, "integer":
            return rng.choice((1, 2, 0, 80))
        case _, "number":
            return rng.choice((1, 0.5))
        case _, "boolean":
            return rng.random() < 0.6
        case _, "array":
            return [plausible(rng, of["items"], depth - 1) for _ in range(rng.choice((1, 1, 2)))] if depth else []
    if isinstance(inner := of.get("additionalProperties"), dict):
        return {rng.choice(("a", "cpu", "c.d/e")): plausible(rng, inner, depth - 1)}
    members: Object = of.get("properties") or {}
    chosen = {*of.get("required", ()), *rng.sample(sorted(members), min(len(members), rng.choice((1, 1, 2))))}
    return (
        {name: plausible(rng, members[name], depth - 1) for name in sorted(chosen) if name in members} if depth else {}
    )


def odd(rng: random.Random, value: Any, of: Object, raw: tuple[str, ...]) -> Any:
    """Something else for a value; DROP for nothing at all."""
    roll = rng.random()
    if roll < 0.12:
        return DROP
    if roll < 0.17:
        return None
    if roll < 0.22:
        return Raw(rng.choice(raw))
    if roll < 0.30:
        return copied(rng.choice((*OTHERS, rng.choice(TEXTS), rng.choice(NUMBERS), rng.choice(FLOATS))))
    if isinstance(value, list) and roll < 0.75:
        item = rng.choice(value) if value else plausible(rng, of.get("items") or {})
        return rng.choice(
            (
                [*value, copied(item)],
                [copied(item), *value],
                [],
                [*value, None],
                value[::-1],
                [*value, plausible(rng, of.get("items") or {})],
                value[1:],
                [{}],
            )
        )
    if isinstance(value, dict) and roll < 0.75:
        return changed_members(rng, value, of)
    if of and roll < 0.45:
        return plausible(rng, of)
    if isinstance(value, bool):
        return rng.choice((not value, "true", 1, None))
    if isinstance(value, int | float):
        return rng.choice((rng.choice(NUMBERS), rng.choice(NUMBERS), str(value), rng.choice(FLOATS)))
    if not isinstance(value, str):
        return rng.choice(TEXTS)
    return rng.choice((rng.choice(TEXTS), rng.choice(TEXTS), f"{value}-x", value.upper(), 1))


def changed_members(rng: random.Random, value: Object, of: Object) -> Object:
    """One member more, twice, of another case, or none."""
    members: Object = of.get("properties") or {}
    absent = sorted(name for name in members if name not in value)
    roll = rng.random()
    if absent and roll < 0.6:
        name = rng.choice(absent)
        return {**value, name: plausible(rng, members[name])}
    if isinstance(of.get("additionalProperties"), dict) and roll < 0.7:
        return {**value, rng.choice(TEXTS): plausible(rng, of["additionalProperties"])}
    name = rng.choice(sorted(value) or ["a"])
    if roll < 0.75:
        return {**value, rng.choice(("unknown", "Unknown-1", "")): rng.choice((1, "a", {}, [], None))}
    if roll < 0.87:
        return {**value, AGAIN + name: rng.choice((value.get(name) or 1, 1, "a"))}
    if roll < 0.95:
        return {(key.capitalize() if key == name else key): item for key, item in value.items()}
    return {}


def mutated(
    rng: random.Random, obj: Object, of: Object | None, raw: tuple[str, ...] = RAW_JSON, times: int | None = None
) -> tuple[Object, list[Path]]:
    """The object with one to three changes, and where they are."""
    made, changed = copied(obj), list[Path]()
    for _ in range(times or rng.choice((1, 1, 1, 2, 3))):
        found = [path for path in places(made) if path[0] not in ("apiVersion", "kind") or rng.random() < 0.02]
        found = [path for path in found if path != ("metadata", "name") or rng.random() < 0.1]
        if not found:
            break
        path = rng.choice(found)
        holder = at(made, path[:-1])
        value = odd(rng, holder[path[-1]], definition_at(of, path), raw)
        if value is DROP:
            del holder[path[-1]]
        else:
            holder[path[-1]] = value
        changed.append(path)
    return made, changed
