"""The CEL selectors of devices: what is known of `device`, and what is wrong with an expression about it."""

from collections.abc import Iterator
from functools import lru_cache

from kybern.kube.cel import compiler
from kybern.kube.cel.cost import estimate
from kybern.kube.cel.declarations import read_type
from kybern.kube.cel.errors import CompileError
from kybern.kube.cel.program import CALL_LIMIT, Program
from kybern.kube.cel.shapes import Structs, struct
from kybern.kube.cel.wording import runtime_name
from kybern.kube.field import FieldError, forbidden, invalid, too_long

LONGEST = 10 * 1024
_BINDINGS = ("bindings",)
_ANY, _AMOUNT = "map<string, map<string, any>>", "map<string, map<string, kubernetes.Quantity>>"
_MEMBERS = {
    "driver": "string", "attributes": _ANY, "capacity": _AMOUNT, "allowMultipleAllocations": "bool",
}  # fmt: skip
_MOST_ENTRIES, _LONGEST_DOMAIN, _LONGEST_NAME, _LONGEST_VALUE = 32, 63, 32, 64


@lru_cache(maxsize=1024)
def problems(expression: str, path: str) -> tuple[FieldError, ...]:
    """Every field error of a selector's expression."""
    return tuple(_problems(expression, path))


def _problems(expression: str, path: str) -> Iterator[FieldError]:
    if len(expression) > LONGEST:
        yield too_long(path, LONGEST)
        return
    try:
        program = Program(compiler.check(expression, _environment()), ("device",))
    except CompileError as error:
        why = str(error) if expression else str(error).replace("<input>:1:1:", "<input>:1:0:")
        yield invalid(path, expression, f"compilation failed: {why}")
        return
    found = runtime_name(program.result_type)
    if found not in ("bool", "any"):
        shown = found.replace("any", "google.protobuf.Any")
        yield invalid(path, expression, f"must evaluate to bool or the unknown type, not {shown}")
    elif estimate(program.checked, _size_of) > CALL_LIMIT:
        yield forbidden(path, "too complex, exceeds cost limit")


@lru_cache(maxsize=1)
def _environment() -> compiler.Environment:
    structs = Structs()
    members = {name: read_type(text) for name, text in _MEMBERS.items()}
    device = structs.type_of(struct(members, "kubernetes.DRADevice"), "device")
    return compiler.Environment({"device": device}, structs, _BINDINGS)


def _size_of(path: tuple[str, ...]) -> int | None:
    """Maps by domain, and in these by name."""
    if path[:2] == ("device", "driver"):
        return _LONGEST_DOMAIN
    if path[:2] not in (("device", "attributes"), ("device", "capacity")):
        return len(_MEMBERS) if path == ("device",) else None
    keys = path[-1] == "@keys"
    match len(path):
        case 3:
            return _LONGEST_DOMAIN if keys else _MOST_ENTRIES
        case 4:
            return _LONGEST_NAME if keys else _LONGEST_VALUE
    return _MOST_ENTRIES
