"""The CEL selectors of devices: what is known of `device`, and what is wrong with an expression about it."""

from collections.abc import Iterator
from functools import lru_cache

from kybern.kube.cel import compiler
from kybern.kube.cel.cost import estimate
from kybern.kube.cel.errors import CompileError
from kybern.kube.cel.messages import DYN, MapOf, Messages, Scalar, Shape, struct
from kybern.kube.cel.program import CALL_LIMIT, Program
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
        program = Program(compiler.check(expression, _environment()), _variables())
    except CompileError as error:
        why = str(error) if expression else str(error).replace("<input>:1:1:", "<input>:1:0:")
        yield invalid(path, expression, f"compilation failed: {why}")
        return
    found = str(program.result_type)
    if found not in ("bool", "any"):
        shown = found.replace("any", "google.protobuf.Any")
        yield invalid(path, expression, f"must evaluate to bool or the unknown type, not {shown}")
    elif estimate(program.checked, _size_of) > CALL_LIMIT:
        yield forbidden(path, "too complex, exceeds cost limit")


@lru_cache(maxsize=1)
def _environment() -> compiler.Environment:
    """A `device` with these members, each of which is a variable, too: so maps of maps keep their types."""
    messages = Messages()
    shapes: dict[str, Shape] = {"driver": Scalar("string"), "attributes": MapOf(DYN), "capacity": MapOf(DYN)}
    device = messages.type_of(struct({**shapes, "allowMultipleAllocations": Scalar("bool")}))
    types = {"device": device, **{f"device.{name}": kind for name, kind in _MEMBERS.items()}}
    return compiler.environment(types, messages.pool(), _BINDINGS)


def _variables() -> tuple[str, ...]:
    return ("device", *(f"device.{name}" for name in _MEMBERS))


def _size_of(path: tuple[str, ...]) -> int | None:
    """Maps by domain, and in these by name."""
    if path[0] == "device.driver":
        return _LONGEST_DOMAIN
    if path[0] not in ("device.attributes", "device.capacity"):
        return len(_MEMBERS) if path == ("device",) else None
    keys = path[-1] == "@keys"
    match len(path):
        case 2:
            return _LONGEST_DOMAIN if keys else _MOST_ENTRIES
        case 3:
            return _LONGEST_NAME if keys else _LONGEST_VALUE
    return _MOST_ENTRIES
