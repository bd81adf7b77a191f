"""Semantic versions: `semver('1.2.3')`, compared as version 2.0.0 of the specification says."""

import re
from dataclasses import dataclass
from typing import ClassVar

from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, member, plain, walks
from kybern.kube.cel.values import Opaque

NAME = "kubernetes.Semver"
_VERSION = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?"
)
_LARGEST = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Semver(Opaque):
    """A version; two that differ in their build alone are the same."""

    type_name: ClassVar[str] = NAME
    numbers: tuple[int, int, int]
    pre: tuple[str, ...]

    def order(self) -> tuple[object, ...]:
        """Sorts as versions do: a pre-release before its release, numbers before words."""
        words = tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in self.pre)
        return (self.numbers, not self.pre, words)


def semver(text: str, normalize: bool = False) -> Semver:
    """Raises EvaluationError. Normalized: a leading v, missing numbers and leading zeros are forgiven."""
    given = _normalized(text) if normalize else text
    match = _VERSION.fullmatch(given)
    if match is None or len(given) > 256 or any(int(match[at]) > _LARGEST for at in (1, 2, 3)):
        raise EvaluationError(_why(given))
    numbers = (int(match[1]), int(match[2]), int(match[3]))
    return Semver(numbers, tuple(match[4].split(".")) if match[4] else ())


def _why(text: str) -> str:
    return "No Major.Minor.Patch elements found" if text.count(".") < 2 else f'Invalid version string "{text}"'


def _normalized(text: str) -> str:
    text = text.removeprefix("v")
    core = re.split(r"[-+]", text, maxsplit=1)[0]
    parts = [part.lstrip("0") or "0" if part else part for part in core.split(".")]
    parts += ["0"] * (3 - len(parts))
    return ".".join(parts) + text[len(core) :]


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        semver(text, normalize)
    except EvaluationError:
        return False
    return True


def _compare(one: Semver, other: Semver) -> int:
    mine, its = one.order(), other.order()
    return (mine > its) - (mine < its)


OVERLOADS: list[Overload] = [
    plain("semver", f"string -> {NAME}", semver, walks),
    plain("semver", f"string, bool -> {NAME}", semver, walks),
    plain("isSemver", "string -> bool", _is_semver, walks),
    plain("isSemver", "string, bool -> bool", _is_semver, walks),
    member("major", f"{NAME} -> int", lambda version: version.numbers[0]),
    member("minor", f"{NAME} -> int", lambda version: version.numbers[1]),
    member("patch", f"{NAME} -> int", lambda version: version.numbers[2]),
    member("isGreaterThan", f"{NAME}, {NAME} -> bool", lambda one, other: _compare(one, other) > 0),
    member("isLessThan", f"{NAME}, {NAME} -> bool", lambda one, other: _compare(one, other) < 0),
    member("compareTo", f"{NAME}, {NAME} -> int", _compare),
]
